"""Extensions of daphne's WebSocket server that the contract and the live feed need."""

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any

from autobahn.websocket.protocol import WebSocketProtocol as Autobahn
from daphne.cli import CommandLineInterface
from daphne.management.commands.runserver import Command as RunServer
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from django.conf import settings
from prometheus_client import Counter

from telcox.common.sockets.stopping import SERVICE_RESTART, OrderlyServer, retry_hint
from telcox.common.sockets.token_bucket import TokenBucket

CLOSED = Counter("telcox_live_closed_total", "WebSockets closed by the server, by close code", ["code"])

# What is on its way to one reader, in bytes: more than that in our buffer and it is behind. The system keeps
# about as much again.
BUFFERED_MAX = 16 * 1024
# How many seconds' frames a client may send at once, after a quiet time.
BURST_SECONDS = 5

_CLOSE = 8


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
    reader caught up, and one that does not within LIVE_STALLED_SECONDS is cut off. `on_flood` is called when
    the other end sent too many frames; nothing of it is read from then on.
    """

    def __init__(self, protocol: WebSocketProtocol) -> None:
        self.clogged = False
        self.on_clear: Callable[[], None] = lambda: None
        self.on_flood: Callable[[], None] = lambda: None
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

    def close(self, code: int, reason: str = "") -> None:
        """With any code of RFC 6455, such as 1008. Stock daphne takes those for a bug in the application and
        closes with 1011 (django/daphne#374)."""
        if self._protocol.state == Autobahn.STATE_OPEN:
            self._protocol.sendCloseFrame(code, reason.encode() or None)

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


class Socket(WebSocketProtocol):
    """daphne's WebSocket, on which what the other end sends is bounded, and its silence, too."""

    # RFC 6455: whoever breaks a rule is told by a close frame's code which one. By default autobahn drops
    # the connection without a word.
    failByDrop = False  # noqa: N815 - autobahn's names, here and below
    # How long the other end may take to answer a close frame, in seconds: a phone's network is slow at times.
    closeHandshakeTimeout = 3  # noqa: N815

    outlet: Outlet | None = None

    def __init__(self) -> None:
        super().__init__()
        self.maxMessagePayloadSize = self.maxFramePayloadSize = settings.LIVE_MESSAGE_BYTES
        rate = settings.LIVE_MESSAGES_PER_SECOND
        self._frames = TokenBucket(rate=rate, burst=max(1, rate * BURST_SECONDS), at=time.monotonic())

    def onOpen(self) -> None:  # noqa: N802
        super().onOpen()
        if self.server.stopping:
            self.close_for_restart()

    def close_for_restart(self) -> None:
        if self.state == Autobahn.STATE_OPEN and self.outlet:
            self.outlet.close(SERVICE_RESTART, retry_hint())

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        """Read and drop data from a peer that broke a rule, so that the peer can read our close frame."""
        if not self.failedByMe:
            super().dataReceived(data)

    def onFrameBegin(self) -> None:  # noqa: N802
        """Each frame counts: a message, a part of one, a ping. Parts that are empty fill memory, too."""
        if self.current_frame.opcode != _CLOSE and not self._frames.take(time.monotonic()):
            self.failedByMe = True
            self.data = b""
            if self.outlet:
                self.outlet.on_flood()
        super().onFrameBegin()

    def sendCloseFrame(self, code: int | None = None, *reason: Any, **how: Any) -> None:  # noqa: N802
        if self.state == Autobahn.STATE_OPEN and not how.get("isReply"):
            CLOSED.labels(code).inc()
        super().sendCloseFrame(code, *reason, **how)

    def _sendAutoPing(self) -> None:  # noqa: N802
        """Not while another ping is unanswered. autobahn would know the later one only: with pings that are
        less apart than an answer may take, a slow answer to the first would not count, and the end that gave
        it would be cut off."""
        if self.autoPingTimeoutCall is None:
            super()._sendAutoPing()


class LiveServer(OrderlyServer):
    """daphne whose applications have their socket's Outlet, an ASGI extension."""

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        if scope["type"] == "websocket":
            protocol.outlet = Outlet(protocol)
            scope["extensions"] = {"telcox.outlet": protocol.outlet}
        return super().create_application(protocol, scope)


def extend_daphne() -> None:
    """Once for a process, before it serves: `python -m daphne` and `manage.py runserver` are ours then."""
    WebSocketFactory.protocol = Socket
    CommandLineInterface.server_class = RunServer.server_cls = LiveServer
