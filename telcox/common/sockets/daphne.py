"""Extensions of daphne's WebSocket server that the API contract and the live feed need."""

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

# Back-pressure: a reader with more than this many unsent bytes in the process's buffer is behind. The kernel
# buffers about as much again.
BUFFERED_MAX = 16 * 1024
# How many seconds' worth of frames a client may send at once, after a quiet time.
BURST_SECONDS = 5

_CLOSE = 8


def text_frame(text: str) -> bytes:
    """Return a complete, unmasked text message (RFC 6455, section 5.2), to be sent on any number of
    sockets."""
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
    """The sending end of one WebSocket, with back-pressure: it takes complete frames while the reader keeps
    up.

    With daphne, ASGI's own `send` never waits, so it buffers without limit for a reader that is stuck; and it
    makes the frame again for each socket. While `clogged`, the application must not write. `on_clear` is
    called when the reader has caught up; one that does not within LIVE_STALLED_SECONDS is disconnected.
    `on_flood` is called when the peer has sent too many frames; no more of it is read from then on.
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
        # Replaces the producer so far, the HTTP channel from which this socket was upgraded.
        transport.unregisterProducer()
        transport.registerProducer(self, True)

    def write(self, frame: bytes) -> None:
        """Send a frame. Do nothing on a socket that is closing."""
        if self._protocol.state == Autobahn.STATE_OPEN:
            self._transport.write(frame)

    def close(self, code: int, reason: str = "") -> None:
        """Close with any code of RFC 6455, such as 1008. Stock daphne takes such a code for an error of the
        application and closes with 1011 (django/daphne#374)."""
        if self._protocol.state == Autobahn.STATE_OPEN:
            self._protocol.sendCloseFrame(code, reason.encode() or None)

    # --- Called by Twisted (IPushProducer) ---

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        if not self.clogged:
            self.clogged = True
            self._cut = asyncio.get_running_loop().call_later(
                settings.LIVE_STALLED_SECONDS, self._transport.abortConnection
            )
            # Stop reading as well: what the peer sends may need an answer, such as a ping.
            self._transport.pauseProducing()

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        self._forget_cut()
        self.clogged = False
        if self._transport.disconnecting:
            self._transport.unregisterProducer()  # Twisted closes the connection only without a producer
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
    """daphne's WebSocket, with limits on the size and rate of the peer's frames, and pings that do not
    overlap."""

    # RFC 6455: a peer that breaks a rule gets a close frame whose code names the rule. By default, autobahn
    # drops the connection without one.
    failByDrop = False  # noqa: N815 - autobahn's names, here and below
    # How long the peer may take to answer a close frame, in seconds: mobile networks are slow at times.
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
        """Read and drop the data of a peer that broke a rule, so that it can read the close frame."""
        if not self.failedByMe:
            super().dataReceived(data)

    def onFrameBegin(self) -> None:  # noqa: N802
        """Count each frame against the rate limit: messages, parts of messages and pings. Empty parts take
        memory, too."""
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
        """Send a ping unless one is unanswered. autobahn only remembers the last ping: if the interval is
        shorter than the time-out, a slow answer to the first would not count, and its sender would be
        disconnected."""
        if self.autoPingTimeoutCall is None:
            super()._sendAutoPing()


class LiveServer(OrderlyServer):
    """daphne that gives each application its socket's Outlet, as an ASGI extension."""

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        if scope["type"] == "websocket":
            protocol.outlet = Outlet(protocol)
            scope["extensions"] = {"telcox.outlet": protocol.outlet}
        return super().create_application(protocol, scope)


def extend_daphne() -> None:
    """Make `python -m daphne` and `manage.py runserver` use LiveServer and Socket. Call it once in a process,
    before it serves."""
    WebSocketFactory.protocol = Socket
    CommandLineInterface.server_class = RunServer.server_cls = LiveServer
