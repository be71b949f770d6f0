from collections.abc import Iterable

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class JSONWhateverIsAccepted(DefaultContentNegotiation):
    """Content negotiation that ignores `Accept`, since there is one representation: RFC 9110 (section 12.4.1)
    permits it, and the original does it. So there is no 406, and the header is not parsed."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)
