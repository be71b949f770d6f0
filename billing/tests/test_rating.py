"""The price of a period: every worked case, and what a case cannot show."""

import subprocess
import sys
from datetime import date
from decimal import Decimal

import msgspec
import pytest
from msgspec.structs import replace

from billing.rating import (
    GB,
    Allowance,
    Pack,
    Rated,
    RatedLine,
    RatingInputs,
    Span,
    Used,
    included_allowance,
    used_allowance,
)
from billing.tests.worked_cases import CASES
from billing.tests.worked_cases.case import MOVIL_30, Case, allowance, bill, dollars, nov, pack_of, used
from billing.tests.worked_cases.document import DOCUMENT, with_cases

pytestmark = pytest.mark.once

CATEGORIES = ["social", "entertainment", "system_updates", "navigation_search"]
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)


@each_case
def test_worked_case(case: Case) -> None:
    rated = case.inputs.rate()
    assert [
        (line.kind, line.name, line.quantity, line.unit_price, line.amount, line.discount, line.tax)
        for line in rated.lines
    ] == case.lines
    assert str(rated.total) == case.total


@each_case
def test_worked_case_shows_money_in_cents(case: Case) -> None:
    for line in case.inputs.rate().lines:
        for amount in (line.amount, line.discount, line.tax, line.total):
            assert amount.as_tuple().exponent == -2


@pytest.mark.parametrize("case", [case for case in CASES if case.includes], ids=lambda case: case.title)
def test_worked_case_includes(case: Case) -> None:
    assert included_allowance(case.inputs.terms, case.inputs.span) == case.includes


@pytest.mark.parametrize("case", [case for case in CASES if case.carries], ids=lambda case: case.title)
def test_worked_case_carries_over(case: Case) -> None:
    inputs = case.inputs
    over = inputs.carried_over(cut=case.cut)
    assert over == case.carries


def test_the_document_shows_the_cases_as_they_are() -> None:
    text = DOCUMENT.read_text()
    assert text == with_cases(text), "python -m billing.tests.worked_cases writes them again"


def test_units_are_named_as_the_invoice_names_them() -> None:
    rated = bill(used=used("40", minutes=700, sms=300), packs=(pack_of("1 GB", "1.50", "1"),)).rate()
    assert {line.kind: line.unit for line in rated.lines} == {
        "PLAN": "PERIOD",
        "PACK": "PACK",
        "DATA": "GB",
        "VOICE": "MINUTE",
        "SMS": "SMS",
    }


def _line(kind: str, unit: str, *numbers: str) -> RatedLine:
    unit_price, amount, discount, tax = map(Decimal, numbers)
    return RatedLine(kind, "A", unit, Decimal(1), unit_price, amount, discount, tax)


def test_a_bill_is_the_sum_of_its_lines() -> None:
    ten = _line("PLAN", "PERIOD", "10.00", "10.00", "1.00", "1.35")
    two = _line("PACK", "PACK", "2.00", "2.00", "0.50", "0.23")
    rated = Rated((ten, two))
    assert (rated.subtotal, rated.discount, rated.tax, rated.total) == tuple(
        map(Decimal, ("12.00", "1.50", "1.58", "12.08"))
    )


@pytest.mark.parametrize("category", CATEGORIES)
def test_each_category_can_be_zero_rated(category: str) -> None:
    plan = replace(MOVIL_30, data_bytes=0, **{f"zero_rated_{category}": True})
    use = {f"{name}_bytes": GB << at for at, name in enumerate(CATEGORIES)}
    [_, data] = bill(used=Used(**use), plan=plan).rate().lines
    assert data.quantity == 15 - (1 << CATEGORIES.index(category))


@pytest.mark.parametrize("category", CATEGORIES)
def test_what_is_zero_rated_is_not_a_byte(category: str) -> None:
    plan = replace(MOVIL_30, **{f"zero_rated_{category}": True})
    assert used_allowance(plan, Used(**{f"{category}_bytes": GB})) == Allowance()
    assert used_allowance(MOVIL_30, Used(**{f"{category}_bytes": GB})) == Allowance(GB)


@pytest.mark.parametrize(
    ("facts", "fee", "discount"),
    [
        pytest.param(
            bill(nov(1, 15), used("22.5"), discounts=(dollars("-6", "6.00"),)),
            "15.00",  # 3/4 of the 16.00 that were left of the fee, and the discount of these days
            "3.00",
            id="the discount of the days that are left over is not lost",
        ),
        pytest.param(
            bill(nov(1, 15), used("30"), carried_in=allowance("10")),
            "16.50",  # 30 of 40 GB
            "0.00",
            id="what was carried in is part of what was sold",
        ),
        pytest.param(
            bill(
                nov(1, 15),
                used("28"),
                carried_in=allowance("10"),
                packs=(pack_of("5 GB", "4.00", "5"),),
            ),
            "13.75",  # 15 and 10 GB of the plan were there until then, 3 were the pack's: 25 of 40 GB
            "0.00",
            id="a pack covers what is beyond the allowance until then",
        ),
    ],
)
def test_of_a_period_that_is_cut_the_used_share_is_charged(
    facts: RatingInputs, fee: str, discount: str
) -> None:
    plan = facts.rate().lines[0]
    assert (plan.amount, plan.discount) == (Decimal(fee), Decimal(discount))


@pytest.mark.parametrize("stops", ["data_stops", "voice_stops", "sms_stops"])
def test_each_resource_can_stop(stops: str) -> None:
    plan = replace(MOVIL_30, **{stops: True})
    kinds = {line.kind for line in bill(used=used("40", minutes=700, sms=300), plan=plan).rate().lines}
    assert kinds == {"PLAN", "DATA", "VOICE", "SMS"} - {stops.removesuffix("_stops").upper()}


def test_a_packs_price_is_rounded_like_any_amount() -> None:
    [_, line] = bill(packs=(Pack("Odd", Decimal("1.005")),)).rate().lines
    assert (line.unit_price, line.amount) == (Decimal("1.01"), Decimal("1.01"))


def test_a_line_that_fits_only_by_being_rounded_is_charged() -> None:
    """Else a second message, which does not fit, would make the first one free."""
    plan = replace(MOVIL_30, overage_price_per_sms=Decimal("0.014"))
    for messages in (201, 202):
        [_, line] = bill(used=used(sms=messages), plan=plan, spend_limit=Decimal("0.01")).rate().lines
        assert (line.quantity, line.amount) == (1, Decimal("0.01"))


@pytest.mark.parametrize(
    "days",
    [
        ("2026-11-02", "2026-11-01", "2026-11-01", "2026-12-01"),  # reversed
        ("2026-10-31", "2026-11-02", "2026-11-01", "2026-12-01"),  # begins before its cycle
        ("2026-11-01", "2026-12-02", "2026-11-01", "2026-12-01"),  # ends after it
        ("2026-11-01", "2026-11-01", "2026-11-01", "2026-11-01"),  # a cycle of no days
    ],
)
def test_a_span_outside_its_cycle_is_refused(days: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="cycle"):
        Span(*map(date.fromisoformat, days))


@pytest.mark.parametrize(("first", "resumed"), [(10, 10), (20, 15)])
def test_a_suspension_of_no_days_costs_nothing(first: int, resumed: int) -> None:
    lost = ((date(2026, 11, first), date(2026, 11, resumed)),)
    assert bill(lost=lost).rate() == bill().rate()
    assert bill(nov(12, 18), lost=lost).rate() == bill(nov(12, 18)).rate()


RATE_ELSEWHERE = """
import sys
from msgspec import json
from billing.rating import RatingInputs
bills = json.decode(sys.stdin.buffer.read(), type=list[RatingInputs])
sys.stdout.buffer.write(json.encode([bill.rate() for bill in bills]))
"""


@pytest.mark.parametrize("zone", ["America/Guayaquil", "Pacific/Kiritimati", "Pacific/Midway"])
@pytest.mark.processes
def test_the_machines_time_zone_does_not_matter(zone: str) -> None:
    bills = [case.inputs for case in CASES]
    elsewhere = subprocess.run(
        [sys.executable, "-c", RATE_ELSEWHERE],
        input=msgspec.json.encode(bills),
        capture_output=True,
        check=True,
        cwd=DOCUMENT.parents[1],
        env={"TZ": zone},
    )
    assert elsewhere.stdout == msgspec.json.encode([bill.rate() for bill in bills])
