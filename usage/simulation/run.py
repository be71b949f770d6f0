"""Run many elements at once, each in a thread with its own connection."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

from django.utils import timezone

from usage.simulation.delivery import Door
from usage.simulation.tally import Tally
from usage.simulation.traffic import Element


class Pace:
    """Pace of a simulation, which says how many events to send next: `batch` each time, as fast as possible,
    or `rate` events a second. A batch is sent when its last event is due, as by an element that collects
    them."""

    def __init__(self, *, rate: float, duration: float, batch: int, stopped: threading.Event) -> None:
        self._rate, self._batch, self._stopped = rate, batch, stopped
        self._total, self._given = int(rate * duration), 0
        self._lock = threading.Lock()
        self._begun = time.monotonic()
        self._end = self._begun + duration

    def take(self) -> int:
        """Wait until the next events are due, and return their number; 0 at the end."""
        if self._stopped.is_set() or time.monotonic() >= self._end:
            return 0
        if not self._rate:
            return self._batch
        with self._lock:
            size = min(self._batch, self._total - self._given)
            self._given += size
            due = self._begun + self._given / self._rate
        if size and self._stopped.wait(max(0.0, due - time.monotonic())):
            return 0
        return size


class Run:
    """Run of a simulation. `tell` is called with the number of items of each acknowledged batch, by one
    thread at a time."""

    def __init__(
        self,
        elements: Sequence[Element],
        door: Door,
        pace: Pace,
        *,
        stopped: threading.Event,
        tell: Callable[[int], object],
    ) -> None:
        self._elements, self._door, self._pace, self._tell = elements, door, pace, tell
        self._stopped = stopped
        self._lock = threading.Lock()
        self.tally = Tally()
        self.error: Exception | None = None
        self.interrupted = False
        # Batches in progress when it was stopped: their outcome is unknown.
        self.unanswered = 0

    def carry_out(self) -> None:
        """Run until the time is over, Ctrl-C is pressed, or the server refuses a batch (`error`)."""
        with ThreadPoolExecutor(len(self._elements), "element") as pool:
            under_way = [pool.submit(self._report, element) for element in self._elements]
            try:
                wait(under_way)
            except KeyboardInterrupt:
                # Wait for batches in progress, so that their outcome is known.
                self.interrupted = True
                self._stopped.set()
                wait(under_way)

    def _report(self, element: Element) -> None:
        try:
            while size := self._pace.take():
                batch = element.batch(size, timezone.now())
                delivered = self._door.deliver(batch.body())
                with self._lock:
                    if delivered is None:
                        self.unanswered += 1
                        return
                    self.tally.add(
                        batch, delivered.receipt, attempts=delivered.attempts, seconds=delivered.seconds
                    )
                    self._tell(len(batch.items))
                element.acknowledged(batch)
        except Exception as error:
            self.error = self.error or error
            self._stopped.set()
