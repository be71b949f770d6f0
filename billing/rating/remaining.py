"""Remaining allowance of a period, and resources that are stopped: by the same rules and from the same values
as its bill (billing/rating/rules.py)."""

from decimal import Decimal

from billing.rating.allowances import usable_allowance, used_allowance
from billing.rating.rules import ZERO, Overage, RatingInputs, overage
from billing.rating.values import Allowance
from telcox.common.money import cents


def remaining_allowance(facts: RatingInputs) -> Allowance:
    """Return what may still be used without paying more."""
    return usable_allowance(facts.terms, facts.span, facts.changes) - used_allowance(facts.terms, facts.used)


def stopped_resources(facts: RatingInputs) -> list[str]:
    """Return which of "DATA", "VOICE" and "SMS" are used up and cannot be used any further: the plan has a
    hard stop, or the line is prepaid, or any more would exceed the spending limit.

    A resource whose overage is free does not stop, except on a prepaid line and by a hard stop. A unit that
    was started and is charged may be used to its end. Zero-rated data is not affected: it goes on.
    """
    terms, changes = facts.terms, facts.changes
    charged = {
        line.kind: line.amount
        for line in facts.rate().lines
        if line.kind not in ("PLAN", "PACK") and not line.late
    }
    room = _room(facts)
    found = []
    for each in overage(terms, facts.used, usable_allowance(terms, facts.span, changes)):
        if each.quantity < 0:
            continue
        others = sum((amount for kind, amount in charged.items() if kind != each.kind), ZERO)
        if (
            changes.prepaid
            or each.stops
            or (room is not None and each.unit_price and _passes(each, room - others))
        ):
            found.append(each.kind)
    return found


def _room(facts: RatingInputs) -> Decimal | None:
    """Return what packs leave of the spending limit, in dollars, or None if overage has no limit."""
    limit = facts.changes.spend_limit
    if limit is None or facts.terms.overage_beyond_spend_limit:
        return None
    return max(ZERO, limit - sum(cents(pack.price) for pack in facts.changes.packs))


def _passes(each: Overage, room: Decimal) -> bool:
    """Return True if any more of the resource would cost more than `room`, in dollars."""
    units, unit_price = each.units, each.unit_price
    if each.quantity < units * each.per and each.whole:  # the last one was only started
        return cents(units * unit_price) > room
    return units * unit_price >= room or cents((units + each.step) * unit_price) > room
