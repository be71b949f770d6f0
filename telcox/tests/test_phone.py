import pytest
from hypothesis import given
from hypothesis import strategies as st

from telcox.common.phone import InvalidPhoneNumber, national_number

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    "written", ["0969786985", "+593969786985", "593969786985", " 593969786985", "0969786985 "]
)
def test_a_number_is_known_in_each_of_its_forms(written: str) -> None:
    assert national_number(written) == "0969786985"


@pytest.mark.parametrize("written", ["022345678", "59322345678", "+59322345678"])
def test_a_landline_too(written: str) -> None:
    assert national_number(written) == "022345678"


@pytest.mark.parametrize("kept", ["12345", "59312", "123456789012345"])
def test_other_digits_are_kept_as_they_are(kept: str) -> None:
    assert national_number(kept) == kept


@pytest.mark.parametrize(
    "text",
    ["", "1234", "1234567890123456", "abcde", "0969-786985", "+1234567", "09697\x0086985", "٠٩٦٩٧٨٦٩٨٥"],
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
