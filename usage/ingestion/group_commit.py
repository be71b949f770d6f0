"""Group commit: count reports of many small requests in one transaction.

A commit takes nearly the same time for one report as for a hundred. So while one transaction is in progress,
the reports of other threads of the process wait and go into the next one. Each caller continues only when its
own reports are durable, and no caller waits for others that may not come.

The wait is limited (load shedding). Reports that are not taken into a transaction within QUEUE_WAIT_SECONDS
are withdrawn, and while a transaction takes longer than QUEUE_BEHIND_SECONDS further reports are refused (see
telcox.common.web.admission). Reports that were taken may be counted, so they wait for the end of their
transaction.
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

# Most reports in one transaction; a larger batch has a transaction of its own.
MOST = 500
# Share of a process's threads that may wait for one transaction; the others stay free to refuse requests.
MOST_THREADS = 0.75


@dataclass(eq=False)
class _Ticket:
    """Reports of one thread. `called` is set when they are done, or when the thread is to run the next
    transaction (to lead it)."""

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
        # Start of the transaction in progress.
        self._begun_at = 0.0

    def apply(self, *, reports: Sequence[UsageReport], at: datetime) -> list[Outcome]:
        """Count reports as `apply_usage` does. Raise TooBusy, too: then nothing was counted."""
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
        """Return for how many seconds the transaction in progress has been running or the first ticket has
        been waiting, whichever is longer."""
        since = [self._begun_at] if self._led else []
        since += [ticket.brought_at for ticket in self._waiting[:1]]
        return monotonic() - min(since) if since else 0.0

    def _wait(self, ticket: _Ticket) -> None:
        if ticket.called.wait(settings.QUEUE_WAIT_SECONDS):
            return
        with self._lock:
            # A thread that was called meanwhile has to lead: if it gave up, no thread would count the others.
            if ticket in self._waiting and not ticket.called.is_set():
                self._waiting.remove(ticket)
                raise too_busy("transaction", "waited")
        ticket.called.wait()

    def _lead(self) -> None:
        """Count the waiting reports, the leader's own first; then the first of those that came meanwhile
        leads."""
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
        else:  # one of them fails: the others are counted without it
            for ticket in batch:
                _count([ticket])
    else:
        for ticket in batch:
            ticket.outcomes = [next(outcomes) for _ in ticket.reports]


_together = Together()


def apply_together(*, reports: Sequence[UsageReport], at: datetime) -> list[Outcome]:
    """Count reports as `apply_usage` does, in a transaction shared with other requests."""
    if len(reports) > MOST or connection.in_atomic_block:
        return apply_usage(reports=reports, at=at)
    return _together.apply(reports=reports, at=at)
