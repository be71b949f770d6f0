"""Numbers as people type them, read or refused; never another number."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telcox.common.typed_numbers import DOLLAR_SIGNS, AmbiguousNumber, InvalidNumber, typed_number

pytestmark = pytest.mark.once

D = Decimal


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("1,50", "1.50"),
        ("1.50", "1.50"),
        ("1,5", "1.5"),
        ("15", "15"),
        ("1.234,56", "1234.56"),
        ("1,234.56", "1234.56"),
        ("12.345.678,90", "12345678.90"),
        ("1.234.567", "1234567"),
        ("1,234,567", "1234567"),
        ("1 234,56", "1234.56"),
        ("1\u00a0234,56", "1234.56"),
        ("1\u202f234.56", "1234.56"),
        ("1'234.56", "1234.56"),
        ("1’234,56", "1234.56"),
        ("0,500", "0.500"),
        ("0.125", "0.125"),
        ("1234,567", "1234.567"),
        (",50", "0.50"),
        (".5", "0.5"),
        (" 1,50 ", "1.50"),
        ("\u200e1,50", "1.50"),
        ("１，５０", "1.50"),
        ("+5", "5"),
        ("-1,50", "-1.50"),
        ("−1,50", "-1.50"),
        ("- 1,50", "-1.50"),
        ("-0", "0"),
    ],
)
def test_a_number_is_read(typed: str, number: str) -> None:
    assert typed_number(typed) == D(number)


@pytest.mark.parametrize("typed", ["1,500", "1.500", "12.345", "999,999", "-1,500", "1.000", "01,500"])
def test_what_could_be_either_is_refused_with_both(typed: str) -> None:
    with pytest.raises(AmbiguousNumber) as refused:
        typed_number(typed)
    thousands, decimals = refused.value.readings
    assert thousands == decimals * 1000


@pytest.mark.parametrize(
    "typed",
    [
        *(
            "",
            " ",
            "-",
            ",",
            ".",
            "1,",
            "1.",
            "1,2,3",
            "1.2.3",
            "1,23,456",
            "1.234.56",
            "1,234,56",
            "12,34.56",
        ),
        *("1.234.567,8,9", "1e3", "1E3", "NaN", "sNaN", "Infinity", "-inf", "1_000", "0x10", "١٢", "½", "²"),
        *("(1,50)", "1,50-", "--5", "+-5", "1 5", "1 50", "1,50 EUR", "uno", "$5", "5 $", "9" * 50, "1\n2"),
    ],
)
def test_everything_else_is_refused(typed: str) -> None:
    with pytest.raises(InvalidNumber):
        typed_number(typed)


@pytest.mark.parametrize(
    "typed", ["$1,50", "$ 1.50", "1,50 $", "US$ 1,50", "USD 1.50", "1,50 usd", "US$1,50"]
)
def test_an_amount_may_have_its_sign(typed: str) -> None:
    assert typed_number(typed, DOLLAR_SIGNS) == D("1.50")
    assert typed_number(f"-{typed}", DOLLAR_SIGNS) == D("-1.50")


def test_the_sign_may_stand_before_the_minus() -> None:
    assert typed_number("$-1,50", DOLLAR_SIGNS) == D("-1.50")


@pytest.mark.parametrize("typed", ["$", "$$5", "$5$ 3", "€5", "$ 1,500"])
def test_a_sign_makes_no_number_of_what_is_none(typed: str) -> None:
    with pytest.raises(InvalidNumber):
        typed_number(typed, DOLLAR_SIGNS)


CENTS = st.integers(0, 10**12 - 1).map(lambda cents: D(cents) / 100)


@given(CENTS, st.sampled_from([("", "."), ("", ","), (",", "."), (".", ","), (" ", ","), ("'", ".")]))
def test_an_amount_with_its_cents_is_itself_however_it_is_written(
    amount: Decimal, marks: tuple[str, str]
) -> None:
    thousands, decimal = marks
    whole, cents = f"{amount:,.2f}".split(".")
    assert typed_number(whole.replace(",", thousands) + decimal + cents) == amount


@given(st.text(alphabet="0123456789.,-+ '$eE", max_size=12))
def test_no_text_becomes_a_number_a_hundred_times_as_large(text: str) -> None:
    """Whatever is read is what one of the two marks as decimal mark gives."""
    try:
        number = typed_number(text, DOLLAR_SIGNS)
    except InvalidNumber:
        return
    bare = "".join(character for character in text if character in "0123456789.,")
    possible = set()
    for decimal, thousands in ((",", "."), (".", ",")):
        written = bare.replace(thousands, "").replace(decimal, ".")
        if written.count(".") <= 1:
            possible.add(D(written))
    assert abs(number) in possible
