from django.contrib.messages.middleware import MessageMiddleware
from django.http import HttpRequest


class PageMessageMiddleware(MessageMiddleware):
    """Django's MessageMiddleware for pages only, not for requests of the API."""

    def process_request(self, request: HttpRequest) -> None:
        if not request.path_info.startswith("/api/"):
            super().process_request(request)
