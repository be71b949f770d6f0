"""Reports that come one by one, counted together.

A commit is waited for, and costs nearly the same for one report as for a hundred. So while one transaction is
under way, what other threads of the process bring waits, and goes into the next: each caller goes on only
when its own reports are durable, and nobody waits for company that may not come.

Nor does anybody wait for long: what was not taken into a transaction within QUEUE_WAIT_SECONDS is withdrawn,
and while one takes longer than QUEUE_BEHIND_SECONDS nothing more is let in (see telcox.common.web.admission).
What was taken may be counted, so it waits for its transaction's end.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic

from django.conf import settings
from django.db import connection

from telcox.common.database.retrying import DATABASE_UNAVAILABLE
from telcox.common.web.admission import stepped_out, too_busy
from usage.ingestion.apply import apply_usage
from usage.ingestion.reports import Outcome, UsageReport

# Reports of one transaction; a larger batch is one by itself.
MOST = 500
# The part of a process's threads that may hang on one transaction: the others are free to say that it hangs.
MOST_THREADS = 0.75


@dataclass(eq=False)
class _Ticket:
    """What one thread brought. `called` when that is done, or when the thread is to lead the next
    transaction."""

    reports: Sequence[UsageReport]
    at: datetime
    brought_at: float = field(default_factory=monotonic)
    called: threading.Event = field(default_factory=threading.Event)
    outcomes: list[Outcome] | None = None
    error: Exception | None = None

    @property
    def done(self) -> bool:
        return self.outcomes is not None or self.error is not None


class Together:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[_Ticket] = []
        self._led = False
        # When the transaction under way was begun.
        self._begun_at = 0.0

    def apply(self, *, reports: Sequence[UsageReport], at: datetime) -> list[Outcome]:
        """As `apply_usage`. Raises TooBusy, too: then nothing was counted."""
        ticket = _Ticket(reports, at)
        with self._lock:
            if self._behind() > settings.QUEUE_BEHIND_SECONDS:
                raise too_busy("transaction", "behind")
            self._waiting.append(ticket)
            leads, self._led = not self._led, True
            if leads:
                self._begun_at = monotonic()
        if not leads:
            with stepped_out():
                self._wait(ticket)
        if not ticket.done:
            self._lead()
        if ticket.error is not None:
            raise ticket.error
        assert ticket.outcomes is not None
        return ticket.outcomes

    def _behind(self) -> float:
        """For how many seconds the transaction under way, or the first who waits for the next, has been."""
        since = [self._begun_at] if self._led else []
        since += [ticket.brought_at for ticket in self._waiting[:1]]
        return monotonic() - min(since) if since else 0.0

    def _wait(self, ticket: _Ticket) -> None:
        if ticket.called.wait(settings.QUEUE_WAIT_SECONDS):
            return
        with self._lock:
            # Who was called meanwhile leads: to go now would leave the others without anybody who does.
            if ticket in self._waiting and not ticket.called.is_set():
                self._waiting.remove(ticket)
                raise too_busy("transaction", "waited")
        ticket.called.wait()

    def _lead(self) -> None:
        """Counts what waits, the leader's own first; then the first of those who came meanwhile leads."""
        batch = self._take()
        try:
            _count(batch)
        finally:
            with self._lock:
                self._led = bool(self._waiting)
                self._begun_at = monotonic()
                for successor in self._waiting[:1]:
                    successor.called.set()
            for ticket in batch:
                ticket.called.set()

    def _take(self) -> list[_Ticket]:
        batch: list[_Ticket] = []
        size, most_tickets = 0, max(1, int(settings.WEB_THREADS * MOST_THREADS))
        with self._lock:
            while self._waiting and len(batch) < most_tickets:
                if batch and size + len(self._waiting[0].reports) > MOST:
                    break
                ticket = self._waiting.pop(0)
                batch.append(ticket)
                size += len(ticket.reports)
        return batch


def _count(batch: Sequence[_Ticket]) -> None:
    try:
        outcomes = iter(
            apply_usage(
                reports=[report for ticket in batch for report in ticket.reports],
                at=max(ticket.at for ticket in batch),
            )
        )
    except DATABASE_UNAVAILABLE as error:
        for ticket in batch:
            ticket.error = error
    except Exception as error:
        if len(batch) == 1:
            batch[0].error = error
        else:  # one of them is beyond us: the others shall not pay for it
            for ticket in batch:
                _count([ticket])
    else:
        for ticket in batch:
            ticket.outcomes = [next(outcomes) for _ in ticket.reports]


_together = Together()


def apply_together(*, reports: Sequence[UsageReport], at: datetime) -> list[Outcome]:
    """As `apply_usage`, for what comes in small numbers from many at once."""
    if len(reports) > MOST or connection.in_atomic_block:
        return apply_usage(reports=reports, at=at)
    return _together.apply(reports=reports, at=at)
