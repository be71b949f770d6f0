"""What daphne's WebSocket server does not do, and the contract needs."""

from daphne.ws_protocol import WebSocketProtocol


def _close_with_any_code(self: WebSocketProtocol, code: int | None = None) -> None:
    self.sendCloseFrame(code=1000 if code is None else code)


def allow_every_close_code() -> None:
    """Lets a consumer close with a code of RFC 6455, such as 1008.

    Stock daphne takes them for a bug in the application and closes with 1011 (django/daphne#374): it closes
    through a method that autobahn restricts to what browsers' scripts may use. This is the one daphne itself
    sends 1011 by.
    """
    WebSocketProtocol.serverClose = _close_with_any_code
