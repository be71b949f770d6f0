"""Move usage to the period in which it happened, if it was counted before that period was begun.

A run or an order begins a period as of where the one before ended; until then, usage is counted to the one
that ended. The transaction that begins the period calls `close_periods` before, and `hand_over` after the new
periods are saved. So one result comes of every order of reports, runs and plan changes. A line that ends has
no next period: what was counted after its end is turned away.

The caller has locked the periods that ended, and `close_periods` locks their counters. Usage that is being
counted to them is waited for. Usage that comes after that waits, then finds its counter closed, and is placed
anew (usage/ingestion/apply.py). Purged events never have to move: a purge keeps what happened after the end
of a line's last period.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import QuerySet, Sum

from customers.models import SoldPack, Subscription
from telcox.common.calendar import LocalDates
from telcox.common.database.bulk import chunks
from telcox.common.database.prepared import PreparedQuery
from usage.ingestion.alerts import Crossing, reached_thresholds
from usage.ingestion.rejected import keep_rows
from usage.ingestion.sql import (
    add_to_counters,
    add_to_days,
    close_counters,
    move_events,
    overwrite_counters,
    overwrite_days,
    write_alerts,
)
from usage.ingestion.values import COLUMNS, POSITION, Amounts, Place
from usage.models import RejectedUsage, UsageAlert, UsageCounter, UsageDay, UsageEvent
from usage.vocabulary import ZERO_RATED, RejectionReason


def _nothing() -> Amounts:
    return [0] * len(COLUMNS)


@dataclass
class Meanwhile:
    """Usage that was counted to a period after its end: the keys of its events, and their sums."""

    events: list[int] = field(default_factory=list)
    sums: Amounts = field(default_factory=_nothing)
    days: defaultdict[date, Amounts] = field(default_factory=lambda: defaultdict(_nothing))

    def add(self, key: int, category: str, quantity: int, day: date) -> None:
        position = POSITION[category]
        self.events.append(key)
        self.sums[position] += quantity
        self.days[day][position] += quantity


def after_now(at: datetime) -> datetime:
    """Return the moment from which on usage is of after a step that is taken now, `at`: what was counted with
    the very moment of the step was there before it."""
    return at + timedelta(microseconds=1)


def close_periods(until: Sequence[tuple[Subscription, datetime]]) -> dict[int, Meanwhile]:
    """Close periods at the moments at which their next ones begin, and take out the usage that was counted to
    them since. Return what that is, by the period's key, for `hand_over` or `turn_away`; most have none.

    Call it in the transaction that begins the next periods, with the lines and the periods locked, before
    rating reads what was used of the periods and before they are cut: their alerts are checked by their
    present limits.
    """
    closing = {period.pk: at for period, at in until}
    if not closing:
        return {}
    close_counters(closing)
    # Read under the locks of the counters, so no more of it comes.
    meanwhile = _counted_since(closing)
    if meanwhile:
        _take_out([period for period, _ in until if period.pk in meanwhile], meanwhile, closing)
    return meanwhile


def hand_over(
    meanwhile: Mapping[int, Meanwhile], following: Mapping[int, Subscription], *, at: datetime
) -> None:
    """Count the usage that `close_periods` took out to the periods that follow, by the key of the period
    before each. They are saved, and have their limits. An alert that the usage raises there is raised now."""
    if not meanwhile:
        return
    new = {key: following[key] for key in meanwhile}
    every_event = [event for each in meanwhile.values() for event in each.events]
    move_events(every_event, {key: period.pk for key, period in new.items()})
    amounts = {new[key].pk: each.sums for key, each in meanwhile.items()}
    counted = add_to_counters(amounts, {new[key].pk: len(each.events) for key, each in meanwhile.items()})
    add_to_days(
        {(new[key].pk, day): sums for key, each in meanwhile.items() for day, sums in each.days.items()}
    )
    raised = [
        (period.pk, resource, threshold)
        for period in new.values()
        for resource, threshold in reached_thresholds(_place(period), counted.held[period.pk])
    ]
    write_alerts(
        [
            UsageAlert(subscription_id=key, resource=resource, threshold=threshold, crossed_at=at)
            for key, resource, threshold in sorted(raised)
        ]
    )


def turn_away(meanwhile: Mapping[int, Meanwhile], *, phone_number: str, reason: RejectionReason) -> None:
    """Reject the usage that `close_periods` took out, as it would have been if it had been reported now: its
    line was not in service any more."""
    for each in meanwhile.values():
        for keys in chunks(each.events):
            events = UsageEvent.objects.filter(pk__in=keys)
            rows = [
                RejectedUsage(
                    source=event.source,
                    event_id=event.event_id,
                    phone_number=phone_number,
                    category=event.category,
                    quantity=event.quantity,
                    occurred_at=event.occurred_at,
                    reason=reason,
                    received_at=event.ingested_at,
                )
                for event in events
            ]
            events.delete()
            keep_rows(rows)


def _counted_since(closing: Mapping[int, datetime]) -> dict[int, Meanwhile]:
    found: defaultdict[int, Meanwhile] = defaultdict(Meanwhile)
    local_dates = LocalDates()
    # One query, by the earliest of the moments: periods that are due together ended close to each other.
    for row in _events_since(periods=closing.keys(), since=min(closing.values())):
        occurred_at = row["occurred_at"]
        if occurred_at >= closing[row["subscription"]]:
            day = local_dates.of(occurred_at)
            found[row["subscription"]].add(row["pk"], row["category"], row["quantity"], day)
    return dict(found)


@PreparedQuery
def _events_since(periods: Any, since: Any) -> QuerySet[UsageEvent, Any]:
    events = UsageEvent.objects.filter(subscription__in=periods, occurred_at__gte=since)
    return events.order_by().values("pk", "subscription", "category", "quantity", "occurred_at")


def _take_out(
    periods: Sequence[Subscription], meanwhile: Mapping[int, Meanwhile], closing: Mapping[int, datetime]
) -> None:
    held = _take_out_of_counters(meanwhile)
    _take_out_of_days(meanwhile)
    _take_back_alerts(periods, held, closing)


def _take_out_of_counters(meanwhile: Mapping[int, Meanwhile]) -> dict[int, tuple[int, ...]]:
    held, rows = {}, []
    counters = UsageCounter.objects.filter(pk__in=list(meanwhile))
    for key, version, moved, *sums in counters.values_list("pk", "version", "moved_events", *COLUMNS):
        gone = meanwhile[key]
        held[key] = tuple(have - less for have, less in zip(sums, gone.sums, strict=True))
        rows.append((key, version + len(gone.events), moved + len(gone.events), *held[key]))
    overwrite_counters(rows)
    return held


def _take_out_of_days(meanwhile: Mapping[int, Meanwhile]) -> None:
    """Subtract from the days, and delete those that have nothing left: without the usage there were none."""
    since = min(day for gone in meanwhile.values() for day in gone.days)
    days = UsageDay.objects.filter(subscription__in=list(meanwhile), day__gte=since)
    left, empty = [], defaultdict(list)
    for key, day, *sums in days.values_list("subscription_id", "day", *COLUMNS):
        if day not in meanwhile[key].days:
            continue
        sums = [have - less for have, less in zip(sums, meanwhile[key].days[day], strict=True)]
        if any(sums):
            left.append((key, day, sums))
        else:
            empty[day].append(key)
    overwrite_days(left)
    for day, keys in empty.items():
        UsageDay.objects.filter(subscription__in=keys, day=day).delete()


def _take_back_alerts(
    periods: Sequence[Subscription], held: Mapping[int, tuple[int, ...]], closing: Mapping[int, datetime]
) -> None:
    """Delete the alerts for which what is left of the usage was never enough. What was sent of them cannot be
    taken back."""
    places = {period.pk: _place(period) for period in periods}
    reached = {key: reached_thresholds(place, held[key]) for key, place in places.items()}
    for period in periods:
        if period.changes:
            reached[period.pk] += _reached_before_packs(places[period.pk], closing[period.pk])
    alerts = UsageAlert.objects.filter(subscription__in=list(places))
    wrong = [
        pk
        for pk, key, *crossing in alerts.values_list("pk", "subscription_id", "resource", "threshold")
        if tuple(crossing) not in reached[key]
    ]
    for some in chunks(wrong):
        UsageAlert.objects.filter(pk__in=some).delete()


def _reached_before_packs(place: Place, until: datetime) -> list[Crossing]:
    """Return the thresholds that were reached when the allowance was smaller, before packs were bought, by
    usage that happened before `until`."""
    reached: list[Crossing] = []
    for pack in SoldPack.objects.filter(subscription=place.subscription_id).order_by("-bought_at", "-pk"):
        place = replace(
            place,
            limit_bytes=place.limit_bytes - pack.data_bytes,
            minutes_limit=place.minutes_limit - pack.voice_minutes,
            sms_limit=place.sms_limit - pack.sms,
        )
        events = UsageEvent.objects.filter(
            subscription=place.subscription_id, occurred_at__lt=until, ingested_at__lte=pack.bought_at
        )
        held = _nothing()
        for category, quantity in events.order_by().values_list("category").annotate(Sum("quantity")):
            held[POSITION[category]] = quantity
        reached += reached_thresholds(place, tuple(held))
    return reached


def _place(period: Subscription) -> Place:
    free = sum(getattr(period, name) << bit for bit, name in enumerate(ZERO_RATED.values()))
    return Place(period.pk, period.limit_bytes, period.minutes_limit, period.sms_limit, free)
