"""What daphne's WebSocket server does not do, and the contract and the live feed need."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from autobahn.websocket.protocol import WebSocketProtocol as Autobahn
from daphne.server import Server
from daphne.ws_protocol import WebSocketProtocol
from django.conf import settings

# What is on its way to one reader, in bytes: more than that in our buffer and it is behind. The system keeps
# about as much again.
BUFFERED_MAX = 16 * 1024


def text_frame(text: str) -> bytes:
    """A whole, unmasked text message (RFC 6455, section 5.2), for any number of sockets."""
    payload = text.encode()
    length = len(payload)
    if length < 126:
        head = bytes((0x81, length))
    elif length < 1 << 16:
        head = b"\x81\x7e" + length.to_bytes(2)
    else:
        head = b"\x81\x7f" + length.to_bytes(8)
    return head + payload


class Outlet:
    """The sending end of one WebSocket: takes ready-made frames while its reader keeps up.

    ASGI's own `send` never waits with daphne, and buffers for a stuck reader without end; and it makes the
    frame anew for each socket. While `clogged` nothing shall be written; `on_clear` is called when the
    reader caught up, and one that does not within LIVE_STALLED_SECONDS is cut off.
    """

    def __init__(self, protocol: WebSocketProtocol) -> None:
        self.clogged = False
        self.on_clear: Callable[[], None] = lambda: None
        self._protocol = protocol
        self._transport = transport = protocol.transport
        self._cut: asyncio.TimerHandle | None = None
        transport.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFERED_MAX)
        transport.bufferSize = BUFFERED_MAX
        # Until now the HTTP channel that this socket was upgraded from.
        transport.unregisterProducer()
        transport.registerProducer(self, True)

    def write(self, frame: bytes) -> None:
        """Nothing is sent any more on a socket that is closing."""
        if self._protocol.state == Autobahn.STATE_OPEN:
            self._transport.write(frame)

    # --- What Twisted calls (IPushProducer) ---

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        if not self.clogged:
            self.clogged = True
            self._cut = asyncio.get_running_loop().call_later(
                settings.LIVE_STALLED_SECONDS, self._transport.abortConnection
            )
            # Nor is anything read that would have to be answered.
            self._transport.pauseProducing()

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        self._forget_cut()
        self.clogged = False
        if self._transport.disconnecting:
            self._transport.unregisterProducer()  # which lets it end
        else:
            self._transport.resumeProducing()
            self.on_clear()

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        self._forget_cut()

    def _forget_cut(self) -> None:
        if self._cut:
            self._cut.cancel()
            self._cut = None


def outlet_of(scope: Any) -> Outlet:
    outlet: Outlet = scope["extensions"]["telcox.outlet"]
    return outlet


def _close_with_any_code(self: WebSocketProtocol, code: int | None = None) -> None:
    self.sendCloseFrame(code=1000 if code is None else code)


_create_application = Server.create_application


def _create_application_with_outlet(self: Server, protocol: Any, scope: dict[str, Any]) -> Any:
    if scope["type"] == "websocket":
        scope["extensions"] = {"telcox.outlet": Outlet(protocol)}
    return _create_application(self, protocol, scope)


def extend_daphne() -> None:
    """Once for a process, before it serves.

    - A consumer may close with a code of RFC 6455, such as 1008. Stock daphne takes those for a bug in the
      application and closes with 1011 (django/daphne#374): it closes through a method that autobahn
      restricts to what browsers' scripts may use. The other one is what daphne itself sends 1011 by.
    - A consumer has its socket's Outlet, an ASGI extension.
    """
    WebSocketProtocol.serverClose = _close_with_any_code
    Server.create_application = _create_application_with_outlet
