"""How many requests of a process compute at once.

Python runs one thread at a time; many that want to are slower together than two (620 summaries a second with
four, 815 with two). But a request that waits, for other requests to be committed with its own or for a slow
BSS, needs no processor. So a process has many threads, two of which are inside at a time, and who waits for
something else steps out meanwhile.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

PLACES = 2

_this_thread = threading.local()


class _Places:
    """Given in the order in which they were asked for, so that nobody waits for long while others pass by."""

    def __init__(self, places: int) -> None:
        self._lock = threading.Lock()
        self._free = places
        self._waiting: deque[threading.Lock] = deque()

    def take(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        turn.acquire()

    def give(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1


_places = _Places(PLACES)


@contextmanager
def inside() -> Iterator[None]:
    _places.take()
    _this_thread.inside = True
    try:
        yield
    finally:
        _this_thread.inside = False
        _places.give()


@contextmanager
def stepped_out() -> Iterator[None]:
    """Lets somebody else in meanwhile. Nothing to do for a thread that is not inside: commands, `live`."""
    if not getattr(_this_thread, "inside", False):
        yield
        return
    _places.give()
    try:
        yield
    finally:
        _places.take()


def gated(application: Callable[..., Any]) -> Callable[..., Any]:
    """The WSGI application, with a limit to how many of its requests compute at once."""

    def call(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        with inside():
            return application(environ, start_response)

    return call
