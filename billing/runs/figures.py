"""How far a run has come, and what it comes to."""

from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Q, Sum
from django.utils import timezone

from billing.models import BillingRun, RunState
from telcox.common.money import cents

AMOUNTS = ("subtotal", "discount", "tax", "total")


class Figures(NamedTuple):
    """`size` periods are to be billed, `done` are: by `invoices`, or `parked`; the amounts in dollars.

    `seconds` is for how long it has been at it since it was last started, `rate` how many periods a second
    that made, `seconds_left` how long the rest takes at this rate, where it goes on.
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
    # The filtered ones first: after it, `size` is the name of a sum.
    sums = {"done": Sum("size", filter=done), "lately": Sum("size", filter=since)}
    sums |= {name: Sum(name) for name in ("size", "invoices", "parked", *AMOUNTS)}
    found: dict[str, Any] = {name: value or 0 for name, value in run.chunks.aggregate(**sums).items()}
    lately = found.pop("lately")
    for name in AMOUNTS:  # SQLite adds up binary fractions
        found[name] = cents(Decimal(found[name]))
    seconds = _seconds(run)
    rate = lately / seconds if seconds else 0.0
    going_on = run.state == RunState.RUNNING and rate
    left = (found["size"] - found["done"]) / rate if going_on else None
    return Figures(**found, seconds=seconds, rate=rate, seconds_left=left)


def _seconds(run: BillingRun) -> float:
    """Until it was finished, or now. One that was stopped was last seen a moment before that."""
    if run.started_at is None:
        return 0.0
    until = run.finished_at or (timezone.now() if run.state == RunState.RUNNING else run.seen_at)
    return max(0.0, (until - run.started_at).total_seconds()) if until else 0.0
