from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telcox.common import phone
from telcox.common.phone import (
    ECUADOR,
    InvalidPhoneNumber,
    NumberingPlan,
    national_number,
    phone_numbers_in,
    searched_number,
    subscriber_number,
    use_numbering_plan,
)

pytestmark = pytest.mark.once

SPELLINGS = [
    "0969786985",
    "+593969786985",
    "593969786985",
    " 593969786985",
    "0969786985 ",
    "00593969786985",
    "969786985",
    "5930969786985",
    "+5930969786985",
    "+593 (0)96 978 6985",
    "+593 (0) 96-978-6985",
    "096 978 6985",
    "096-978-6985",
    "0969-786985",
    "096.978.6985",
    "(096) 978-6985",
    "(09) 6978 6985",
    "00593 96 978 6985",
    "tel:+593-96-978-6985",
    "+593\u00a096\u00a0978\u00a06985",
    "096\u2011978\u20116985",
    "096\u2013978\u20136985",
    "\u200e0969786985\u200f",
    "\u202a+593 96 978 6985\u202c",
    "\ufeff0969786985",
    "09697\u200b86985",
    "0969\u00ad786985",
    "０９６９７８６９８５",
    "＋５９３９６９７８６９８５",
    "\t0969786985\n",
]


@pytest.fixture
def plan_of_another_country() -> Iterator[None]:
    use_numbering_plan("57 - 3xxxxxxxxx 60xxxxxxxx")
    yield
    use_numbering_plan(ECUADOR)


@pytest.mark.parametrize("written", SPELLINGS)
def test_a_number_is_known_in_each_of_its_forms(written: str) -> None:
    assert national_number(written) == "0969786985"
    assert subscriber_number(written) == "0969786985"


@pytest.mark.parametrize(
    "written",
    [
        "022345678",
        "59322345678",
        "+59322345678",
        "22345678",
        "(02) 234-5678",
        "+593 2 234 5678",
        "02 2345678",
    ],
)
def test_a_landline_too(written: str) -> None:
    assert national_number(written) == "022345678"


@pytest.mark.parametrize("kept", ["12345", "59312", "123456789012345", "2345678", "0000000000"])
def test_other_digits_are_kept_as_they_are_and_are_no_lines_number(kept: str) -> None:
    assert national_number(kept) == kept
    with pytest.raises(InvalidPhoneNumber):
        subscriber_number(kept)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1234",
        "1234567890123456",
        "abcde",
        "+1234567",
        "+1 202 555 0123",
        "09697\x0086985",
        "٠٩٦٩٧٨٦٩٨٥",
        "²969786985",
        "0969786985/0969786986",
        "0969786985 0969786986",
        "0969786985 y 86",
        "0969786985 ext 3",
        "++593969786985",
        "096 978 698",
        "096 978 69855",
        "1e9",
        "001-001-000000163",
        "096____9786985",
    ],
)
def test_what_cannot_be_a_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidPhoneNumber):
        national_number(text)


@given(st.text())
def test_any_text_is_a_number_in_its_stable_form_or_refused(text: str) -> None:
    try:
        number = national_number(text)
    except InvalidPhoneNumber:
        return
    assert number.isascii()
    assert number.isdigit()
    assert 5 <= len(number) <= 15
    assert national_number(number) == number


MARKS = st.sampled_from(["", " ", "-", ".", "\u00a0", "\u2013", "\u200b", " (", ") "])


@given(st.data())
def test_marks_between_the_digits_change_nothing(data: st.DataObject) -> None:
    digits = data.draw(st.sampled_from(["0969786985", "593969786985", "00593969786985", "969786985"]))
    assert national_number("".join(digit + data.draw(MARKS) for digit in digits[:-1]) + digits[-1]) == (
        "0969786985"
    )


def test_numbers_are_found_in_a_text() -> None:
    text = (
        "pago 0969786985, +593 96 978 6986 y (02) 234-5678; 09–6978–6987 / 00593969786988 0969786989 "
        "factura 001-001-000000001 ref 969786990 RUC 0969786991001"
    )
    assert list(phone_numbers_in(text)) == [
        "0969786985",
        "0969786986",
        "022345678",
        "0969786987",
        "0969786988",
        "0969786989",
    ]


@pytest.mark.parametrize(
    ("typed", "searched"),
    [
        ("+593 96 978 6985", "0969786985"),
        ("096-978", "096978"),
        ("+593 96 978", "096978"),
        ("978-6985", "9786985"),
        ("0969", "0969"),
        ("Ana", None),
        ("Ana 0969786985", None),
    ],
)
def test_a_part_of_a_number_is_searched_for(typed: str, searched: str | None) -> None:
    assert searched_number(typed) == searched


@pytest.mark.usefixtures("plan_of_another_country")
def test_another_country_has_its_own_plan() -> None:
    for written in ("3001234567", "+57 300 123 4567", "0057 300-123-4567", "573001234567"):
        assert national_number(written) == "3001234567"
    assert list(phone_numbers_in("pago 300 123 4567 o +57 601 234 5678")) == ["3001234567", "6012345678"]
    with pytest.raises(InvalidPhoneNumber):
        subscriber_number("0969786985")


@pytest.mark.parametrize("text", ["", "593", "593 0", "x 0 9xx", "593 a 9xx", "593 0 9(xx)*", "593 0 9xx|.*"])
def test_a_plan_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a numbering plan"):
        NumberingPlan.parse(text)
    assert national_number("0969786985") == "0969786985"


@pytest.mark.parametrize("sent", ["0969786985", "593969786985", "+593969786985", "00593969786985"])
def test_numbers_as_networks_send_them_take_one_or_two_regular_expressions(
    monkeypatch: pytest.MonkeyPatch, sent: str
) -> None:
    monkeypatch.setattr(phone, "plain_characters", None)
    assert national_number(sent) == "0969786985"
