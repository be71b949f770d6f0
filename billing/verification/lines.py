"""Verify lines: history, suspensions and state agree, and each period is correct (periods.py)."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from billing.verification.faults import Fault
from billing.verification.late import late_faults
from billing.verification.periods import PeriodFacts, period_faults
from customers.lifecycle import TRANSITIONS
from customers.models import HolderChange, Line, LineEvent, LineStatus, LineStep, Subscription, Suspension
from telcox.common.database.consistent_read import consistent_read

# Lines read together, with all their periods and history.
LINES_AT_ONCE = 50


def line_faults() -> Iterator[Fault]:
    last = 0
    while True:
        with consistent_read():
            lines = list(Line.objects.filter(pk__gt=last).order_by("pk")[:LINES_AT_ONCE])
            if not lines:
                return
            found = list(_check(lines))
        yield from found
        last = lines[-1].pk


def _check(lines: Sequence[Line]) -> Iterator[Fault]:
    of_these = {"line__in": [line.pk for line in lines]}
    periods = _by_line(Subscription.objects.filter(**of_these).order_by("line_id", "sequence"))
    suspensions = _by_line(Suspension.objects.filter(**of_these).order_by("line_id", "start_at", "pk"))
    steps: defaultdict[int, list[str]] = defaultdict(list)
    history = LineEvent.objects.filter(**of_these).order_by("line_id", "pk")
    for line_id, step in history.values_list("line_id", "step"):
        steps[line_id].append(step)
    changes = _by_line(HolderChange.objects.filter(**of_these).order_by("line_id", "at", "pk"))
    facts = PeriodFacts([period for line in lines for period in periods[line.pk]])
    yield from facts.unratable
    yield from late_faults(lines)
    for line in lines:
        of = f"line {line.phone_number}"
        for what in (
            *_state_faults(line, suspensions[line.pk]),
            *_suspension_faults(suspensions[line.pk]),
            *_walk_faults(line, steps[line.pk]),
        ):
            yield Fault(of, what)
        yield from period_faults(line, periods[line.pk], facts)
        yield from _holder_faults(line, periods[line.pk], changes[line.pk])


def _by_line(rows: Any) -> defaultdict[int, list[Any]]:
    found: defaultdict[int, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.line_id].append(row)
    return found


def _holder_faults(
    line: Line, periods: Sequence[Subscription], changes: Sequence[HolderChange]
) -> Iterator[Fault]:
    """Yield faults of who holds the line, and who held it in each period: the first holder until the first
    change, and so on."""
    of = f"line {line.phone_number}"
    holders = [*(change.previous_id for change in changes), line.customer_id]
    if [change.customer_id for change in changes] != holders[1:]:
        yield Fault(of, "its holder is not who it was given to last, or a change of holder is missing")
    for period in periods:
        holder = next((each.previous_id for each in changes if each.at > period.start_at), line.customer_id)
        if period.customer_id != holder:
            yield Fault(f"period {line.phone_number}/{period.sequence}", "another customer held the line")


def _state_faults(line: Line, suspensions: Sequence[Suspension]) -> Iterator[str]:
    suspended = any(suspension.is_open for suspension in suspensions)
    if suspended != (line.status == LineStatus.SUSPENDED):
        yield f"it is {line.status}, and {'a' if suspended else 'no'} suspension is open"
    if (line.terminated_at is not None) != (line.status == LineStatus.TERMINATED):
        yield f"it is {line.status}, and terminated {line.terminated_at or 'never'}"


def _suspension_faults(suspensions: Sequence[Suspension]) -> Iterator[str]:
    for earlier, later in pairwise(suspensions):
        if earlier.end_at is None or later.start_at < earlier.end_at:
            yield f"the suspensions from {earlier.start_at} and {later.start_at} overlap"
            return


def _walk_faults(line: Line, steps: Sequence[str]) -> Iterator[str]:
    """Follow the history: a line starts active, and each step leads from one state to the next."""
    status = LineStatus.ACTIVE
    for number, step in enumerate(steps, start=1):
        allowed = TRANSITIONS[LineStep(step)]
        if status not in allowed:
            yield f"step {number} of its history, {step}, was taken while {status.value}"
            return
        status = allowed[status]
    if status != line.status:
        yield f"it is {line.status}, by its history {status.value}"
