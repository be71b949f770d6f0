"""Reports that come one by one, counted together.

A commit is waited for, and costs nearly the same for one report as for a hundred. So while one transaction is
under way, what other threads of the process bring waits, and goes into the next: each caller goes on only
when its own reports are durable, and nobody waits for company that may not come.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection

from telcox.common.errors import DATABASE_UNAVAILABLE
from telcox.common.gate import stepped_out
from usage.ingestion.apply import apply_usage
from usage.ingestion.reports import Outcome, UsageReport

# Reports of one transaction; a larger batch is one by itself.
MOST = 500


@dataclass
class _Ticket:
    """What one thread brought. `called` when that is done, or when the thread is to lead the next
    transaction."""

    reports: Sequence[UsageReport]
    at: datetime
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

    def apply(self, *, reports: Sequence[UsageReport], at: datetime) -> list[Outcome]:
        """As `apply_usage`."""
        ticket = _Ticket(reports, at)
        with self._lock:
            self._waiting.append(ticket)
            leads, self._led = not self._led, True
        if not leads:
            with stepped_out():
                ticket.called.wait()
        if not ticket.done:
            self._lead()
        if ticket.error is not None:
            raise ticket.error
        assert ticket.outcomes is not None
        return ticket.outcomes

    def _lead(self) -> None:
        """Counts what waits, the leader's own first; then the first of those who came meanwhile leads."""
        batch = self._take()
        try:
            _count(batch)
        finally:
            with self._lock:
                self._led = bool(self._waiting)
                successor = self._waiting[:1]
            for ticket in [*batch, *successor]:
                ticket.called.set()

    def _take(self) -> list[_Ticket]:
        batch: list[_Ticket] = []
        size = 0
        with self._lock:
            while self._waiting and (not batch or size + len(self._waiting[0].reports) <= MOST):
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
