"""Graceful stop of a process with sockets: no request or message is cut off in the middle.

When stock daphne is asked to stop, it cancels every request and drops every socket at once.
"""

import asyncio
import json
import logging
import os
import random
import signal
import threading
from collections.abc import Callable
from typing import Any

from daphne.server import Server
from daphne.ws_protocol import WebSocketProtocol
from django.conf import settings
from twisted.internet.defer import Deferred

logger = logging.getLogger(__name__)

# Close code "Service Restart" of the registry of RFC 6455: the client may reconnect.
SERVICE_RESTART = 1012
# Interval of checking whether all is done, in seconds. It is also the shortest wait, in which requests are
# read that reached this machine before the process stopped listening.
LOOK_SECONDS = 0.05
# How many sockets are closed before other tasks of the event loop have their turn.
CLOSED_AT_ONCE = 100


def retry_hint() -> str:
    """Return a close frame's reason, for programs: the seconds after which to reconnect. Drawn at random for
    each socket, so that clients do not all reconnect at once."""
    return json.dumps({"retry_after": round(random.uniform(1, settings.LIVE_RETRY_SECONDS), 1)})  # noqa: S311


class OrderlyServer(Server):
    """daphne with a graceful stop. On SIGTERM or SIGINT it stops listening, closes its sockets with 1012 and
    answers the requests in progress. After LIVE_STOP_SECONDS, the rest is cut off and the exit code is 1. A
    second signal ends it at once."""

    stopping = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._ports: list[Any] = []
        # Transports of requests that are the last of their connection: sending the answer may take a while.
        self._last_transports: set[Any] = set()

    def listen_success(self, port: Any) -> None:
        self._ports.append(port)
        super().listen_success(port)

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        if self.stopping and not isinstance(protocol, WebSocketProtocol):
            self._make_last(protocol)
        return super().create_application(protocol, scope)

    def kill_all_applications(self) -> Any:
        """Stop, as daphne does before Twisted's reactor ends; the reactor waits for it."""
        _let_the_next_signal_kill()
        return Deferred.fromFuture(asyncio.ensure_future(self._stop()))

    async def _stop(self) -> None:
        now = asyncio.get_running_loop().time
        deadline = now() + settings.LIVE_STOP_SECONDS
        self.stopping = True  # from here on, sockets that open are closed at once (Socket.onOpen)
        for port in self._ports:
            port.stopListening()
        for request in self._open(lambda protocol: not isinstance(protocol, WebSocketProtocol)):
            self._make_last(request)
        for number, socket in enumerate(self._open(lambda protocol: isinstance(protocol, WebSocketProtocol))):
            socket.close_for_restart()
            if number % CLOSED_AT_ONCE == 0:
                await asyncio.sleep(0)
        await asyncio.sleep(LOOK_SECONDS)
        while unfinished := self._unfinished():
            if now() > deadline:
                logger.warning("stopped with %d connections unfinished", unfinished)
                # A normal exit would wait without limit for threads that still work for them.
                os._exit(1)
            await asyncio.sleep(LOOK_SECONDS)
        await self._end_applications()

    def _open(self, wanted: Callable[[Any], bool]) -> list[Any]:
        """Return daphne's requests and sockets that have not ended."""
        return [
            protocol
            for protocol, details in self.connections.items()
            if "disconnected" not in details and wanted(protocol)
        ]

    def _make_last(self, request: Any) -> None:
        """Close the request's connection after the answer."""
        if request.channel is None:  # its client has gone
            return
        request.channel.persistent = False
        request.responseHeaders.setRawHeaders(b"connection", [b"close"])
        self._last_transports.add(request.channel.transport)

    def _unfinished(self) -> int:
        sending = sum(bool(transport.connected) for transport in self._last_transports)
        return sending or len(self._open(lambda _: True))

    async def _end_applications(self) -> None:
        """End the applications whose peer is gone."""
        running = [details.get("application_instance") for details in self.connections.values()]
        left = [application for application in running if application and not application.done()]
        for application in left:
            application.cancel()
        if left:
            await asyncio.wait(left, timeout=1)


def _let_the_next_signal_kill() -> None:
    if threading.current_thread() is threading.main_thread():  # other threads cannot set signal handlers
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
