"""What holds for every period that is cut short, and for lines with tax rates of their own."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from billing.models.taxes import taxes_by_rate
from billing.rating import Discount, RatingInputs, Used
from billing.tests.test_rating_properties import amounts, as_sold, bills, both, shares, uses
from billing.tests.worked_cases.case import MOVIL_30, bill, nov, used
from telcox.common.money import cents

pytestmark = pytest.mark.once


def whole(bill: RatingInputs) -> RatingInputs:
    """The same period, if it had not been cut short."""
    return replace(bill, span=as_sold(bill.span))


@st.composite
def discounted(draw: st.DrawFn) -> RatingInputs:
    """A cut period with discounts of no more than its fee: a percentage, and some amounts of dollars."""
    bill = draw(bills())
    price = draw(st.integers(1, 2000))
    amounts = draw(st.lists(st.integers(0, price // 3), max_size=3))
    percent = draw(st.sampled_from(["0", "50", "33.33", "99.99", "100"]).map(Decimal) | shares(100))
    changes = replace(
        bill.changes,
        # Days that the operator takes after the cut are the next period's.
        lost=tuple((first, min(resumed, bill.span.end)) for first, resumed in bill.changes.lost),
        discounts=(
            Discount("P", percent=percent.quantize(Decimal("0.01"))),
            *(Discount("D", amount=Decimal(amount).scaleb(-2)) for amount in amounts),
        ),
    )
    return replace(bill, terms=replace(bill.terms, price=Decimal(price).scaleb(-2)), changes=changes)


@given(bills())
def test_a_fee_is_never_more_than_the_price_nor_than_that_of_the_uncut_period(bill: RatingInputs) -> None:
    """Cut at any moment, with any usage, any days lost, and any discounts."""
    assert amounts(bill.rate(), "PLAN") <= amounts(whole(bill).rate(), "PLAN") <= bill.terms.price


@given(discounted())
def test_no_bill_is_higher_because_its_period_was_cut(bill: RatingInputs) -> None:
    cut, uncut = bill.rate(), whole(bill).rate()
    [fee, *_] = uncut.lines
    percent = min(Decimal(100), bill.changes.discounts[0].percent)
    dollars = sum((each.amount for each in bill.changes.discounts), Decimal(0))
    if fee.amount - cents(fee.amount * percent / 100) < dollars:
        return  # dollars beyond the fee come off packs and overage, which only a whole period has in full
    assert cut.subtotal - cut.discount <= uncut.subtotal - uncut.discount
    if len(cut.lines) == 1:  # else the tax of several lines is rounded one by one
        assert cut.total <= uncut.total


@given(discounted(), uses)
def test_late_usage_of_a_cut_period_never_takes_it_beyond_the_uncut_one(
    bill: RatingInputs, late: Used
) -> None:
    more = replace(bill, used=both(bill.used, late))
    assert amounts(bill.rate(), "PLAN") <= amounts(more.rate(), "PLAN") <= amounts(whole(more).rate(), "PLAN")


@given(bills(), st.lists(shares(), min_size=3, max_size=3))
def test_each_line_is_taxed_at_its_own_rate_or_the_bill_s(bill: RatingInputs, rates: list[Decimal]) -> None:
    taxed = [replace(pack, tax_rate=rate) for pack, rate in zip(bill.changes.packs, rates, strict=False)]
    rated = replace(bill, changes=replace(bill.changes, packs=tuple(taxed))).rate()
    by_rate = taxes_by_rate(bill, rated.lines)
    assert sum(each.tax for each in by_rate) == rated.tax
    assert sum(each.taxable for each in by_rate) == rated.subtotal - rated.discount
    for line in rated.lines:
        rate = bill.tax_rate if line.tax_rate is None else line.tax_rate
        assert line.tax == cents((line.amount - line.discount) * rate)
    same = replace(bill, changes=replace(bill.changes, packs=tuple(replace(p, tax_rate=None) for p in taxed)))
    assert [line.amount for line in same.rate().lines] == [line.amount for line in rated.lines]


def test_a_fee_is_not_more_than_the_uncut_one_whatever_is_lost_after_the_cut() -> None:
    plan = replace(MOVIL_30, price=Decimal("60.00"))
    almost_all = (Discount("Casi todo", percent=Decimal("99.99")),)
    taken = ((date(2026, 11, 20), date(2026, 11, 23)),)
    cut = bill(nov(1, 9), used("30"), plan=plan, discounts=almost_all, lost=taken)
    assert amounts(cut.rate(), "PLAN") == amounts(whole(cut).rate(), "PLAN") == Decimal("54.00")
