"""Admission: limit how many requests of a process compute at once, and shed the load that is beyond it
(back-pressure).

Python runs one thread at a time; many busy threads are slower together than two (620 summaries a second with
four, 815 with two). But a request that waits, for a group commit or for a slow BSS, needs no processor. So a
process has many threads, of which two compute at a time, and a thread that waits for something else gives up
its place meanwhile.

If requests come faster than they are done, because the database is slow, the queue must not grow until no
client gets an answer in time. A request waits for at most QUEUE_WAIT_SECONDS, including its wait at the
proxy. And once a request has been waiting for QUEUE_BEHIND_SECONDS, every new one is refused at once: the
threads are soon free again, a queue of hundreds is refused within a moment, and the operator's probes, which
need no place, are answered. A refusal costs no database and no Django.
"""

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from time import monotonic, time
from typing import Any

from django.conf import settings
from prometheus_client import Counter

from telcox.common.errors import TooBusy
from telcox.common.web.parsers import drain_body
from telcox.common.web.problems import CONTENT_TYPE, RETRY_AFTER_SECONDS, problem_document

REFUSED = Counter(
    "telcox_requests_refused_total", "Requests refused under overload (load shedding)", ["queue", "why"]
)

PLACES = 2
# Health checks and metrics must be answered especially when the process is busy.
PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
# In seconds. No proxy waits for so long: a request that seems older came from a proxy whose clock is wrong.
OLDEST = 60.0

_this_thread = threading.local()


def too_busy(queue: str, why: str) -> TooBusy:
    """Count a refusal, and return the error to raise before the request has changed anything. `why` is
    `waited` if it waited too long, or `behind` if it was refused at once because others wait too long."""
    REFUSED.labels(queue, why).inc()
    return TooBusy("Too many requests are waiting. Nothing was changed: try again later")


class _Turn:
    def __init__(self) -> None:
        self.asked_at = monotonic()
        self.given = threading.Lock()
        self.given.acquire()


class _Places:
    """Places, given in the order of the requests (first in, first out), so that none waits long while others
    overtake it."""

    def __init__(self, places: int) -> None:
        self._lock = threading.Lock()
        self._free = places
        self._waiting: deque[_Turn] = deque()
        # Since when the first request in the queue has been waiting. One that gave up counts until a place is
        # given.
        self._kept_waiting_since: float | None = None

    def take(self, seconds: float) -> bool:
        """Wait for a place. Return whether there was one within that time."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            turn = _Turn()
            self._waiting.append(turn)
            self._kept_waiting_since = self._kept_waiting_since or turn.asked_at
        if turn.given.acquire(timeout=max(0.0, seconds)):
            return True
        with self._lock:
            if turn.given.acquire(blocking=False):  # given between the time-out and the lock
                return True
            self._waiting.remove(turn)
            return False

    def give(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().given.release()
            else:
                self._free += 1
            self._kept_waiting_since = self._waiting[0].asked_at if self._waiting else None

    def behind(self) -> float:
        """Return for how many seconds the first request has been waiting. One that gave up counts until a
        place is given."""
        since = self._kept_waiting_since
        return monotonic() - since if since else 0.0


_places = _Places(PLACES)


@contextmanager
def admitted(*, waited: float = 0.0) -> Iterator[None]:
    """Hold a place for the block. Raise TooBusy. `waited` is for how many seconds the request had been
    waiting when it arrived."""
    if _places.behind() > settings.QUEUE_BEHIND_SECONDS:
        raise too_busy("gate", "behind")
    if not _places.take(settings.QUEUE_WAIT_SECONDS - waited):
        raise too_busy("gate", "waited")
    _this_thread.inside = True
    try:
        yield
    finally:
        _leave()


@contextmanager
def stepped_out() -> Iterator[None]:
    """Give the place to another request for the block. Does nothing in a thread without a place: commands,
    `live`.

    A request that returns is never refused, because work was done for it. If no place becomes free soon, it
    continues without one: the requests inside wait for something, too, and it has little left to compute.
    """
    if not getattr(_this_thread, "inside", False):
        yield
        return
    _leave()
    try:
        yield
    finally:
        _this_thread.inside = _places.take(settings.QUEUE_BEHIND_SECONDS)


def _leave() -> None:
    if _this_thread.inside:
        _this_thread.inside = False
        _places.give()


def with_admission(application: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a WSGI application with a limit on how many of its requests compute at once, and on how long a
    request waits for that; then it is answered with 503 and Retry-After."""

    def call(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        if environ.get("PATH_INFO") in PROBES:
            return application(environ, start_response)
        try:
            with admitted(waited=_waited(environ)):
                return application(environ, start_response)
        except TooBusy as refusal:
            return _refused(refusal, environ, start_response)

    return call


def _waited(environ: dict[str, Any]) -> float:
    """Return the seconds since the proxy passed the request on (`X-Request-Start: t=1764000000.123`)."""
    try:
        waited = time() - float(environ.get("HTTP_X_REQUEST_START", "").removeprefix("t="))
    except ValueError:
        return 0.0
    return waited if 0.0 < waited < OLDEST else 0.0


def _refused(refusal: TooBusy, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    # If the body is left unread, the server closes the connection and the client does not see the answer.
    drain_body(environ["wsgi.input"])
    body = json.dumps(problem_document(refusal.status, refusal.detail, reason=refusal.reason)).encode()
    headers = {
        "Content-Type": CONTENT_TYPE,
        "Content-Length": str(len(body)),
        "Retry-After": RETRY_AFTER_SECONDS,
    }
    start_response(f"{refusal.status} {HTTPStatus(refusal.status).phrase}", list(headers.items()))
    return [body]
