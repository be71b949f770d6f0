"""The charges for late usage, line by line: what has grown, and that they come to the difference."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from billing.rating import LateCharge, RatingInputs, Used
from billing.rating.late_charges import charged_late
from billing.rating.values import Discount
from billing.tests.late import billed_by, with_use
from billing.tests.worked_cases.case import MOVIL_30, bill, used

pytestmark = pytest.mark.once

D = Decimal


def late(facts: RatingInputs, more: Used) -> list[LateCharge]:
    """What is charged if the bill was issued from the facts, and this is all of the usage."""
    return list(charged_late(with_use(facts, more).rate(), billed_by(facts.rate().lines)))


def of(use: Used, *, percent: str = "0", dollars: str = "0", **given: Any) -> RatingInputs:
    """30 GB and 600 minutes are included; a gigabyte costs 1.00, and a minute 0.05."""
    facts = bill(used=use, plan=MOVIL_30, **given)
    discount = Discount(name="Amigos", percent=D(percent), amount=D(dollars))
    return replace(facts, changes=replace(facts.changes, discounts=(discount,)))


def test_quantity_and_amount_are_those_that_came_late() -> None:
    [data] = late(of(used("33")), used("35"))
    assert (data.unit, data.quantity, data.unit_price, data.amount) == ("GB", 2, 1, 2)


def test_each_line_has_the_discount_that_has_grown() -> None:
    data, voice = late(of(used("33", minutes=640), percent="10"), used("35", minutes=700))
    assert [(each.amount, each.discount) for each in (data, voice)] == [
        (D("2.00"), D("0.20")),
        (D("3.00"), D("0.30")),
    ]


def test_dollars_that_had_come_off_a_line_that_did_not_grow_are_not_given_twice() -> None:
    """25.00 off: of the fee of 22.00 and, of 4.00 for minutes, 2.00; a gigabyte then takes 1.00 of these."""
    facts = of(used("31", minutes=680), dollars="25.00")
    [data] = late(facts, used("33", minutes=680))
    assert data.amount == D("2.00")
    again, before = (each.rate() for each in (with_use(facts, used("33", minutes=680)), facts))
    assert data.amount - data.discount == again.subtotal - again.discount - before.subtotal + before.discount


@pytest.mark.parametrize("more", ["30", "33"])
def test_what_comes_to_nothing_is_no_charge(more: str) -> None:
    assert late(of(used("33")), used(more)) == []


def test_what_a_large_discount_takes_off_completely_is_no_charge() -> None:
    assert late(of(used("31"), dollars="60.00"), used("35")) == []


def test_what_costs_a_cent_is_a_charge() -> None:
    [data] = late(of(used("33")), used("33.01"))
    assert (data.amount, data.quantity) == (D("0.01"), D("0.010000"))
