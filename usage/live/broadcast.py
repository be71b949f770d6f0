"""The one place that sends: a line's new state, to every process that has somebody watching the line.

Called after the commit, from whatever thread served the request, and never waited for: a layer that is slow
or gone costs the network's reports nothing. What is not sent is made good by the hub's comparison with the
database.
"""

import asyncio
import json
import logging
import threading
from collections.abc import Mapping
from typing import Any

from channels.layers import get_channel_layer
from prometheus_client import Counter

from usage.snapshot import Snapshot

logger = logging.getLogger(__name__)

SENT = Counter("telcox_live_published_total", "States handed to the channel layer")
FAILED = Counter("telcox_live_publish_failures_total", "States the channel layer did not take")

# How long the channel layer may take over one message, in seconds, before it counts as gone.
SEND_TIMEOUT = 2.0


def group_of(phone_number: str) -> str:
    return f"usage.{phone_number}"


# `version` and `expired` of a state: the greater one is newer.
Revision = tuple[int, bool]


def revision_of(state: Mapping[str, Any]) -> Revision:
    return state["version"], state["expired"]


def text_of(snapshot: Snapshot) -> str:
    """What the sockets are sent."""
    return json.dumps(snapshot, ensure_ascii=False, separators=(",", ":"))


def message(snapshot: Snapshot) -> dict[str, Any]:
    """What travels: the ready-made text, and what a process must know to place it."""
    return {
        "type": "usage.snapshot",
        "phone_number": snapshot["phone_number"],
        "version": snapshot["version"],
        "expired": snapshot["expired"],
        "text": text_of(snapshot),
    }


class Broadcaster:
    """Hands states to the channel layer from an event loop that lasts.

    A loop per call would mean a Redis connection per call. In a process that has sockets it is their loop
    (the in-memory layer works on no other), elsewhere one in a thread of its own. Of a line that changes
    faster than the layer takes it, the newest state is sent.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pending: dict[str, Snapshot] = {}
        self._draining = False
        self._tasks: set[asyncio.Task[None]] = set()

    def use_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            self._loop = loop
            self._draining = False

    def publish(self, snapshot: Snapshot) -> None:
        with self._lock:
            waiting = self._pending.get(snapshot["phone_number"])
            if waiting is None or waiting["version"] < snapshot["version"]:
                self._pending[snapshot["phone_number"]] = snapshot
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
        while batch := self._take():
            for snapshot in batch.values():
                await self._send(snapshot)

    def _take(self) -> Mapping[str, Snapshot]:
        with self._lock:
            batch, self._pending = self._pending, {}
            self._draining = bool(batch)
            return batch

    async def _send(self, snapshot: Snapshot) -> None:
        layer = get_channel_layer()
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                await layer.group_send(group_of(snapshot["phone_number"]), message(snapshot))
        except Exception as error:  # whatever it is, the event was counted and the next one must be sent
            FAILED.inc()
            logger.warning("channel layer did not take a state: %s", type(error).__name__)
        else:
            SENT.inc()


def _loop_in_a_thread() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="live-broadcast", daemon=True).start()
    return loop


_broadcaster = Broadcaster()
publish = _broadcaster.publish
use_loop = _broadcaster.use_loop
