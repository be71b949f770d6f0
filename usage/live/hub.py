"""The watchers of lines in this process.

The process has one channel of the channel layer, which receives the phone numbers of all changed lines. The
hub reads the states of those that are watched here, all that have changed since the last reading at once, and
gives the same frame to all watchers of a line. With one channel for each socket, three of five messages were
lost at a thousand sockets.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Collection, Coroutine
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings
from django.utils import timezone
from prometheus_client import Gauge

from telcox.common.database.bulk import chunks
from telcox.common.database.retrying import DATABASE_UNAVAILABLE
from usage import broadcast
from usage.live.frames import NOTHING, Revision, State, state_of
from usage.reading import WatchedLine, line_states, watched_lines

logger = logging.getLogger(__name__)

SOCKETS = Gauge("telcox_live_sockets", "Open live-feed sockets", multiprocess_mode="livesum")

# How long a new watcher waits for the process to join the group, in seconds. After that, it is joined in the
# background.
JOIN_TIMEOUT = 2.0
# Pause after a failure of the channel layer, in seconds.
RETRY_SECONDS = 1.0
# How long changes are gathered after a reading of the database, in seconds. If many lines change, dozens are
# read by one query; a single change is read at once.
PAUSE = 0.02


class Watcher(Protocol):
    def offer(self, state: State) -> None:
        """Take a state of the line, ready to be sent. Do not wait. The state may be dropped for a newer
        one."""


class TooManySockets(Exception):
    """The process, or the line (`of_line`), has the most sockets that are allowed."""

    def __init__(self, *, of_line: bool) -> None:
        super().__init__()
        self.of_line = of_line


class Hub:
    def __init__(self) -> None:
        self._layer = get_channel_layer()
        self._sockets = 0
        self._watchers: dict[str, set[Watcher]] = defaultdict(set)
        self._newest: dict[str, Revision] = {}
        self._joined = asyncio.Event()
        self._changed: set[str] = set()
        self._something_changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def watch(self, phone_number: str, watcher: Watcher) -> None:
        """Add a watcher. From the return on, it receives each change of the line's state, at the latest by
        the comparison with the database. Raise TooManySockets."""
        self.require_room(phone_number)
        self._start()
        self._watchers[phone_number].add(watcher)
        self._sockets += 1
        SOCKETS.inc()
        if not self._joined.is_set():
            try:
                await asyncio.wait_for(self._joined.wait(), JOIN_TIMEOUT)
            except (
                TimeoutError
            ):  # the channel layer is not reachable; until it is, the comparison below finds the changes
                logger.warning("channel layer did not answer: group not joined yet")

    def unwatch(self, phone_number: str, watcher: Watcher) -> None:
        watchers = self._watchers.get(phone_number, set())
        if watcher not in watchers:
            return
        watchers.remove(watcher)
        self._sockets -= 1
        SOCKETS.dec()
        if not watchers:
            del self._watchers[phone_number]
            self._newest.pop(phone_number, None)

    def require_room(self, phone_number: str = "") -> None:
        """Raise TooManySockets if there is no room for one more socket, in the process or on this line."""
        if self._sockets >= settings.LIVE_SOCKETS_MAX:
            raise TooManySockets(of_line=False)
        if len(self._watchers.get(phone_number, ())) >= settings.LIVE_SOCKETS_PER_LINE:
            raise TooManySockets(of_line=True)

    def deliver(self, line: WatchedLine) -> None:
        phone_number, state = line.snapshot["phone_number"], state_of(line)
        if phone_number in self._watchers and state.revision > self._newest.get(phone_number, NOTHING):
            self._newest[phone_number] = state.revision
            for watcher in self._watchers[phone_number]:
                watcher.offer(state)

    def _start(self) -> None:
        if not self._tasks:
            broadcast.use_loop(asyncio.get_running_loop())
            works = (self._receive_forever(), self._read_forever(), self._compare_forever())
            self._tasks = [asyncio.create_task(work) for work in works]

    async def _receive_forever(self) -> None:
        channel = None
        while True:
            try:
                channel = channel or await self._layer.new_channel()
                if not self._joined.is_set():
                    await self._layer.group_add(broadcast.GROUP, channel)
                    self._joined.set()
                message = await self._layer.receive(channel)
            except Exception as error:
                logger.warning("channel layer did not answer: %s", type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._note_changed(message["phone_numbers"])

    def _note_changed(self, phone_numbers: Collection[str]) -> None:
        watched = self._watchers.keys() & phone_numbers
        if watched:
            self._changed |= watched
            self._something_changed.set()

    async def _read_forever(self) -> None:
        while True:
            await self._something_changed.wait()
            self._something_changed.clear()
            changed, self._changed = self._changed, set()
            await self._try(self._deliver_states(changed))
            await asyncio.sleep(PAUSE)

    async def _compare_forever(self) -> None:
        while True:
            await asyncio.sleep(settings.LIVE_RESYNC_SECONDS)
            await self._try(self._compare())

    async def _try(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` and log a failure. The next comparison sends the states that were missed."""
        try:
            await work
        except DATABASE_UNAVAILABLE as error:
            logger.warning("live feed could not be read: %s", type(error).__name__)
        except Exception:
            logger.exception("live feed could not be read")

    async def _compare(self) -> None:
        """Send the state of every watched line that changed or expired without a message that reached this
        process."""
        for phone_numbers in chunks(list(self._watchers)):
            states = await database_sync_to_async(line_states)(phone_numbers=phone_numbers, at=timezone.now())
            await self._deliver_states(
                [
                    phone_number
                    for phone_number, revision in states.items()
                    if revision > self._newest.get(phone_number, NOTHING)
                ]
            )

    async def _deliver_states(self, phone_numbers: Collection[str]) -> None:
        for chunk in chunks(list(phone_numbers)):
            lines = await database_sync_to_async(watched_lines)(phone_numbers=chunk, at=timezone.now())
            for line in lines:
                self.deliver(line)


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def current_hub() -> Hub:
    """Return the running loop's hub. A process has one loop, a test suite many."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub()
    return _hubs[loop]
