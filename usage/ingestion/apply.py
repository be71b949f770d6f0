"""The one place where usage is counted: every way in translates to `apply_usage`."""

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
    """A report that has its place and whose key is, as far as is known, new."""

    outcome: Outcome
    event_id: str
    occurred_at: datetime
    place: Place


class _DaysPurged(Exception):
    """Some of what was written happened, by its subscription, before the day that `before` says."""

    def __init__(self, before: Mapping[int, date]) -> None:
        super().__init__(before)
        self.before = before


def apply_usage(*, reports: Sequence[UsageReport], at: datetime) -> list[Outcome]:
    """Counts each of these reports once, all in one transaction, and returns what became of each, in order.

    Events, counters, days and alerts are durable when it returns; who watches is told. A report whose key is
    known is a duplicate, or, saying something else, a conflict. A rejected report changes nothing and costs
    the others nothing. A report without event_id is given one. Raises what the database raises when it is
    away: then nothing of it was counted, or all of it, and sending it again is safe.
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
    """Those that can be counted. The others are rejected, but for those that had been counted before their
    line was, say, suspended: they are duplicates."""
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
    """Returns those whose key was not taken after all by the first that has it: they say something else."""
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
    """Turns those whose key was counted before into duplicates or conflicts; whether there were any."""
    known = _counted_before([outcome.report.key for outcome in outcomes])
    for outcome in outcomes:
        if before := known.get(outcome.report.key):
            outcome.repeat(same=outcome.report.same_as(before))
    return bool(known)


def _counted_before(keys: Sequence[Key]) -> dict[Key, UsageReport]:
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
    """Writes them, expecting all to be new: only when the database says that one is not, does not fit or is
    too late, is it asked which. So what is usual costs nothing to check."""
    baffled = False
    while items:
        try:
            retry_lost_locks(partial(_write, items, at))
            for item in items:
                item.outcome.result = Result.APPLIED
            return
        except IntegrityError:
            explained = _resolve_known([item.outcome for item in items]) or _reject_overflowing(items)
            if baffled and not explained:
                raise
            # The event that had the key may have been purged since: then the next attempt is too late.
            baffled = not explained
        except _DaysPurged as purged:
            _reject_too_late(items, purged.before)
        items = _still_new(items)


@transaction.atomic
def _write(items: Sequence[_Item], at: datetime) -> None:
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
    # In the order of their keys, as counters and days: two batches wait for each other rather than deadlock.
    insert_events(sorted(rows), at)
    held, purged = add_to_counters(amounts, changes)
    # Asked once the counters are locked: who purges holds the same locks, so nothing falls between.
    if purged and any(day < purged.get(subscription_id, day) for subscription_id, day in days):
        raise _DaysPurged(purged)
    add_to_days(days)
    write_alerts(_alerts(items, amounts, held, at))
    phone_numbers = {item.outcome.report.phone_number for item in items}
    transaction.on_commit(lambda: broadcast.publish(phone_numbers))


def _alerts(
    items: Sequence[_Item], added: dict[int, Amounts], held: dict[int, Held], at: datetime
) -> list[UsageAlert]:
    """Of the allowances as they were when the places were read: of one that has grown in the moment since,
    what is said is of the smaller one."""
    places = {item.place.subscription_id: item.place for item in items}
    crossings = [
        (key, resource, threshold)
        for key, place in places.items()
        for resource, threshold in crossed_thresholds(place, held[key], added[key])
    ]
    # In the order of their keys, as everything that is written.
    return [
        UsageAlert(subscription_id=key, resource=resource, threshold=threshold, crossed_at=at)
        for key, resource, threshold in sorted(crossings)
    ]


def _reject_overflowing(items: Sequence[_Item]) -> bool:
    """Rejects what its counter cannot hold any more, in the order given; whether there was any."""
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
    """An event of a purged day that is not there may have been counted, and its row be gone: it is not
    counted again."""
    for item in items:
        day = local_date(item.occurred_at)
        if day < purged.get(item.place.subscription_id, day):
            item.outcome.reject(RejectionReason.TOO_LATE)
