import pytest
from hypothesis import given
from hypothesis import strategies as st

from telcox.common.identity import (
    InvalidIdentity,
    has_check_digit_of_ruc,
    has_form_of_passport,
    has_form_of_ruc,
    identity_number,
    is_cedula,
    searched_identity,
)

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    "written",
    [
        "0929668846",
        "092966884-6",
        "092 966 884 6",
        "092.966.884-6",
        "092966884–6",
        "\u200e0929668846",
        "０９２９６６８８４６",
        " 0929668846\u00a0",
    ],
)
def test_an_identity_has_one_form(written: str) -> None:
    assert identity_number(written) == "0929668846"


def test_a_passport_is_in_capitals_without_marks() -> None:
    assert identity_number("ab-123 456") == "AB123456"


@pytest.mark.parametrize("text", ["", " ", "---", "ñ123456", "0929668846/7", "٠٩٢٩٦٦٨٨٤٦", "a\x00b"])
def test_what_is_no_identity_is_refused(text: str) -> None:
    with pytest.raises(InvalidIdentity):
        identity_number(text)


@pytest.mark.parametrize("number", ["0929668846", "1714307103", "1710034065"])
def test_a_cedula_has_a_check_digit(number: str) -> None:
    assert is_cedula(number)
    wrong = [number[:-1] + digit for digit in "0123456789" if digit != number[-1]]
    assert not any(is_cedula(each) for each in wrong)


@pytest.mark.parametrize(
    "number", ["0000000000", "0029668846", "2529668846", "0979668846", "929668846", "09296688460", "abc"]
)
def test_a_cedula_has_a_province_and_ten_digits(number: str) -> None:
    assert not is_cedula(number)


@pytest.mark.parametrize("number", ["1792060346001", "0929668846001", "1760001550001"])
def test_a_ruc_of_a_company_a_person_and_a_public_body(number: str) -> None:
    assert has_form_of_ruc(number)
    assert has_check_digit_of_ruc(number)


def test_a_ruc_need_not_have_a_check_digit_that_fits() -> None:
    assert has_form_of_ruc("1793216549001")
    assert not has_check_digit_of_ruc("1793216549001")


@pytest.mark.parametrize(
    "number", ["1792060346000", "0092060346001", "9999999999999", "1782060346001", "179206034600", "x" * 13]
)
def test_what_cannot_be_a_ruc(number: str) -> None:
    assert not has_form_of_ruc(number)


@pytest.mark.parametrize(
    ("number", "right"),
    [("AB123456", True), ("12345", True), ("ABCDEF", False), ("A1", False), ("1" * 14, False)],
)
def test_a_passport_has_letters_and_digits(number: str, right: bool) -> None:
    assert has_form_of_passport(number) is right


def test_a_search_for_words_is_no_search_for_an_identity() -> None:
    assert searched_identity("Ana-María") is None
    assert searched_identity("092966884-6") == "0929668846"


@given(st.text())
def test_the_normal_form_is_stable(text: str) -> None:
    try:
        number = identity_number(text)
    except InvalidIdentity:
        return
    assert identity_number(number) == number
    assert number.isascii()
