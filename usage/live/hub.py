"""Everybody in this process who watches a line.

The process has one channel of the channel layer, which joins the group of each line that somebody here
watches. A message is taken from the layer once and handed to the line's watchers as it is: a channel per
socket has been measured to lose three messages in five at a thousand sockets.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings
from django.utils import timezone
from prometheus_client import Gauge

from telcox.common.daphne import text_frame
from telcox.common.errors import DATABASE_UNAVAILABLE, NotFound
from usage.live import broadcast
from usage.live.broadcast import Revision
from usage.services import line_snapshot, line_states

logger = logging.getLogger(__name__)

SOCKETS = Gauge("telcox_live_sockets", "Open live-feed sockets", multiprocess_mode="livesum")

# How long joining a group may keep a new watcher waiting, in seconds. A feed that could not be joined is
# joined later.
JOIN_TIMEOUT = 2.0
# Lines compared with the database in one query.
COMPARED_AT_ONCE = 1_000


# Older than every state there is.
NOTHING: Revision = (0, False)


class Watcher(Protocol):
    def offer(self, revision: Revision, frame: bytes) -> None:
        """Takes a state of the line, ready to be sent; never waits, and may drop it for a newer one."""


class Hub:
    def __init__(self) -> None:
        self._layer = get_channel_layer()
        self._channel: str | None = None
        self._watchers: dict[str, set[Watcher]] = defaultdict(set)
        self._newest: dict[str, Revision] = {}
        self._joined: set[str] = set()
        self._joining = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    async def watch(self, phone_number: str, watcher: Watcher) -> None:
        """From the return on, no state of the line passes the watcher by for good."""
        self._start()
        self._watchers[phone_number].add(watcher)
        SOCKETS.inc()
        await self._settle(phone_number)

    async def unwatch(self, phone_number: str, watcher: Watcher) -> None:
        watchers = self._watchers.get(phone_number, set())
        if watcher not in watchers:
            return
        watchers.remove(watcher)
        SOCKETS.dec()
        if not watchers:
            del self._watchers[phone_number]
            self._newest.pop(phone_number, None)
            await self._settle(phone_number)

    def deliver(self, message: Mapping[str, Any]) -> None:
        phone_number, revision = message["phone_number"], broadcast.revision_of(message)
        if phone_number in self._watchers and revision >= self._newest.get(phone_number, NOTHING):
            self._newest[phone_number] = revision
            frame = text_frame(message["text"])
            for watcher in self._watchers[phone_number]:
                watcher.offer(revision, frame)

    def _start(self) -> None:
        if not self._tasks:
            broadcast.use_loop(asyncio.get_running_loop())
            self._tasks = [asyncio.create_task(self._receive()), asyncio.create_task(self._compare_forever())]

    async def _settle(self, phone_number: str) -> None:
        """Joins or leaves the line's group, as there is somebody watching or not."""
        try:
            async with asyncio.timeout(JOIN_TIMEOUT), self._joining:
                if self._channel is None:
                    self._channel = await self._layer.new_channel()
                wanted, joined = phone_number in self._watchers, phone_number in self._joined
                if wanted and not joined:
                    await self._layer.group_add(broadcast.group_of(phone_number), self._channel)
                    self._joined.add(phone_number)
                elif joined and not wanted:
                    self._joined.discard(phone_number)
                    await self._layer.group_discard(broadcast.group_of(phone_number), self._channel)
        except (
            Exception
        ) as error:  # the layer is away; the comparison below keeps the feed right until it is back
            logger.warning("channel layer did not answer: %s", type(error).__name__)

    async def _receive(self) -> None:
        while True:
            if self._channel is None:
                await asyncio.sleep(0.05)
                continue
            try:
                self.deliver(await self._layer.receive(self._channel))
            except Exception as error:
                logger.warning("channel layer did not answer: %s", type(error).__name__)
                await asyncio.sleep(1)

    async def _compare_forever(self) -> None:
        while True:
            await asyncio.sleep(settings.LIVE_RESYNC_SECONDS)
            try:
                for phone_number in set(self._watchers) - self._joined:
                    await self._settle(phone_number)
                await self._compare(timezone.now())
            except DATABASE_UNAVAILABLE as error:
                logger.warning("live feed not compared: %s", type(error).__name__)
            except Exception:
                logger.exception("live feed not compared")

    async def _compare(self, at: datetime) -> None:
        """Sends the state of every watched line that changed, or expired, without a message reaching us."""
        watched = list(self._watchers)
        for start in range(0, len(watched), COMPARED_AT_ONCE):
            phone_numbers = watched[start : start + COMPARED_AT_ONCE]
            states = await database_sync_to_async(line_states)(phone_numbers=phone_numbers, at=at)
            for phone_number, revision in states.items():
                if revision > self._newest.get(phone_number, NOTHING):
                    await self._deliver_state(phone_number, at)

    async def _deliver_state(self, phone_number: str, at: datetime) -> None:
        try:
            snapshot = await database_sync_to_async(line_snapshot)(phone_number=phone_number, at=at)
        except NotFound:
            return
        self.deliver(broadcast.message(snapshot))


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """The running loop's hub; a process has one loop, a test suite many."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub()
    return _hubs[loop]
