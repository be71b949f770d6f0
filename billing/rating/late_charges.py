"""Charges for late usage, which arrived after its period was billed. Pure functions, as in
billing/rating/rules.py."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from billing.rating.rules import ONE, ZERO, Rated, RatedLine
from billing.rating.values import LateCharge


class BilledUnit(NamedTuple):
    """What was billed so far for a period's fee, for all of its packs, or for its usage in one unit."""

    quantity: Decimal = ZERO
    amount: Decimal = ZERO
    discount: Decimal = ZERO

    def with_(self, *more: Decimal) -> "BilledUnit":
        return BilledUnit(*(mine + others for mine, others in zip(self, more, strict=True)))


NOT_BILLED = BilledUnit()


def price_difference(again: Rated, billed: Mapping[str, BilledUnit]) -> Decimal:
    """Return the difference in dollars, before tax, between a period rated `again` and what was `billed` for
    it, by unit. Positive if it costs more now."""
    net = sum((each.amount - each.discount for each in billed.values()), ZERO)
    return sum((line.amount - line.discount for line in again.lines), ZERO) - net


def charged_late(again: Rated, billed: Mapping[str, BilledUnit]) -> tuple[LateCharge, ...]:
    """Return the charges for late usage: the lines that have grown. Return none if the period costs no more
    than was billed, because late usage never gives money back.

    Discounts, and amounts at the spending limit, move from one line to another. So the sum of the charges is
    made equal to the difference of the two bills: the excess is taken off the lines that have grown.
    """
    due = price_difference(again, billed)
    if due <= 0:
        return ()
    grown = [
        _difference(line, before)
        for line in again.lines
        if line.unit != "PACK" and line.amount > (before := billed.get(line.unit, NOT_BILLED)).amount
    ]
    return tuple(_coming_to(due, grown))


def _difference(line: RatedLine, before: BilledUnit) -> LateCharge:
    amount = line.amount - before.amount
    fee = line.kind == "PLAN"
    return LateCharge(
        kind=line.kind,
        name=line.name,
        unit=line.unit,
        quantity=ONE if fee else line.quantity - before.quantity,
        unit_price=amount if fee else line.unit_price,
        amount=amount,
        discount=min(max(ZERO, line.discount - before.discount), amount),
    )


def _coming_to(due: Decimal, charges: Sequence[LateCharge]) -> Iterator[LateCharge]:
    excess = sum((charge.amount - charge.discount for charge in charges), ZERO) - due
    for charge in charges:
        off = min(max(excess, -charge.discount), charge.amount - charge.discount)
        excess -= off
        yield replace(charge, discount=charge.discount + off)
