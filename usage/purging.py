"""Retention: delete old usage events.

Counters, days and alerts are kept: they stand for the deleted events. An event still counts once, although
its key is deleted: the counter has the day before which nothing more is counted (`purged_before`), in the row
that every writer of usage locks. A purge that is killed has deleted some events and refuses them, and
continues when it is run again. Two purges at once take turns.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet

from customers.models import Subscription
from telcox.common.calendar import local_date, midnight
from telcox.common.database.bulk import KEYS_AT_ONCE, chunks
from telcox.common.database.locking import lock_keys
from telcox.common.database.retrying import retry_lost_locks
from telcox.common.errors import DomainError
from usage.ingestion.reports import YEARS
from usage.models import IngestionAnswer, RejectedUsage, UsageCounter, UsageEvent

# Rows deleted in one transaction: enough to be fast, and few enough to hold their locks only briefly.
CHUNK = 5_000
# Periods read at a time, so that memory does not grow with their number.
PERIODS_AT_ONCE = KEYS_AT_ONCE
# Networks send reports again that were not answered, and roaming partners are weeks late. Usage of a purged
# time is rejected, and a repeated report without a time would count as new.
KEPT_AT_LEAST = timedelta(days=31)


@dataclass
class OldEvents:
    """Numbers of events that can be deleted, and of their periods; and of events that are kept, because their
    period is not in `of` (`kept_events`), or because they may still belong to another period (`unsettled`,
    see `_plan`)."""

    periods: int = 0
    events: int = 0
    kept_periods: int = 0
    kept_events: int = 0
    unsettled: int = 0


def require_old_enough(*, before: date, at: datetime) -> None:
    """Raise DomainError for a day that is too recent to be purged, or that is outside the supported years."""
    latest = local_date(at) - KEPT_AT_LEAST
    if before > latest:
        raise DomainError(
            f"Usage must be kept for at least {KEPT_AT_LEAST.days} days: the latest day that can be given "
            f"is {latest}",
            reason="too_recent",
        )
    if before.year not in YEARS:
        raise DomainError(
            f"{before} is before the first usage: there is nothing to delete", reason="no_such_day"
        )


def old_events(*, of: QuerySet[Subscription], before: date) -> OldEvents:
    """Return what `purge_events` would delete, and what it would keep."""
    found = OldEvents()
    for period, events in _with_old_events(before):
        plan = _plan(period, of, before)
        if plan is None:
            found.kept_periods += 1
            found.kept_events += events
            continue
        settled = events
        if plan.until < midnight(before):
            settled = _events_of(period).filter(occurred_at__lt=plan.until).count()
        found.periods += settled > 0
        found.events += settled
        found.unsettled += events - settled
    return found


def purge_events(
    *, of: QuerySet[Subscription], before: date, at: datetime, chunk: int = CHUNK
) -> Iterator[tuple[Subscription, int]]:
    """Delete the events of these periods that happened before that local day, and from then on reject any
    event of that time. Yield after each committed transaction: whose events, and how many.

    Each transaction checks that its period is one of `of`. Raise DomainError if the day is too recent.
    """
    require_old_enough(before=before, at=at)
    for period, _ in _with_old_events(before):
        deleted = chunk
        while deleted == chunk:
            deleted = retry_lost_locks(partial(_purge_some, period, of, before, chunk))
            if deleted:
                yield period, deleted


def answers_to_purge(*, before: date) -> QuerySet[IngestionAnswer]:
    """Return the answers to delete: an Idempotency-Key is not remembered for longer than the events it was
    sent with."""
    return IngestionAnswer.objects.filter(answered_at__lt=midnight(before))


def rejected_to_purge(*, before: date) -> QuerySet[RejectedUsage]:
    """Return the rejected reports to delete. A report that waits and may still be counted is kept, however
    old."""
    return RejectedUsage.objects.filter(received_at__lt=midnight(before)).settled()


def purge_answers(*, before: date, at: datetime, chunk: int = CHUNK) -> Iterator[int]:
    """Delete the answers, and yield the number of deleted rows after each committed transaction. Raise
    DomainError if the day is too recent."""
    require_old_enough(before=before, at=at)
    old = answers_to_purge(before=before).order_by("answered_at")
    while pks := list(old.values_list("pk", flat=True)[:chunk]):
        yield retry_lost_locks(partial(_delete, IngestionAnswer.objects.all(), pks))


def purge_rejected(*, before: date, at: datetime, chunk: int = CHUNK) -> Iterator[int]:
    """Delete the rejected reports, as `purge_answers` does."""
    require_old_enough(before=before, at=at)
    # By the primary key, continuing after the rows that are kept, so that the table is read once.
    old, last = rejected_to_purge(before=before).order_by("pk"), 0
    while pks := list(old.filter(pk__gt=last).values_list("pk", flat=True)[:chunk]):
        yield retry_lost_locks(partial(_delete, RejectedUsage.objects.all(), pks))
        last = pks[-1]


def _with_old_events(before: date) -> Iterator[tuple[Subscription, int]]:
    """Yield the periods that have events from before that day, and how many; the newest period first.

    The caller checks each period separately: databases scan all invoices for a query about many periods.
    """
    newest_first = Subscription.objects.order_by("-pk").only("line", "sequence")
    periods = list(newest_first[:PERIODS_AT_ONCE])
    while periods:
        by_pk = {period.pk: period for period in periods}
        old = UsageEvent.objects.filter(subscription__in=list(by_pk), occurred_at__lt=midnight(before))
        for pk, events in old.order_by("-subscription").values_list("subscription").annotate(Count("pk")):
            yield by_pk[pk], events
        periods = list(newest_first.filter(pk__lt=periods[-1].pk)[:PERIODS_AT_ONCE])


@dataclass(frozen=True)
class _Plan:
    """Plan of purging a period: once the counters `refusing` reject usage from before the day, the period's
    events from before `until` can be deleted."""

    refusing: list[int]
    until: datetime


def _plan(period: Subscription, of: QuerySet[Subscription], before: date) -> _Plan | None:
    """Return the plan for a period, or None if the period is not one of `of`, or has no counter.

    Usage after a period has expired is counted to it until the next period starts. A renewal starts the next
    period as of the moment at which the first expired, and a plan change ends a period as of some seconds
    ago. If an event of the time in between was sent again, it would be counted to the next period. So such an
    event can be deleted only if the next period rejects it as well. Events from after the end of the line's
    last period are kept until there is a next one.
    """
    periods = list(
        Subscription.objects.filter(line=period.line_id, sequence__gte=period.sequence)
        .annotate(going=Exists(of.filter(pk=OuterRef("pk"), usage_counter__isnull=False)))
        .order_by("sequence")
        .values_list("pk", "going", "start_at", "expiration_at", "usage_counter__purged_before")
    )
    if not periods or not periods[0][1]:
        return None
    refusing, until = [period.pk], midnight(before)
    for pk, going, start_at, _, purged_before in periods[1:]:
        if start_at >= until:
            break
        if purged_before is not None and purged_before >= before:
            continue
        if going:
            refusing.append(pk)
        else:
            until = start_at
    return _Plan(refusing, min(until, periods[-1][3]))


@transaction.atomic
def _purge_some(period: Subscription, of: QuerySet[Subscription], before: date, chunk: int) -> int:
    plan = _plan(period, of, before)
    if plan is None:
        return 0
    counters = UsageCounter.objects.filter(pk__in=plan.refusing)
    lock_keys(counters)
    counters.filter(Q(purged_before=None) | Q(purged_before__lt=before)).update(purged_before=before)
    old = _events_of(period).filter(occurred_at__lt=plan.until).order_by("occurred_at")
    deleted = _delete(UsageEvent.objects.all(), list(old.values_list("pk", flat=True)[:chunk]))
    counters.filter(pk=period.pk).update(purged_events=F("purged_events") + deleted)
    return deleted


def _events_of(period: Subscription) -> QuerySet[UsageEvent]:
    return UsageEvent.objects.filter(subscription=period.pk)


@transaction.atomic
def _delete(rows: QuerySet[Any], pks: Sequence[int]) -> int:
    return sum(rows.filter(pk__in=some).delete()[0] for some in chunks(pks))
