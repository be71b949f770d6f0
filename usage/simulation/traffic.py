"""The simulated reports of a network's elements. Pure: no database, no clock."""

import json
import math
import random
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from usage.vocabulary import Category, RejectionReason

MIB = 2**20

# Quantity of one event by category, in bytes, seconds or messages: median and sigma of a log-normal
# distribution.
_USUAL: dict[Category, tuple[float, float]] = {
    Category.SOCIAL: (2 * MIB, 1.2),
    Category.ENTERTAINMENT: (40 * MIB, 1.0),
    Category.SYSTEM_UPDATES: (60 * MIB, 0.8),
    Category.NAVIGATION_SEARCH: (MIB / 2, 1.2),
    Category.VOICE: (90, 1.0),
    Category.SMS: (1, 0.3),
}
# Largest quantity of one event: a film, an afternoon on the telephone.
_MOST = {Category.VOICE: 4 * 3600, Category.SMS: 5}
_MOST_BYTES = 4096 * MIB

# LATE: how long ago late usage happened, at most. AHEAD: how far a wrong clock is ahead.
LATE = timedelta(days=3)
AHEAD = timedelta(days=30)
# Acknowledged events that an element may still repeat.
REMEMBERED = 1_000


@dataclass(frozen=True)
class Subscriber:
    """Line with a plan, in service since `since`; no usage is reported from before that."""

    phone_number: str
    since: datetime


@dataclass(frozen=True)
class Traffic:
    """Traffic to simulate: events of `lines`, with categories by their weights, all from one `source`.

    `duplicates` is the share of items that repeat an earlier one, `bad` of those that cannot be counted, and
    `late` of good events that happened some days ago. `unknown` are numbers without a line.
    """

    source: str
    lines: Sequence[Subscriber]
    weights: Mapping[Category, int]
    unknown: Sequence[str] = ()
    duplicates: float = 0.0
    bad: float = 0.0
    late: float = 0.0


@dataclass
class Batch:
    """One request: its items, and the expected outcome of each."""

    items: list[Any] = field(default_factory=list)
    good: list[dict[str, Any]] = field(default_factory=list)
    repeats: int = 0
    bad: Counter[str] = field(default_factory=Counter)

    def body(self) -> bytes:
        return json.dumps(self.items, separators=(",", ":")).encode()


class Element:
    """Network element with its own connection. It only repeats events of the same batch or acknowledged ones,
    so that the outcome of each item is known, whatever other elements send."""

    def __init__(self, traffic: Traffic, *, number: int, seed: int | None) -> None:
        self._traffic, self._number = traffic, number
        self._chosen = random.Random(None if seed is None else f"{seed}/{number}")  # noqa: S311
        self._categories, self._weights = list(traffic.weights), list(traffic.weights.values())
        self._made = 0
        self._acknowledged: deque[dict[str, Any]] = deque(maxlen=REMEMBERED)

    def batch(self, size: int, at: datetime) -> Batch:
        """Return the next batch of `size` items, sent at `at`."""
        batch = Batch()
        for _ in range(size):
            share = self._chosen.random()
            if share < self._traffic.bad:
                self._add_bad(batch, at)
            elif share < self._traffic.bad + self._traffic.duplicates and (batch.good or self._acknowledged):
                batch.items.append(self._earlier(batch))
                batch.repeats += 1
            else:
                batch.good.append(self._event(at))
                batch.items.append(batch.good[-1])
        return batch

    def acknowledged(self, batch: Batch) -> None:
        self._acknowledged.extend(batch.good)

    def _earlier(self, batch: Batch) -> dict[str, Any]:
        known = [events for events in (batch.good, self._acknowledged) if events]
        return self._chosen.choice(self._chosen.choice(known))

    def _event(self, at: datetime) -> dict[str, Any]:
        line = self._chosen.choice(self._traffic.lines)
        category = self._chosen.choices(self._categories, self._weights)[0]
        occurred_at = at
        if self._chosen.random() < self._traffic.late:
            occurred_at = max(line.since, at - LATE * self._chosen.random())
        return self._report(line.phone_number, category, occurred_at)

    def _report(self, phone_number: str, category: Category, occurred_at: datetime) -> dict[str, Any]:
        self._made += 1
        return {
            "phone_number": phone_number,
            "category": category.value,
            "quantity": self._quantity(category),
            "source": self._traffic.source,
            "event_id": f"{self._number}-{self._made}",
            "occurred_at": occurred_at.isoformat(),
        }

    def _quantity(self, category: Category) -> int:
        usual, scatter = _USUAL[category]
        quantity = self._chosen.lognormvariate(math.log(usual), scatter)
        return max(1, min(_MOST.get(category, _MOST_BYTES), round(quantity)))

    def _add_bad(self, batch: Batch, at: datetime) -> None:
        reasons = [RejectionReason.INVALID, RejectionReason.IN_FUTURE]
        if self._traffic.unknown:
            reasons.append(RejectionReason.UNKNOWN_LINE)
        reason = self._chosen.choice(reasons)
        batch.bad[reason.value] += 1
        event: Any = self._event(at)
        match reason:
            case RejectionReason.UNKNOWN_LINE:
                event["phone_number"] = self._chosen.choice(self._traffic.unknown)
            case RejectionReason.IN_FUTURE:
                event["occurred_at"] = (at + AHEAD).isoformat()
            case _:
                event = self._spoilt(event)
        batch.items.append(event)

    def _spoilt(self, event: dict[str, Any]) -> Any:
        """Return an invalid usage event, of one of the kinds that occur."""
        without = self._chosen.choice(["phone_number", "category", "quantity"])
        return self._chosen.choice(
            [
                {name: value for name, value in event.items() if name != without},
                {**event, "quantity": -event["quantity"]},
                {**event, "quantity": str(event["quantity"])},
                {**event, "category": "TELEX"},
                {**event, "phone_number": "unknown"},
                {**event, "occurred_at": "2026-11-23 06:00:00"},
                {**event, "cell": 17},
                "no event",
                None,
            ]
        )
