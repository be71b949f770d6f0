"""Publish which lines changed to every process that has sockets. No other module publishes.

`publish` is called after the commit, in the thread that serves the request, and never blocks: a slow or
missing channel layer does not delay usage reports. The hub's comparison with the database makes up for lost
messages. Only the phone numbers of lines are sent; a process reads the states of the lines that are watched
there. So a line without watchers costs eleven bytes and 0.1 µs in the process that publishes and in each that
has sockets, however much was reported of it; a batch of ten thousand lines costs two messages and 2 ms. If no
process has sockets, Redis drops the message.
"""

import asyncio
import logging
import threading
from collections.abc import Iterable
from typing import Any

from channels.layers import get_channel_layer
from prometheus_client import Counter

from telcox.common.database.bulk import chunks

logger = logging.getLogger(__name__)

SENT = Counter("telcox_live_published_total", "Messages handed to the channel layer")
FAILED = Counter("telcox_live_publish_failures_total", "Messages that the channel layer refused")

# The group of the processes that have sockets.
GROUP = "usage"
# Time-out for sending one message to the channel layer, in seconds.
SEND_TIMEOUT = 2.0
# How long changes are gathered into one message, in seconds: short compared with the latency of a network.
GATHERED = 0.005
# Phone numbers in one message.
TOGETHER = 5_000


def changed_message(phone_numbers: Iterable[str]) -> dict[str, Any]:
    return {"type": "usage.changed", "phone_numbers": list(phone_numbers)}


class Broadcaster:
    """Publisher that hands messages to the channel layer from a long-lived event loop.

    A loop for each call would need a Redis connection for each call. In a process that has sockets it is the
    sockets' loop (the in-memory layer only works there), elsewhere a loop in a thread of its own. A line that
    changes faster than the layer takes messages is named once in each.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pending: set[str] = set()
        self._draining = False
        self._tasks: set[asyncio.Task[None]] = set()

    def use_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            self._loop = loop
            self._draining = False

    def publish(self, phone_numbers: Iterable[str]) -> None:
        with self._lock:
            self._pending.update(phone_numbers)
            if self._loop is None or self._loop.is_closed():
                self._loop = _loop_in_a_thread()
                self._draining = False
            if self._draining:
                return
            self._draining = True
            self._loop.call_soon_threadsafe(self._begin_draining)

    def _begin_draining(self) -> None:
        task = asyncio.ensure_future(self._drain())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drain(self) -> None:
        await asyncio.sleep(GATHERED)
        while changed := self._take():
            for phone_numbers in chunks(changed, TOGETHER):
                await self._send(changed_message(phone_numbers))
            await asyncio.sleep(GATHERED)

    def _take(self) -> list[str]:
        with self._lock:
            changed, self._pending = self._pending, set()
            self._draining = bool(changed)
            return list(changed)

    async def _send(self, changed: dict[str, Any]) -> None:
        layer = get_channel_layer()
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                await layer.group_send(GROUP, changed)
        except Exception as error:  # any error: the usage was counted, and the next change must be published
            FAILED.inc()
            logger.warning("channel layer refused a message: %s", type(error).__name__)
        else:
            SENT.inc()


def _loop_in_a_thread() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="live-broadcast", daemon=True).start()
    return loop


_broadcaster = Broadcaster()
publish = _broadcaster.publish
use_loop = _broadcaster.use_loop
