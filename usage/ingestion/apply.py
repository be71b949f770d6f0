"""Count usage. All usage (REST, files, redrive) goes through `apply_usage`."""

import uuid
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import cast

from django.db import IntegrityError, transaction
from prometheus_client import Counter as Metric

from telcox.common.calendar import LocalDates, local_date
from telcox.common.database.bulk import chunks
from telcox.common.database.retrying import retry_lost_locks
from usage import broadcast
from usage.ingestion.alerts import crossed_thresholds
from usage.ingestion.places import Places
from usage.ingestion.reports import CategoryName, Outcome, Result, UsageReport
from usage.ingestion.sql import add_to_counters, add_to_days, insert_events, room_in_counters, write_alerts
from usage.ingestion.values import COLUMNS, POSITION, Amounts, Held, Place
from usage.models import UsageAlert, UsageEvent
from usage.vocabulary import COUNTER_MAX, RejectionReason

EVENTS = Metric("telcox_usage_events_total", "Usage reports, by result", ["result"])

Key = tuple[str, str]


@dataclass(slots=True)
class _Item:
    """Report whose period is known, and whose key is presumably new."""

    outcome: Outcome
    event_id: str
    occurred_at: datetime
    place: Place


class _DaysPurged(Exception):
    """An event happened before the day (`before`) up to which its subscription's events were purged."""

    def __init__(self, before: Mapping[int, date]) -> None:
        super().__init__(before)
        self.before = before


class _PeriodsOver(Exception):
    """An event happened after its period had ended, and the next one has begun since its place was read."""


def apply_usage(*, reports: Sequence[UsageReport], at: datetime) -> list[Outcome]:
    """Count each of these reports once, in one transaction, and return the outcome of each, in order.

    Events, counters, days and alerts are durable when it returns, and watchers are notified. A report whose
    key is known is a duplicate or, if its content differs, a conflict. A rejected report changes nothing and
    does not affect the others. A report without event_id gets one. Raise the database's error if the database
    is away: then either nothing was counted or all of it, and it is safe to send the reports again.
    """
    outcomes = [Outcome(report) for report in reports]
    for report in reports:
        report.event_id = report.event_id or uuid.uuid4().hex
    items = _placed(outcomes, at)
    while items:
        items = _count_first_of_each_key(items, at)
    results = Counter(outcome.result for outcome in outcomes)
    if pending := results[Result.PENDING]:
        raise RuntimeError(f"{pending} report(s) were neither counted nor refused")
    for result, number in results.items():
        EVENTS.labels(result.value).inc(number)
    return outcomes


def _placed(outcomes: Sequence[Outcome], at: datetime) -> list[_Item]:
    """Return the reports that can be counted. The others are rejected, except those that had been counted
    before their line was, for example, suspended: they are duplicates."""
    places = Places(((o.report.phone_number, o.report.occurred_at or at) for o in outcomes), at)
    items, refused = [], []
    for outcome in outcomes:
        report = outcome.report
        occurred_at = report.occurred_at or at
        place = places.of(report.phone_number, occurred_at)
        if isinstance(place, Place):
            items.append(_Item(outcome, report.key[1], occurred_at, place))
        else:
            outcome.reject(place)
            refused.append(outcome)
    _resolve_known(refused)
    return items


def _count_first_of_each_key(items: Sequence[_Item], at: datetime) -> list[_Item]:
    """Count the first report of each key. Return the others whose key was not taken after all, because the
    first one was rejected: they have other content."""
    firsts: dict[Key, _Item] = {}
    repeats = []
    for item in items:
        first = firsts.setdefault(item.outcome.report.key, item)
        if first is not item:
            repeats.append((item, first.outcome))
    _write_once(list(firsts.values()), at)
    left = []
    for item, before in repeats:
        same = item.outcome.report.same_as(before.report)
        if before.result is not Result.REJECTED:
            item.outcome.repeat(same=same)
        elif same:
            item.outcome.result, item.outcome.reason = before.result, before.reason
        else:
            left.append(item)
    _resolve_known([item.outcome for item in left])
    return _still_new(left)


def _still_new(items: Sequence[_Item]) -> list[_Item]:
    return [item for item in items if item.outcome.result is Result.PENDING]


def _resolve_known(outcomes: Sequence[Outcome]) -> bool:
    """Turn reports whose key was counted before into duplicates or conflicts. Return whether there were
    any."""
    known = counted_before([outcome.report.key for outcome in outcomes])
    for outcome in outcomes:
        if before := known.get(outcome.report.key):
            outcome.repeat(same=outcome.report.same_as(before))
    return bool(known)


def counted_before(keys: Sequence[Key]) -> dict[Key, UsageReport]:
    """Return the events that have one of these keys, as reports."""
    by_source = defaultdict(list)
    for source, event_id in keys:
        by_source[source].append(event_id)
    known = {}
    for source, event_ids in by_source.items():
        for chunk in chunks(event_ids):
            rows = UsageEvent.objects.filter(source=source, event_id__in=chunk).values_list(
                "event_id", "subscription__line__phone_number", "category", "quantity", "occurred_at"
            )
            for event_id, phone_number, category, quantity, occurred_at in rows:
                known[source, event_id] = UsageReport(
                    phone_number,
                    cast(CategoryName, category),
                    quantity,
                    source,
                    event_id,
                    occurred_at,
                )
    return known


def _write_once(items: list[_Item], at: datetime) -> None:
    """Write the items, expecting all to be new, and their periods to be as they were read. Only if the
    database reports a duplicate, an overflow, a purged day or a period that is over, find out which item it
    is. So the usual case costs no check."""
    baffled, until_closed = False, True
    while items:
        try:
            retry_lost_locks(partial(_write, items, at, until_closed=until_closed))
            for item in items:
                item.outcome.result = Result.APPLIED
            return
        except IntegrityError:
            explained = _resolve_known([item.outcome for item in items]) or _reject_overflowing(items)
            if baffled and not explained:
                raise
            # The event with that key may have been purged meanwhile: then the next attempt raises
            # _DaysPurged.
            baffled = not explained
        except _DaysPurged as purged:
            _reject_too_late(items, purged.before)
        except _PeriodsOver:
            # If no place is another one now, the next period was moved by hand: then the places hold.
            until_closed = _place_anew(items, at)
        items = _still_new(items)


def _place_anew(items: Sequence[_Item], at: datetime) -> bool:
    """Read the places of these items again. Return whether one has changed."""
    places = Places([(item.outcome.report.phone_number, item.occurred_at) for item in items], at)
    changed = False
    for item in items:
        place = places.of(item.outcome.report.phone_number, item.occurred_at)
        if not isinstance(place, Place):
            item.outcome.reject(place)
            changed = True
        else:
            changed |= place.subscription_id != item.place.subscription_id
            item.place = place
    return changed


@transaction.atomic
def _write(items: Sequence[_Item], at: datetime, *, until_closed: bool) -> None:
    """Write the items. With `until_closed`, raise _PeriodsOver if one happened after its counter was
    closed."""
    amounts: defaultdict[int, Amounts] = defaultdict(lambda: [0] * len(COLUMNS))
    days: defaultdict[tuple[int, date], Amounts] = defaultdict(lambda: [0] * len(COLUMNS))
    changes: defaultdict[int, int] = defaultdict(int)
    local_dates = LocalDates()
    rows = []
    for item in items:
        report, subscription_id, occurred_at = (
            item.outcome.report,
            item.place.subscription_id,
            item.occurred_at,
        )
        category, quantity = report.category, report.quantity
        position = POSITION[category]
        amounts[subscription_id][position] += quantity
        days[subscription_id, local_dates.of(occurred_at)][position] += quantity
        changes[subscription_id] += 1
        rows.append((report.source, item.event_id, subscription_id, category, quantity, occurred_at))
    # Ordered by key, as counters and days are, so that two batches wait for each other and do not deadlock.
    insert_events(sorted(rows), at)
    held, purged, closed = add_to_counters(amounts, changes)
    # Checked while the counters are locked. The beginning of the next period (usage/replacing.py) and a purge
    # take the same locks, so no event is counted while they run.
    if closed and until_closed and any(_is_over(item, closed) for item in items):
        raise _PeriodsOver
    if purged and any(day < purged.get(subscription_id, day) for subscription_id, day in days):
        raise _DaysPurged(purged)
    add_to_days(days)
    write_alerts(_alerts(items, amounts, held, at))
    phone_numbers = {item.outcome.report.phone_number for item in items}
    transaction.on_commit(lambda: broadcast.publish(phone_numbers))


def _is_over(item: _Item, closed: Mapping[int, datetime]) -> bool:
    closed_at = closed.get(item.place.subscription_id)
    return closed_at is not None and closed_at <= item.occurred_at


def _alerts(
    items: Sequence[_Item], added: dict[int, Amounts], held: dict[int, Held], at: datetime
) -> list[UsageAlert]:
    """Return the alerts, by the allowances as they were when the places were read. If an allowance has grown
    since, the smaller one counts."""
    places = {item.place.subscription_id: item.place for item in items}
    crossings = [
        (key, resource, threshold)
        for key, place in places.items()
        for resource, threshold in crossed_thresholds(place, held[key], added[key])
    ]
    # Ordered by key, like all writes, against deadlocks.
    return [
        UsageAlert(subscription_id=key, resource=resource, threshold=threshold, crossed_at=at)
        for key, resource, threshold in sorted(crossings)
    ]


def _reject_overflowing(items: Sequence[_Item]) -> bool:
    """Reject the events that their counters cannot hold any more, in the order given. Return whether there
    were any."""
    room = room_in_counters({item.place.subscription_id for item in items})
    found = False
    for item in items:
        left = room.setdefault(item.place.subscription_id, [COUNTER_MAX] * len(COLUMNS))
        position = POSITION[item.outcome.report.category]
        if item.outcome.report.quantity > left[position]:
            item.outcome.reject(RejectionReason.COUNTER_FULL)
            found = True
        else:
            left[position] -= item.outcome.report.quantity
    return found


def _reject_too_late(items: Sequence[_Item], purged: Mapping[int, date]) -> None:
    """Reject events of a purged day whose row is missing: they may have been counted before, and are not
    counted again."""
    for item in items:
        day = local_date(item.occurred_at)
        if day < purged.get(item.place.subscription_id, day):
            item.outcome.reject(RejectionReason.TOO_LATE)
