"""A quantity is a whole number in any spelling, or a duration of a call."""

from decimal import Decimal

import pytest

from usage.ingestion.quantities import quantity_of, whole_quantity
from usage.ingestion.reports import InvalidReport
from usage.vocabulary import QUANTITY_MAX

pytestmark = pytest.mark.once


WHOLE = {
    "60": 60,
    "060": 60,
    "1.0": 1,
    "1.": 1,
    "1e3": 1000,
    "1E+3": 1000,
    "1000.000": 1000,
    "250e-1": 25,
    "0": 0,
    "0.0": 0,
    "0e999999999": 0,
    "-5": -1,
}


@pytest.mark.parametrize(("text", "quantity"), WHOLE.items())
def test_a_whole_number_is_read_however_it_is_spelled(text: str, quantity: int) -> None:
    assert quantity_of(text, "SMS") == quantity


@pytest.mark.parametrize(
    "text",
    [
        *("", "abc", "1.5", "1e-3", "1e-999999999", "+5", "1_0", "1,024", "1 024", "0x10", "٥", "NaN"),
        *("Infinity", "9" * 5000, "01:30", "1e3e3"),
    ],
)
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidReport):
        quantity_of(text, "SMS")


@pytest.mark.parametrize("text", ["1e999999999", "1" + "0" * 300, f"{QUANTITY_MAX + 1}.0"])
def test_a_number_out_of_range_is_not_expanded(text: str) -> None:
    assert quantity_of(text, "SOCIAL") == QUANTITY_MAX + 1


@pytest.mark.parametrize("number", ["NaN", "sNaN", "Infinity", "0.5", "-0.5e1"])
def test_what_is_no_whole_number_is_none(number: str) -> None:
    assert whole_quantity(Decimal(number)) in (None, -1)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("00:01:00", 60), ("0:00:01", 1), ("100:00:01", 360_001), ("00:01:00.000", 60), ("00:00:00", 0)),
        *(("PT1M30S", 90), ("PT1H", 3600), ("PT90S", 90), ("PT0S", 0)),
    ],
)
def test_a_duration_is_one_of_voice(text: str, seconds: int) -> None:
    assert quantity_of(text, "VOICE") == seconds
    for category in ("SMS", "SOCIAL"):
        with pytest.raises(InvalidReport):
            quantity_of(text, category)


@pytest.mark.parametrize(
    "text",
    [
        "01:30",
        "00:60:00",
        "00:00:60",
        "00:00:01.5",
        "1:2:3",
        "1 00:00:01",
        "1.02:03:04",
        "PT",
        "PT1.5S",
        "P1D",
    ],
)
def test_a_duration_with_two_readings_or_part_of_a_second_is_refused(text: str) -> None:
    with pytest.raises(InvalidReport):
        quantity_of(text, "VOICE")
