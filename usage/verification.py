"""Verify that counters and daily sums agree with their events."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from operator import add
from typing import Any

from customers.models import Subscription
from telcox.common.calendar import LocalDates
from telcox.common.database.consistent_read import consistent_read
from usage.ingestion.values import COLUMNS, POSITION
from usage.models import UsageCounter, UsageDay, UsageEvent

# Subscriptions compared at a time, so that memory does not grow with their number.
CHUNK = 1_000


@dataclass(frozen=True)
class Difference:
    """Difference between a stored sum (`held`) and the sum of its `events`. `where` is a column of the
    counter, or a day and a column."""

    subscription_id: int
    where: str
    held: int
    events: int

    def __str__(self) -> str:
        return f"subscription {self.subscription_id}, {self.where}: {self.held}, by its events {self.events}"


def find_differences() -> Iterator[Difference]:
    """Yield every column of every counter and day that differs from the sum of its events; a counter's
    version is their number, with the purged ones, and twice that of those that were taken out again.
    Yield also the events that a counter has of after it was closed. Each thousand subscriptions are read as
    of one moment, while usage may continue to arrive."""
    last = 0
    pks = Subscription.objects.order_by("pk").values_list("pk", flat=True)
    while chunk := list(pks.filter(pk__gt=last)[:CHUNK]):
        with consistent_read():
            found = list(_compare(chunk))
        yield from found
        last = chunk[-1]


def _compare(subscription_ids: Sequence[int]) -> Iterator[Difference]:
    """Yield the differences of these subscriptions. Before a counter's `purged_before` some or all events are
    deleted: there the days stand for them."""
    of_these = {"subscription__in": subscription_ids}
    counted: defaultdict[int, list[int]] = defaultdict(lambda: [0] * (len(COLUMNS) + 1))
    by_day: defaultdict[tuple[int, date], list[int]] = defaultdict(lambda: [0] * len(COLUMNS))
    held, held_by_day, purged, closed = {}, {}, {}, {}
    of_next: defaultdict[int, int] = defaultdict(int)
    columns = [*COLUMNS, "version"]
    counters = UsageCounter.objects.filter(**of_these)
    for pk, closed_at, purged_before, purged_events, moved_events, *sums in counters.values_list(
        "subscription_id", "closed_at", "purged_before", "purged_events", "moved_events", *columns
    ):
        held[pk,] = sums
        counted[pk][-1] = purged_events + 2 * moved_events
        if closed_at is not None:
            closed[pk] = closed_at
        if purged_before is not None:
            purged[pk] = purged_before
    for pk, day, *sums in UsageDay.objects.filter(**of_these).values_list("subscription_id", "day", *COLUMNS):
        if day < purged.get(pk, day):
            counted[pk] = list(map(add, counted[pk], [*sums, 0]))
        else:
            held_by_day[pk, day] = sums
    local_dates = LocalDates()
    events = UsageEvent.objects.filter(**of_these).order_by()
    rows = events.values_list("subscription_id", "category", "quantity", "occurred_at")
    for pk, category, quantity, occurred_at in rows.iterator(chunk_size=10_000):
        day = local_dates.of(occurred_at)
        counted[pk][-1] += 1
        of_next[pk] += pk in closed and occurred_at >= closed[pk]
        if day >= purged.get(pk, day):
            counted[pk][POSITION[category]] += quantity
            by_day[pk, day][POSITION[category]] += quantity
    yield from _differing(held, {(pk,): sums for pk, sums in counted.items()}, columns)
    yield from _differing(held_by_day, dict(by_day), COLUMNS)
    yield from (Difference(pk, "events of after its end", found, 0) for pk, found in of_next.items() if found)


def _differing(
    held: dict[tuple[Any, ...], list[int]], events: dict[tuple[Any, ...], list[int]], columns: Sequence[str]
) -> Iterator[Difference]:
    nothing = [0] * len(columns)
    for key in sorted(held.keys() | events.keys()):
        for column, have, want in zip(columns, held.get(key, nothing), events.get(key, nothing), strict=True):
            if have != want:
                yield Difference(key[0], " ".join([*map(str, key[1:]), column]), have, want)
