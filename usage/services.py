"""What may happen to usage."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import IntegrityError, transaction

from customers.models import Line, LineStatus, Subscription
from telcox.common.errors import DomainError, NotFound, Unprocessable
from usage.counting import add_usage, insert_event
from usage.live import broadcast
from usage.models import COUNTER_FIELDS, COUNTER_MAX, Category, UsageCounter, UsageEvent
from usage.periods import Period, current_period
from usage.snapshot import Snapshot, build_snapshot, snapshot_version

NO_PLAN = "No active data plan for this phone_number"


@dataclass(frozen=True)
class RecordedUsage:
    """What became of a reported event: counted just now, or (`duplicate`) counted already; and the state
    after it."""

    event_id: str
    duplicate: bool
    snapshot: Snapshot


def record_usage(
    *,
    phone_number: str,
    category: Category,
    quantity: int,
    source: str,
    at: datetime,
    event_id: str | None = None,
    occurred_at: datetime | None = None,
) -> RecordedUsage:
    """Counts one event once: writes it, adds it to the counter of the line's current period, tells who is
    watching.

    `phone_number` is national; `quantity` is in bytes, seconds (VOICE) or messages (SMS). Without
    `event_id` the event is taken as new and gets one. A period that has run out and was not renewed still
    counts, as in the original.

    Raises NotFound (unknown line, or none of its plans ever began), DomainError (line not in service, or
    the same event with other content), Unprocessable (the counter cannot hold it). Then nothing was
    changed.
    """
    period = _countable_period(phone_number)
    event = UsageEvent(
        source=source,
        event_id=event_id or uuid.uuid4().hex,
        subscription_id=period.subscription_id,
        category=category,
        quantity=quantity,
        occurred_at=occurred_at or at,
        ingested_at=at,
    )
    try:
        snapshot = _count(event, period, at)
    except IntegrityError as error:
        _require_same_as_recorded(event, period, cause=error)
        return RecordedUsage(event.event_id, True, line_snapshot(phone_number=phone_number, at=at))
    return RecordedUsage(event.event_id, False, snapshot)


@transaction.atomic
def _count(event: UsageEvent, period: Period, at: datetime) -> Snapshot:
    insert_event(event)
    used = add_usage(period.subscription_id, COUNTER_FIELDS[Category(event.category)], event.quantity)
    snapshot = _snapshot(replace(period, used=used, changes=used["version"]), at)
    transaction.on_commit(lambda: broadcast.publish(snapshot))
    return snapshot


def line_snapshot(*, phone_number: str, at: datetime) -> Snapshot:
    """What the line used of its current period. Raises NotFound for a line without one, or no line at all."""
    period = current_period(phone_number)
    if period is None:
        raise NotFound(NO_PLAN, reason="no_subscription")
    return _snapshot(period, at)


def line_states(*, phone_numbers: Iterable[str], at: datetime) -> dict[str, tuple[int, bool]]:
    """`version` and `expired` of each line's snapshot at `at`: when either grows, there is something new to
    show. Lines without a period are left out."""
    current = Subscription.objects.current().filter(line__phone_number__in=phone_numbers)
    rows = current.values_list("line__phone_number", "sequence", "usage_counter__version", "expiration_at")
    return {
        phone_number: (snapshot_version(sequence, changes or 0), expiration_at <= at)
        for phone_number, sequence, changes, expiration_at in rows
    }


def _countable_period(phone_number: str) -> Period:
    period = current_period(phone_number)
    if period is None:
        known = Line.objects.filter(phone_number=phone_number).exists()
        raise NotFound(NO_PLAN, reason="no_subscription" if known else "unknown_line")
    if period.line_status == LineStatus.SUSPENDED:
        raise DomainError("The line is suspended", reason="line_suspended")
    if period.line_status == LineStatus.TERMINATED:
        raise DomainError("The line is terminated", reason="line_terminated")
    return period


def _require_same_as_recorded(event: UsageEvent, period: Period, *, cause: IntegrityError) -> None:
    """Passes if the event's key is taken by the very same event."""
    recorded = (
        UsageEvent.objects.filter(source=event.source, event_id=event.event_id)
        .select_related("subscription")
        .first()
    )
    if recorded is None:
        field = COUNTER_FIELDS[Category(event.category)]
        room = {f"{field}__lte": COUNTER_MAX - event.quantity}
        if UsageCounter.objects.filter(pk=event.subscription_id).exclude(**room).exists():
            raise Unprocessable("The line's counter cannot hold this much", reason="counter_full") from cause
        raise cause
    same = (
        recorded.subscription.line_id == period.line_id
        and recorded.category == event.category
        and recorded.quantity == event.quantity
    )
    if not same:
        raise DomainError("Another event has this source and event_id", reason="event_conflict") from cause


def _snapshot(period: Period, at: datetime) -> Snapshot:
    return build_snapshot(
        phone_number=period.phone_number,
        client_full_name=period.client_full_name,
        plan_id=period.subscription_id,
        sequence=period.sequence,
        limit_bytes=period.limit_bytes,
        expiration_at=period.expiration_at,
        used=period.used,
        changes=period.changes,
        at=at,
    )
