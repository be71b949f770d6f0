"""What of a period is left, and what is used up and not sold beyond: by the same rules as its bill
(billing/rating.py), from the same values."""

from decimal import Decimal

from billing.rating.rules import ZERO, Overage, RatingInputs, overage, usable_allowance, used_allowance
from billing.rating.values import Allowance
from telcox.common.money import cents


def remaining_allowance(facts: RatingInputs) -> Allowance:
    """What may still be used without paying more."""
    return usable_allowance(facts.terms, facts.span, facts.changes) - used_allowance(facts.terms, facts.used)


def stopped_resources(facts: RatingInputs) -> list[str]:
    """Of "DATA", "VOICE" and "SMS" those that are used up and of which no more is sold: the plan stops them,
    or the line is prepaid, or any more of them would pass the spend limit.

    Where more costs nothing, it does not stop, but for a prepaid line. A unit that was started and is charged
    may be used to its end. Data of categories that are zero-rated is not meant: it goes on.
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
    """What packs leave of the spend limit, if overage stops there."""
    limit = facts.changes.spend_limit
    if limit is None or facts.terms.overage_beyond_spend_limit:
        return None
    return max(ZERO, limit - sum(cents(pack.price) for pack in facts.changes.packs))


def _passes(each: Overage, room: Decimal) -> bool:
    """Whether any more of it would cost more than there is room for."""
    units, unit_price = each.units, each.unit_price
    if each.quantity < units * each.per and each.whole:  # the last one was only started
        return cents(units * unit_price) > room
    return units * unit_price >= room or cents((units + each.step) * unit_price) > room
