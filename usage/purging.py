"""Old usage, deleted once nobody asks for its single events any more.

Counters, days and alerts stay: they stand for the events that are gone. That an event counts once stays true,
too, although its key is forgotten: the counter it was added to says before which day nothing is counted any
more (`purged_before`), in the row that whoever counts has to lock. So a purge that is killed has deleted some
events and refuses them, and goes on where it stopped when it is run again; two at once take turns.
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
from telcox.common.database.retrying import retry_lost_locks
from telcox.common.errors import DomainError
from usage.ingestion.reports import YEARS
from usage.models import IngestionAnswer, RejectedUsage, UsageCounter, UsageEvent

# Rows deleted by one transaction: enough to be quick, few enough to hold their locks briefly.
CHUNK = 5_000
# Periods looked through at a time: memory stays the same however many there are.
PERIODS_AT_ONCE = KEYS_AT_ONCE
# Networks send again what was not answered, and roaming partners are weeks late. What is purged before they
# have done so is refused, and a repeated report that does not say when it happened would be taken as new.
KEPT_AT_LEAST = timedelta(days=31)


@dataclass
class OldEvents:
    """How many events can go, and of how many periods; and how many are kept: of periods that nobody gave
    away (`kept_events`), or because they may yet belong to another period (`unsettled`, see `_plan`)."""

    periods: int = 0
    events: int = 0
    kept_periods: int = 0
    kept_events: int = 0
    unsettled: int = 0


def require_old_enough(*, before: date, at: datetime) -> None:
    """Raises DomainError for a day before which nothing may be purged yet, and one of no calendar of ours."""
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
    """What `purge_events` would delete, and what it would keep."""
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
    """Deletes the events of these periods that happened before that local day, and from then on refuses any
    that did. Each committed transaction is one step: whose events, and how many.

    Whether a period is one of `of` is asked in each transaction. Raises DomainError if the day is too
    recent.
    """
    require_old_enough(before=before, at=at)
    for period, _ in _with_old_events(before):
        deleted = chunk
        while deleted == chunk:
            deleted = retry_lost_locks(partial(_purge_some, period, of, before, chunk))
            if deleted:
                yield period, deleted


def answers_to_purge(*, before: date) -> QuerySet[IngestionAnswer]:
    """An Idempotency-Key is not remembered for longer than the events it was sent with."""
    return IngestionAnswer.objects.filter(answered_at__lt=midnight(before))


def rejected_to_purge(*, before: date) -> QuerySet[RejectedUsage]:
    """What waits and may be counted yet is kept, however old."""
    return RejectedUsage.objects.filter(received_at__lt=midnight(before)).settled()


def purge_answers(*, before: date, at: datetime, chunk: int = CHUNK) -> Iterator[int]:
    """Each committed transaction is one step: how many it deleted. Raises DomainError if the day is too
    recent."""
    require_old_enough(before=before, at=at)
    old = answers_to_purge(before=before).order_by("answered_at")
    while pks := list(old.values_list("pk", flat=True)[:chunk]):
        yield retry_lost_locks(partial(_delete, IngestionAnswer.objects.all(), pks))


def purge_rejected(*, before: date, at: datetime, chunk: int = CHUNK) -> Iterator[int]:
    """As `purge_answers`."""
    require_old_enough(before=before, at=at)
    # By the primary key and past those that stay, so that the table is gone through once.
    old, last = rejected_to_purge(before=before).order_by("pk"), 0
    while pks := list(old.filter(pk__gt=last).values_list("pk", flat=True)[:chunk]):
        yield retry_lost_locks(partial(_delete, RejectedUsage.objects.all(), pks))
        last = pks[-1]


def _with_old_events(before: date) -> Iterator[tuple[Subscription, int]]:
    """The periods that have events of before that day, and how many; the newest period first.

    Whose they are is asked of each by itself, because asked of many at once, databases go through all the
    invoices there are.
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
    """Once these counters refuse what happened before the day, the period's events of before `until` can
    go."""

    refusing: list[int]
    until: datetime


def _plan(period: Subscription, of: QuerySet[Subscription], before: date) -> _Plan | None:
    """None if the period is none of `of`, or nothing is counted of it.

    A period that ran out takes what happens until the next is begun; and a renewal begins it as of when the
    first ran out. A plan that is changed ends its period as of some seconds ago. What came in between, sent
    again, would come to the next: it can go only if that refuses it as well. And what happened since the
    line's last period ran out stays until there is a next one.
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
    list(counters.select_for_update().order_by("pk").values_list("pk"))
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
