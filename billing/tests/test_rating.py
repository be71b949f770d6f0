from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rating import GB, RatedLine, Used, rate_period, total_up

D = Decimal


@dataclass
class Terms:
    plan_name: str = "Móvil 30 GB"
    price: Decimal = Decimal("22.00")
    limit_bytes: int = 30 * GB
    minutes_limit: int = 600
    sms_limit: int = 200
    overage_price_per_gb: Decimal = Decimal("1.00")
    overage_price_per_minute: Decimal = Decimal("0.05")
    overage_price_per_sms: Decimal = Decimal("0.05")


def charged(used: Used, terms: Terms | None = None) -> dict[str, Decimal]:
    return {line.unit: line.amount for line in rate_period(terms or Terms(), used)}


def test_within_the_allowance_only_the_price_is_charged() -> None:
    assert charged(Used(30 * GB, 600, 200)) == {"PERIOD": D("22.00")}


def test_use_beyond_the_allowance_is_charged_by_its_unit() -> None:
    used = Used(data_bytes=32 * GB + GB // 2, voice_minutes=610, sms=203)
    assert charged(used) == {"PERIOD": D("22.00"), "GB": D("2.50"), "MINUTE": D("0.50"), "SMS": D("0.15")}


def test_overage_without_a_price_makes_no_line() -> None:
    assert charged(Used(99 * GB), Terms(overage_price_per_gb=D(0))) == {"PERIOD": D("22.00")}


@pytest.mark.parametrize(
    ("amounts", "rate", "discount", "expected"),
    [
        (["22.00"], "0.15", "0", ("22.00", "0.00", "3.30", "25.30")),
        (["22.00", "2.50"], "0.15", "2.00", ("24.50", "2.00", "3.38", "25.88")),  # 3.375 goes up
        (["0.10"], "0.15", "0", ("0.10", "0.00", "0.02", "0.12")),  # 0.015 goes up
        (["5.00"], "0.15", "9.00", ("5.00", "5.00", "0.00", "0.00")),  # no discount below nothing
        ([], "0.15", "0", ("0.00", "0.00", "0.00", "0.00")),
    ],
)
def test_totals_are_the_lines_less_discount_plus_tax(
    amounts: list[str], rate: str, discount: str, expected: tuple[str, ...]
) -> None:
    lines = [RatedLine("PERIOD", D(1), D(amount), D(amount)) for amount in amounts]
    totals = total_up(lines, tax_rate=D(rate), discount=D(discount))
    assert (totals.subtotal, totals.discount, totals.tax, totals.total) == tuple(map(D, expected))


prices = st.decimals(0, 1000, places=6)
uses = st.builds(Used, st.integers(0, 2**45), st.integers(0, 10**7), st.integers(0, 10**5))
terms = st.builds(
    Terms,
    price=st.decimals(0, 1000, places=2),
    limit_bytes=st.integers(0, 2**44),
    minutes_limit=st.integers(0, 10**5),
    sms_limit=st.integers(0, 10**5),
    overage_price_per_gb=prices,
    overage_price_per_minute=prices,
    overage_price_per_sms=prices,
)


@given(terms, uses, st.decimals(0, 1, places=4), st.decimals(0, 10_000, places=2))
def test_lines_add_up_to_the_subtotal_and_nothing_is_negative(
    sold: Terms, used: Used, rate: Decimal, discount: Decimal
) -> None:
    lines = rate_period(sold, used)
    totals = total_up(lines, tax_rate=rate, discount=discount)
    assert sum(line.amount for line in lines) == totals.subtotal
    assert totals.total == totals.subtotal - totals.discount + totals.tax
    assert min(totals.subtotal, totals.discount, totals.tax, totals.total) >= 0
    assert all(amount == amount.quantize(D("0.01")) for amount in vars(totals).values())


def cost(sold: Terms, used: Used) -> Decimal:
    return sum((line.amount for line in rate_period(sold, used)), Decimal(0))


@given(terms, uses, uses)
def test_using_more_never_costs_less(sold: Terms, used: Used, more: Used) -> None:
    greater = Used(
        used.data_bytes + more.data_bytes, used.voice_minutes + more.voice_minutes, used.sms + more.sms
    )
    assert cost(sold, used) <= cost(sold, greater)
