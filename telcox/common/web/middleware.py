from collections.abc import Callable
from io import BytesIO

from django.conf import settings
from django.contrib.messages.middleware import MessageMiddleware
from django.http import HttpRequest, HttpResponseBase, JsonResponse

from telcox.common.web.admission import stepped_out
from telcox.common.web.parsers import BodyTooLarge, read_limited
from telcox.common.web.problems import CONTENT_TYPE, problem_document

# Set in META for a body without a length whose end may be a lost connection.
MAY_BE_CUT = "telcox.body_may_be_cut"


class ChunkedBodyMiddleware:
    """Read a body that came without a length (`Transfer-Encoding: chunked`, RFC 9112, section 7.1).

    Django and DRF take a request without Content-Length for one without a body. Here such a body is read, up
    to the largest limit of any view, and gets its length; the views check their own limits. A Content-Length
    beside it is ignored (RFC 9112, section 6.3).
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "HTTP_TRANSFER_ENCODING" in request.META:
            # WSGI limits its own stream to the Content-Length. Granian reports a lost connection as the end
            # of the body; under ASGI Django drops such a request.
            wsgi_input = request.META.get("wsgi.input")
            try:
                with stepped_out():  # the client decides how long this takes
                    body = read_limited(
                        wsgi_input or request._stream,
                        max(settings.MAX_BODY_BYTES, settings.USAGE_BODY_BYTES),
                    )
            except BodyTooLarge as error:
                document = problem_document(error.status_code)
                return JsonResponse(document, status=error.status_code, content_type=CONTENT_TYPE)
            request._stream = BytesIO(body)
            request.META["CONTENT_LENGTH"] = str(len(body))
            request.META[MAY_BE_CUT] = wsgi_input is not None
        return self.get_response(request)


class PageMessageMiddleware(MessageMiddleware):
    """Django's MessageMiddleware for pages only, not for requests of the API."""

    def process_request(self, request: HttpRequest) -> None:
        if not request.path_info.startswith("/api/"):
            super().process_request(request)
