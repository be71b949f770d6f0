"""Progress and totals of a billing run."""

from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Q, Sum
from django.utils import timezone

from billing.models import BillingRun, RunState
from telcox.common.money import cents

AMOUNTS = ("subtotal", "discount", "tax", "total")


class Figures(NamedTuple):
    """Progress of a run: of `size` periods, `done` are processed; `invoices` were issued for them, and
    `parked` bills quarantined. Amounts are in dollars.

    `seconds` is how long the run has taken since it was last started, `rate` the periods per second in that
    time, and `seconds_left` the time for the rest at that rate: None if the run is not in progress or
    the rate is 0.
    """

    size: int
    done: int
    invoices: int
    parked: int
    subtotal: Decimal
    discount: Decimal
    tax: Decimal
    total: Decimal
    seconds: float
    rate: float
    seconds_left: float | None


def figures_of(run: BillingRun) -> Figures:
    done = Q(done_at__isnull=False)
    since = done & Q(done_at__gte=run.started_at) if run.started_at else done
    # The filtered sums come first: after `size=Sum(...)`, Django takes `size` for the name of that sum.
    sums = {"done": Sum("size", filter=done), "lately": Sum("size", filter=since)}
    sums |= {name: Sum(name) for name in ("size", "invoices", "parked", *AMOUNTS)}
    found: dict[str, Any] = {name: value or 0 for name, value in run.chunks.aggregate(**sums).items()}
    lately = found.pop("lately")
    for name in AMOUNTS:  # SQLite adds decimals as binary fractions
        found[name] = cents(Decimal(found[name]))
    seconds = _seconds(run)
    rate = lately / seconds if seconds else 0.0
    going_on = run.state == RunState.RUNNING and rate
    left = (found["size"] - found["done"]) / rate if going_on else None
    return Figures(**found, seconds=seconds, rate=rate, seconds_left=left)


def _seconds(run: BillingRun) -> float:
    """Return the seconds from the start until the run was finished, or until now. A stopped run counts until
    it was last seen."""
    if run.started_at is None:
        return 0.0
    until = run.finished_at or (timezone.now() if run.state == RunState.RUNNING else run.seen_at)
    return max(0.0, (until - run.started_at).total_seconds()) if until else 0.0
