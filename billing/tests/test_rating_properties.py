"""What holds for every bill, whatever was sold, used and changed. `make nightly` tries each
a hundred times as long."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from billing.rating import (
    GB,
    Allowance,
    Changes,
    Discount,
    Pack,
    Rated,
    RatingInputs,
    Span,
    Terms,
    Used,
    granted_allowance,
    included_allowance,
    rate_period,
)
from telcox.common.money import cents

pytestmark = pytest.mark.once

OVERAGE = ("DATA", "VOICE", "SMS")
MILLIONTH = Decimal("0.000001")


def dollars(most: int) -> st.SearchStrategy[Decimal]:
    return st.integers(0, most * 100).map(lambda n: Decimal(n).scaleb(-2))


def shares(most: int = 1) -> st.SearchStrategy[Decimal]:
    return st.integers(0, most * 10**4).map(lambda n: Decimal(n).scaleb(-4))


# Small and great ones, so that a period's price and one message's both meet their roundings.
unit_prices = st.one_of(st.integers(0, 10**6), st.integers(0, 10**12)).map(lambda n: Decimal(n).scaleb(-6))
data = st.one_of(st.integers(0, 20 * GB), st.integers(0, 20).map(lambda n: n * GB), st.integers(0, 2**62))
minutes = st.one_of(st.integers(0, 100), st.integers(0, 10**6))
seconds = st.one_of(st.integers(0, 6_000), st.integers(0, 10**8))
messages = st.one_of(st.integers(0, 100), st.integers(0, 10**6))

FLAGS = [name for name in Terms.__struct_fields__ if Terms.__annotations__[name] is bool]


def sold(flags: int, **fields: Any) -> Terms:
    """`flags` has a bit for each: one draw instead of ten."""
    fields |= {name: bool(flags >> at & 1) for at, name in enumerate(FLAGS)}
    return Terms(plan_name="Plan", **fields)


terms = st.builds(
    sold,
    flags=st.integers(0, 2 ** len(FLAGS) - 1),
    price=dollars(1000),
    data_bytes=data,
    voice_minutes=minutes,
    sms=messages,
    overage_price_per_gb=unit_prices,
    overage_price_per_minute=unit_prices,
    overage_price_per_sms=unit_prices,
    rollover_share=st.just(Decimal(1)) | shares(),
    rollover_cap=shares(3),
)
uses = st.builds(Used, data, data, data, data, seconds, messages)
allowances = st.builds(Allowance, data, minutes, messages)
packs = st.builds(Pack, st.sampled_from("ABC"), dollars(50), data, minutes, messages)
discounts = st.builds(Discount, st.sampled_from("ABC"), shares(100), dollars(50))


@st.composite
def spans(draw: st.DrawFn, whole: bool = False) -> Span:
    start = date(2019, 12, 1) + timedelta(days=draw(st.integers(0, 4000)))
    days = draw(st.one_of(st.integers(28, 31), st.integers(1, 366)))
    first, last = (0, days) if whole else sorted((draw(st.integers(0, days)), draw(st.integers(0, days))))
    return Span(*(start + timedelta(days=day) for day in (first, last, 0, days)))


@st.composite
def suspensions(draw: st.DrawFn, span: Span) -> tuple[tuple[date, date], ...]:
    """Of any length, none and less included, and in any order; over the edges and over each other."""
    day = st.integers(-5, span.days + 5).map(lambda n: span.cycle_start + timedelta(days=n))
    return tuple(draw(st.lists(st.tuples(day, day), max_size=4)))


@st.composite
def bills(draw: st.DrawFn) -> RatingInputs:
    span = draw(spans())
    changes = Changes(
        packs=tuple(draw(st.lists(packs, max_size=3))),
        lost=draw(suspensions(span)),
        carried_in=draw(st.just(Allowance()) | allowances),
        carried_out=draw(st.just(Allowance()) | allowances),
        discounts=tuple(draw(st.lists(discounts, max_size=3))),
        extra_discount=draw(st.just(Decimal(0)) | dollars(50)),
        spend_limit=draw(st.none() | dollars(100)),
        prepaid=draw(st.sampled_from([False, False, False, True])),
    )
    return RatingInputs(draw(terms), draw(uses), span, changes, draw(shares()))


def amounts(rated: Rated, *kinds: str) -> Decimal:
    return sum((line.amount for line in rated.lines if line.kind in kinds), Decimal(0))


def both(one: Used, other: Used) -> Used:
    return Used(*(getattr(one, name) + getattr(other, name) for name in Used.__struct_fields__))


def unlimited(bill: RatingInputs) -> RatingInputs:
    return replace(bill, changes=replace(bill.changes, spend_limit=None))


def _limited(bill: RatingInputs, limit: Decimal) -> RatingInputs:
    terms = replace(bill.terms, data_stops=False, voice_stops=False, sms_stops=False)
    changes = replace(bill.changes, spend_limit=limit, prepaid=False, carried_in=Allowance())
    return replace(bill, terms=replace(terms, overage_beyond_spend_limit=False), changes=changes)


def _exact(bill: RatingInputs) -> RatingInputs:
    dear = {name: Decimal(10**6) for name in Terms.__struct_fields__ if name.startswith("overage_price_")}
    changes = Changes(packs=bill.changes.packs, carried_in=bill.changes.carried_in)
    return replace(bill, terms=replace(bill.terms, **dear, **dict.fromkeys(FLAGS, False)), changes=changes)


# Most of these reach their spend limit.
limited = st.builds(_limited, bills(), dollars(100))
# Of these, all that is used beyond the allowance is on the bill, down to a millionth of a unit.
exact = bills().map(_exact)


@given(bills())
def test_lines_are_what_they_say_and_add_up_to_the_bill(bill: RatingInputs) -> None:
    rated = bill.rate()
    for line in rated.lines:
        assert line.amount == cents(line.quantity * line.unit_price)
        assert line.tax == cents((line.amount - line.discount) * bill.tax_rate)
    assert rated.subtotal == sum(line.amount for line in rated.lines)
    assert rated.discount == sum(line.discount for line in rated.lines)
    assert rated.tax == sum(line.tax for line in rated.lines)
    assert rated.total == rated.subtotal - rated.discount + rated.tax


@given(bills())
def test_nothing_is_negative_or_finer_than_a_cent(bill: RatingInputs) -> None:
    rated = bill.rate()
    for line in rated.lines:
        assert 0 <= line.discount <= line.amount
        assert min(line.quantity, line.unit_price, line.tax) >= 0
        assert all(each == cents(each) for each in (line.amount, line.discount, line.tax))
        assert line.kind in ("PLAN", "PACK") or line.amount > 0
    assert min(rated.subtotal, rated.discount, rated.tax, rated.total) >= 0


@given(bills())
def test_a_bill_has_its_plan_its_packs_and_one_line_of_each_overage(bill: RatingInputs) -> None:
    kinds = [line.kind for line in bill.rate().lines]
    beyond = kinds[1 + len(bill.changes.packs) :]
    assert kinds[: -len(beyond) or None] == ["PLAN"] + ["PACK"] * len(bill.changes.packs)
    assert beyond == [kind for kind in OVERAGE if kind in beyond]


@given(bills(), uses)
def test_more_use_never_costs_less(bill: RatingInputs, more: Used) -> None:
    less = unlimited(bill)
    greater = replace(less, used=both(bill.used, more))
    assert less.rate().total <= greater.rate().total
    for kind in OVERAGE:
        assert amounts(less.rate(), kind) <= amounts(greater.rate(), kind)


@given(limited, st.sampled_from(OVERAGE), uses)
def test_at_the_spend_limit_more_of_one_thing_never_makes_that_thing_cheaper(
    bill: RatingInputs, kind: str, more: Used
) -> None:
    field = {"DATA": "social_bytes", "VOICE": "voice_seconds", "SMS": "sms"}[kind]
    used = replace(bill.used, **{field: getattr(bill.used, field) + getattr(more, field)})
    assert amounts(bill.rate(), kind) <= amounts(replace(bill, used=used).rate(), kind)


@given(bills())
def test_without_a_limit_or_for_a_plan_that_goes_beyond_it_all_use_is_charged(bill: RatingInputs) -> None:
    beyond = replace(bill, terms=replace(bill.terms, overage_beyond_spend_limit=True))
    assert beyond.rate() == unlimited(bill).rate()


@given(limited)
def test_the_spend_limit_is_not_passed_and_used_up_to_the_last_unit_that_fits(bill: RatingInputs) -> None:
    rated, free = bill.rate(), unlimited(bill).rate()
    room = max((bill.changes.spend_limit or 0) - amounts(rated, "PACK"), Decimal(0))
    assert amounts(rated, *OVERAGE) <= room
    charged = {line.kind: line for line in rated.lines}
    for wanted in free.lines[1 + len(bill.changes.packs) :]:
        line = charged.get(wanted.kind)
        quantity, amount = (line.quantity, line.amount) if line else (Decimal(0), Decimal(0))
        if amount < wanted.amount:
            step = MILLIONTH if wanted.quantity % 1 else Decimal(1)
            assert amount == room or cents((quantity + step) * wanted.unit_price) > room
        room -= amount


@given(bills())
def test_a_prepaid_line_never_has_overage(bill: RatingInputs) -> None:
    prepaid = replace(bill, changes=replace(bill.changes, prepaid=True)).rate()
    assert amounts(prepaid, *OVERAGE) == 0
    assert {line.kind for line in prepaid.lines} <= {"PLAN", "PACK"}


@given(bills())
def test_who_is_cut_short_never_pays_more_than_when_it_was_sold(bill: RatingInputs) -> None:
    """But for the cents by which the days of a price and those of a discount are rounded, and taxed."""
    changes = replace(bill.changes, prepaid=True, packs=())
    whole = replace(bill.span, end=bill.span.cycle_end)
    when_sold = rate_period(
        bill.terms, Used(), whole, replace(changes, lost=(), extra_discount=Decimal(0)), bill.tax_rate
    )
    assert replace(bill, changes=changes).rate().total <= when_sold.total + Decimal("0.02")


@given(bills(), st.integers(1, 100))
def test_what_is_prepaid_and_used_up_is_not_given_back(bill: RatingInputs, percent: int) -> None:
    span = replace(bill.span, start=bill.span.cycle_start, end=bill.span.cycle_start)
    terms = replace(bill.terms, data_bytes=100 * GB, zero_rated_social=False)
    cut = rate_period(terms, Used(social_bytes=percent * GB), span, Changes(prepaid=True), bill.tax_rate)
    assert 0 <= terms.price * percent / 100 - cut.subtotal < Decimal("0.01")


@given(terms, spans(), st.data())
def test_however_a_period_is_cut_its_parts_cost_and_hold_what_it_does_whole(
    sold: Terms, span: Span, data: st.DataObject
) -> None:
    lost = data.draw(suspensions(span))
    discount = data.draw(discounts)
    cut_at = data.draw(st.lists(st.integers(span.offset(span.start), span.offset(span.end)), max_size=6))
    edges = sorted([span.start, span.end, *(span.cycle_start + timedelta(days=day) for day in cut_at)])
    parts = [replace(span, start=start, end=end) for start, end in pairwise(edges)]
    # Bought in each part, so that the dollars of a discount always find something to come off.
    changes = Changes(
        lost=lost, packs=(Pack("A", Decimal(100)),), discounts=(replace(discount, percent=Decimal(0)),)
    )

    def rated(part: Span) -> Rated:
        return rate_period(sold, Used(), part, changes, Decimal(0))

    assert sum(amounts(rated(part), "PLAN") for part in parts) == amounts(rated(span), "PLAN")
    assert sum(rated(part).discount for part in parts) == rated(span).discount
    assert sum((included_allowance(sold, part) for part in parts), Allowance()) == included_allowance(
        sold, span
    )


@given(terms, spans(whole=True))
def test_a_full_period_costs_its_price_and_holds_its_allowance(sold: Terms, span: Span) -> None:
    assert rate_period(sold, Used(), span, Changes(), Decimal(0)).total == sold.price
    assert included_allowance(sold, span) == Allowance(sold.data_bytes, sold.voice_minutes, sold.sms)


@given(bills())
def test_a_day_that_is_lost_is_not_charged_and_the_others_are(bill: RatingInputs) -> None:
    span = bill.span
    whole, rated = Changes(), Changes(lost=bill.changes.lost)

    def fee(part: Span, changes: Changes) -> Decimal:
        return rate_period(bill.terms, Used(), part, changes, Decimal(0)).total

    days = [span.start + timedelta(days=n) for n in range((span.end - span.start).days)]
    kept = [day for day in days if not any(first <= day < resumed for first, resumed in bill.changes.lost)]
    singles = [replace(span, start=day, end=day + timedelta(days=1)) for day in kept]
    assert fee(span, rated) == sum(fee(day, whole) for day in singles)


@given(bills(), st.data())
def test_the_order_of_packs_discounts_and_suspensions_does_not_matter(
    bill: RatingInputs, data: st.DataObject
) -> None:
    changes = replace(
        bill.changes,
        packs=tuple(data.draw(st.permutations(bill.changes.packs))),
        discounts=tuple(data.draw(st.permutations(bill.changes.discounts))),
        lost=tuple(data.draw(st.permutations(bill.changes.lost))),
    )
    other = replace(bill, changes=changes)
    assert msgspec.json.encode(other.rate()) == msgspec.json.encode(bill.rate())
    for cut in (False, True):
        assert over(other, cut) == over(bill, cut)


def over(bill: RatingInputs, cut: bool) -> Allowance:
    return bill.carried_over(cut=cut)


@given(exact, st.booleans())
def test_carrying_over_makes_no_overage_by_itself(bill: RatingInputs, cut: bool) -> None:
    after = replace(bill, changes=replace(bill.changes, carried_out=over(bill, cut)))
    assert after.rate() == bill.rate()


@given(bills())
def test_what_is_carried_over_is_within_the_share_and_the_cap(bill: RatingInputs) -> None:
    given_on, sold = over(bill, cut=False), bill.terms
    own = included_allowance(sold, bill.span) + bill.changes.carried_in
    for name, full in (
        ("data_bytes", sold.data_bytes),
        ("voice_minutes", sold.voice_minutes),
        ("sms", sold.sms),
    ):
        amount = getattr(given_on, name)
        assert 0 <= amount <= sold.rollover_share * getattr(own, name)
        assert amount <= sold.rollover_cap * full


def used_free(bill: RatingInputs) -> tuple[Decimal, Decimal, Decimal]:
    """What was used and not charged for, in bytes, seconds and messages."""
    beyond = {line.kind: line.quantity for line in bill.rate().lines}
    used = bill.used
    total = (
        used.social_bytes
        + used.entertainment_bytes
        + used.system_updates_bytes
        + used.navigation_search_bytes
    )
    return (
        total - beyond.get("DATA", Decimal(0)) * GB,
        used.voice_seconds - beyond.get("VOICE", Decimal(0)) * 60,
        used.sms - beyond.get("SMS", Decimal(0)),
    )


def as_sold(span: Span) -> Span:
    """Of a period that is cut short, more than its days' share may be used up: it is paid with the fee."""
    return replace(span, end=span.cycle_end)


@given(exact, exact, uses, st.booleans())
def test_no_allowance_is_used_twice_however_late_use_is_reported(
    this: RatingInputs, following: RatingInputs, late: Used, cut: bool
) -> None:
    carried = over(this, cut)
    later = replace(this, used=both(this.used, late), changes=replace(this.changes, carried_out=carried))
    following = replace(following, changes=replace(following.changes, carried_in=Allowance()))
    both_hold = granted_allowance(this.terms, as_sold(this.span), this.changes)
    both_hold += granted_allowance(following.terms, as_sold(following.span), following.changes)
    following = replace(following, changes=replace(following.changes, carried_in=carried))
    for free, follows, held, unit in zip(
        used_free(later),
        used_free(following),
        (both_hold.data_bytes, both_hold.voice_minutes * 60, both_hold.sms),
        (GB, 60, 0),
        strict=True,
    ):
        # Half a millionth of a unit may be rounded away in each period.
        assert free + follows <= held + MILLIONTH * unit


@given(bills())
def test_what_is_kept_as_json_is_rated_the_same(bill: RatingInputs) -> None:
    kept = msgspec.json.decode(msgspec.json.encode(bill), type=RatingInputs)
    assert kept == bill
    assert msgspec.json.encode(kept.rate()) == msgspec.json.encode(bill.rate())
