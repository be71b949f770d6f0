"""Compare the receipts with what was sent. Pure: no database, no clock."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field

from usage.ingestion.receipts import Receipt
from usage.simulation.traffic import Batch


@dataclass
class Tally:
    """Sums of acknowledged batches: of the items sent, and of their receipts.

    `doubtful` are the good events of batches that were sent more than once: the first attempt may have
    counted them although no receipt arrived, and then the receipt calls them duplicates.
    """

    good: int = 0
    repeats: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    doubtful: int = 0

    received: int = 0
    applied: int = 0
    duplicates: int = 0
    rejected: Counter[str] = field(default_factory=Counter)

    requests: int = 0
    retries: int = 0
    # Seconds that each answered request took.
    latencies: array[float] = field(default_factory=lambda: array("d"))

    @property
    def sent(self) -> int:
        return self.good + self.repeats + self.bad.total()

    def add(self, batch: Batch, receipt: Receipt, *, attempts: int, seconds: float) -> None:
        self.good += len(batch.good)
        self.repeats += batch.repeats
        self.bad.update(batch.bad)
        if attempts > 1:
            self.doubtful += len(batch.good)
        self.received += receipt.received
        self.applied += receipt.applied
        self.duplicates += receipt.duplicates
        self.rejected.update(rejection.reason for rejection in receipt.rejections)
        self.requests += 1
        self.retries += attempts - 1
        self.latencies.append(seconds)

    def disagreements(self) -> list[str]:
        """Return a sentence for each sum that does not agree."""
        found = []
        if self.received != self.sent:
            found.append(f"{self.sent} items were sent, and {self.received} received")
        if not self.good - self.doubtful <= self.applied <= self.good:
            least = f"{self.good - self.doubtful} to " if self.doubtful else ""
            found.append(f"{least}{self.good} distinct events were sent, and {self.applied} applied")
        if self.applied + self.duplicates != self.good + self.repeats:
            found.append(
                f"{self.good + self.repeats} good reports were sent, {self.repeats} of them repeats, and "
                f"{self.applied} were applied and {self.duplicates} called duplicates"
            )
        found += [
            f"{self.bad[reason]} items were sent to be rejected as {reason}, and {self.rejected[reason]} were"
            for reason in sorted(self.bad.keys() | self.rejected.keys())
            if self.bad[reason] != self.rejected[reason]
        ]
        return found

    def latency(self, share: float) -> float:
        """Return the seconds within which that share of the requests was answered; 0 if there are none."""
        if not self.latencies:
            return 0.0
        return sorted(self.latencies)[min(len(self.latencies) - 1, int(share * len(self.latencies)))]
