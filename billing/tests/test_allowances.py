"""What is left, and what is stopped, by the rules of the bill."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from billing.rating import Allowance, RatingInputs, Used
from billing.rating.remaining import remaining_allowance, stopped_resources
from billing.tests.test_rating_properties import bills, unlimited
from billing.tests.worked_cases.case import MOVIL_30, allowance, bill, pack_of, used

pytestmark = pytest.mark.once

ALL = ["DATA", "VOICE", "SMS"]
FULL = used("30", minutes=600, sms=200)


def limited(use: Used, limit: str = "5.00", **terms: Any) -> RatingInputs:
    return bill(used=use, plan=replace(MOVIL_30, **terms), spend_limit=Decimal(limit))


def of_sms(messages: int, limit: str) -> RatingInputs:
    """Messages of 0.05 each, beyond an allowance of none."""
    plan = replace(MOVIL_30, sms=0, overage_price_per_sms=Decimal("0.05"))
    return bill(used=used(sms=messages), plan=plan, spend_limit=Decimal(limit))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(bill(used=used("29", minutes=599, sms=199)), [], id="some of each is left"),
        pytest.param(bill(used=FULL), [], id="used up, and more is sold"),
        pytest.param(bill(used=FULL, prepaid=True), ALL, id="prepaid stops at the allowance"),
        pytest.param(bill(used=used(sms=199), prepaid=True), [], id="prepaid, one message is left"),
        pytest.param(bill(used=used("29", minutes=600), prepaid=True), ["VOICE"], id="prepaid, voice alone"),
        pytest.param(
            bill(used=used("0", minutes=599, seconds=1), prepaid=True), [], id="a second of a minute is left"
        ),
        pytest.param(
            bill(used=FULL, plan=replace(MOVIL_30, data_stops=True, sms_stops=True)),
            ["DATA", "SMS"],
            id="the plan stops",
        ),
        pytest.param(
            bill(used=used("29"), plan=replace(MOVIL_30, data_stops=True)), [], id="nothing to stop yet"
        ),
        pytest.param(
            bill(used=FULL, plan=replace(MOVIL_30, overage_price_per_gb=Decimal(0)), spend_limit=Decimal(0)),
            ["VOICE", "SMS"],
            id="more data costs nothing",
        ),
        pytest.param(
            bill(used=FULL, plan=replace(MOVIL_30, overage_price_per_gb=Decimal(0)), prepaid=True),
            ALL,
            id="prepaid stops where more would cost nothing",
        ),
        pytest.param(
            bill(used=used("31"), packs=(pack_of("5 GB", "4.00", "5"),), prepaid=True), [], id="a pack"
        ),
        pytest.param(
            bill(used=used("28"), carried_out=allowance("2"), prepaid=True), ["DATA"], id="carried over"
        ),
        pytest.param(limited(used("34.99")), [], id="the limit is not reached"),
        pytest.param(limited(used("35")), ["DATA"], id="reached exactly, minutes are left"),
        pytest.param(limited(used("35", minutes=600)), ["DATA", "VOICE"], id="reached, and no minute left"),
        pytest.param(limited(used("40", minutes=620)), ["DATA", "VOICE"], id="passed"),
        pytest.param(
            limited(used("40", minutes=620), overage_beyond_spend_limit=True), [], id="the plan goes on"
        ),
        pytest.param(
            limited(used("34", minutes=619, seconds=1)),
            ["DATA"],
            id="the last minute may be spoken to its end",
        ),
        pytest.param(limited(used("34", minutes=620)), ["DATA", "VOICE"], id="and now it is ended"),
        pytest.param(
            limited(used("33.5", sms=200), overage_per_started_gb=True),
            [],
            id="the fourth GB may be used to its end",
        ),
        pytest.param(
            limited(used("34.5", minutes=600), "4.50", overage_per_started_gb=True),
            ["DATA"],
            id="another GB does not fit, ten minutes do",
        ),
        pytest.param(of_sms(1, "0.10"), [], id="a second message comes to the limit exactly"),
        pytest.param(of_sms(2, "0.10"), ["SMS"], id="the limit is reached by messages"),
        pytest.param(of_sms(2, "0.12"), ["SMS"], id="a third message would pass the limit"),
        pytest.param(
            bill(
                used=used("35", minutes=600),
                packs=(pack_of("5 GB", "4.00", "5"),),
                spend_limit=Decimal("4.00"),
            ),
            ["DATA", "VOICE"],
            id="packs took all of it",
        ),
        pytest.param(
            bill(
                used=Used(social_bytes=40 * 2**30),
                plan=replace(MOVIL_30, zero_rated_social=True, data_stops=True),
            ),
            [],
            id="what is free is not counted",
        ),
    ],
)
def test_stopped_is_what_is_used_up_and_not_sold_beyond(facts: RatingInputs, expected: list[str]) -> None:
    assert stopped_resources(facts) == expected


def test_what_is_left_is_in_whole_minutes_and_never_less_than_nothing() -> None:
    assert remaining_allowance(bill(used=used("31", minutes=10, seconds=1, sms=199))) == Allowance(0, 589, 1)


@given(bills())
def test_while_nothing_is_stopped_all_use_is_charged(facts: RatingInputs) -> None:
    assume(not stopped_resources(facts))
    assert facts.rate() == unlimited(facts).rate()


@given(bills())
def test_nothing_is_stopped_that_is_left(facts: RatingInputs) -> None:
    over = remaining_allowance(facts)
    names = {"DATA": over.data_bytes, "VOICE": over.voice_minutes, "SMS": over.sms}
    assert not [name for name in stopped_resources(facts) if names[name]]


@given(bills(), st.integers(1, 1000))
def test_what_one_has_no_allowance_of_and_must_pay_more_for_is_stopped_at_no_limit(
    facts: RatingInputs, more: int
) -> None:
    """A prepaid line, and one that may spend nothing, are never charged beyond what they bought."""
    facts = replace(facts, changes=replace(facts.changes, spend_limit=Decimal(0), prepaid=False))
    facts = replace(facts, terms=replace(facts.terms, overage_beyond_spend_limit=False))
    assert {line.kind for line in facts.rate().lines} <= {"PLAN", "PACK"}
    beyond = replace(
        facts, used=replace(facts.used, sms=facts.used.sms + remaining_allowance(facts).sms + more)
    )
    terms = facts.terms
    assert ("SMS" in stopped_resources(beyond)) == bool(terms.sms_stops or terms.overage_price_per_sms)


def test_at_exactly_the_limit_no_more_is_charged_than_was_used() -> None:
    """The last part of a cent is rounded up to the limit, and 10 GB would cost the same."""
    facts = limited(used("39.9967"), "12.00", overage_price_per_gb=Decimal("1.20"))
    [_plan, data] = facts.rate().lines
    assert (data.amount, data.quantity) == (Decimal("12.00"), Decimal("9.996700"))
