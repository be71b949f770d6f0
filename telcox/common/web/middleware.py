from django.contrib.messages.middleware import MessageMiddleware
from django.http import HttpRequest


class PageMessageMiddleware(MessageMiddleware):
    """Messages are for pages: for a request of the API their storage is not set up."""

    def process_request(self, request: HttpRequest) -> None:
        if not request.path_info.startswith("/api/"):
            super().process_request(request)
