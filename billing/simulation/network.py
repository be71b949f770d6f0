"""The network's usage reports, some of them late, some of them repeated."""

from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

import msgspec

from billing.simulation.world import GB, KnownLine
from usage.ingestion.reports import CategoryName, UsageReport

_DATA: tuple[CategoryName, ...] = ("SOCIAL", "ENTERTAINMENT", "SYSTEM_UPDATES", "NAVIGATION_SEARCH")
# The latest reports, which may be repeated.
REMEMBERED = 500


class Network:
    def __init__(self, random: Random, begun: datetime) -> None:
        self._random = random
        self._begun = self._last = begun
        self._number = 0
        self._sent: deque[UsageReport] = deque(maxlen=REMEMBERED)

    def batch(self, lines: Sequence[KnownLine], size: int, at: datetime) -> list[UsageReport]:
        """Return reports of usage since the last batch; some of it happened up to forty days earlier."""
        if not lines:
            return []
        reports = [self._repeated() or self._new(lines, at) for _ in range(size)]
        self._last = at
        return reports

    def _repeated(self) -> UsageReport | None:
        if not self._sent or (draw := self._random.random()) > 0.035:
            return None
        again = msgspec.structs.replace(self._random.choice(self._sent))
        if draw < 0.005:  # a conflict: the same key with another quantity
            again.quantity += 1
        return again

    def _new(self, lines: Sequence[KnownLine], at: datetime) -> UsageReport:
        draw = self._random
        line = draw.choice(lines)
        what = draw.random()
        category: CategoryName
        if not line.mobile or what < 0.18:
            category, quantity = "VOICE", draw.randrange(1, 24_000)
        elif what < 0.3:
            category, quantity = "SMS", draw.randrange(1, 90)
        else:
            category, quantity = draw.choice(_DATA), draw.randrange(1, 8 * GB)
        occurred_at = self._last + timedelta(seconds=int(draw.random() * (at - self._last).total_seconds()))
        if draw.random() < 0.06:
            late = timedelta(seconds=draw.randrange(3_600, 40 * 86_400))
            occurred_at = max(self._begun, occurred_at - late)
        self._number += 1
        report = UsageReport(
            line.phone_number, category, quantity, "made-up", f"event-{self._number}", occurred_at
        )
        self._sent.append(msgspec.structs.replace(report))
        return report
