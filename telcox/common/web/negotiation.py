from collections.abc import Iterable

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class JSONWhateverIsAccepted(DefaultContentNegotiation):
    """There is one representation, so `Accept` is disregarded, as RFC 9110 (section 12.4.1) lets a server do
    and as the original does: no 406, and nothing of the header to parse."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)
