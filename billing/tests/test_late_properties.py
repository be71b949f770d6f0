"""What holds for late use, however it is split between on time and late."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from billing.rating import LateCharge, LateUse, RatedLine, RatingInputs, Used
from billing.rating.late_charges import charged_late, price_difference
from billing.tests.late import billed_by, with_use
from billing.tests.test_rating_properties import OVERAGE, amounts, bills, both, limited, unlimited, uses
from telcox.common.money import cents

pytestmark = pytest.mark.once

arrivals = st.lists(uses, max_size=3)


def charged_in_turn(bill: RatingInputs, later: list[Used]) -> list[list[RatedLine] | list[LateCharge]]:
    """What is billed, and then late each time that more has arrived."""
    billed: list[RatedLine | LateCharge] = [*bill.rate().lines]
    used, turns = bill.used, []
    for more in later:
        used = both(used, more)
        late = charged_late(with_use(bill, used).rate(), billed_by(billed))
        turns.append([*late])
        billed += late
    return [[*bill.rate().lines], *turns]


def net(lines: list[RatedLine] | list[LateCharge]) -> Decimal:
    return sum((line.amount - line.discount for line in lines), Decimal(0))


def all_used(bill: RatingInputs, later: list[Used]) -> RatingInputs:
    for more in later:
        bill = with_use(bill, both(bill.used, more))
    return bill


@given(bills(), arrivals)
def test_late_use_costs_in_all_what_it_had_cost_on_time(bill: RatingInputs, later: list[Used]) -> None:
    bill = unlimited(bill)
    turns = charged_in_turn(bill, later)
    assert sum(map(net, turns)) == net([*all_used(bill, later).rate().lines])


@given(bills(), arrivals)
def test_without_discounts_so_does_each_thing(bill: RatingInputs, later: list[Used]) -> None:
    bill = unlimited(bill)
    bill = replace(bill, changes=replace(bill.changes, discounts=(), extra_discount=Decimal(0)))
    billed = billed_by([line for turn in charged_in_turn(bill, later) for line in turn])
    for line in all_used(bill, later).rate().lines:
        assert line.unit == "PACK" or billed[line.unit].amount == line.amount


@given(bills(), bills(), arrivals, arrivals, bills())
def test_of_two_periods_on_the_next_bill(
    one: RatingInputs, other: RatingInputs, ones: list[Used], others: list[Used], following: RatingInputs
) -> None:
    """Neither knows of the other, and the next bill charges itself as it would alone."""
    one, other = unlimited(one), unlimited(other)
    late = tuple(
        LateUse(
            sequence, "2026-11", 1, charged_late(all_used(bill, later).rate(), billed_by(bill.rate().lines))
        )
        for sequence, (bill, later) in enumerate(((one, ones), (other, others)), start=1)
    )
    with_late = replace(following, changes=replace(following.changes, late=late)).rate()
    alone = following.rate()
    assert with_late.lines[: len(alone.lines)] == alone.lines
    for use, bill, later in zip(late, (one, other), (ones, others), strict=True):
        lines = [line for line in with_late.lines if line.late == use]
        assert net([*bill.rate().lines]) + net(lines) == net([*all_used(bill, later).rate().lines])
        assert all(line.tax == cents((line.amount - line.discount) * following.tax_rate) for line in lines)


@given(limited, arrivals)
def test_at_the_spend_limit_too_nothing_is_given_back_or_charged_beyond_it(
    bill: RatingInputs, later: list[Used]
) -> None:
    _on_time, *turns = charged_in_turn(bill, later)
    for turn in turns:
        for charge in turn:
            assert 0 <= charge.discount <= charge.amount == cents(charge.amount)
            assert charge.quantity >= 0
    # Packs and overage together, late or not, cost no more than the limit.
    billed = bill.rate()
    room = max((bill.changes.spend_limit or Decimal(0)) - amounts(billed, "PACK"), Decimal(0))
    overage = amounts(billed, *OVERAGE) + sum(
        charge.amount for turn in turns for charge in turn if charge.unit in OVERAGE
    )
    assert overage <= room
    again = all_used(bill, later).rate()
    first = charged_late(again, billed_by(bill.rate().lines))
    assert net([*first]) <= max(Decimal(0), price_difference(again, billed_by(bill.rate().lines)))
