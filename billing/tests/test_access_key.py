from datetime import date

import pytest

from billing.printing.access_key import access_key, check_digit

pytestmark = pytest.mark.once

GIVEN = {
    "day": date(2026, 11, 24),
    "kind": "01",
    "tax_id": "1792345678001",
    "series": "001-002",
    "number": 17,
    "seal": "ab" * 32,
}


# Reckoned by hand: factors 2 to 7 from the right, over and over. The second is the SRI's own example.
@pytest.mark.parametrize(
    ("digits", "digit"),
    [
        ("1", "9"),  # 2: 11 - 2
        ("41261533", "6"),  # 3*2+3*3+5*4+1*5+6*6+2*7+1*2+4*3 = 104: 11 - 5
        ("000000", "0"),  # 0: 11 is written 0
        ("6", "1"),  # 12: 11 - 1 = 10 is written 1
    ],
)
def test_the_check_digit_is_that_of_modulo_11(digits: str, digit: str) -> None:
    assert check_digit(digits) == digit


def test_a_key_known_to_be_right_ends_in_its_check_digit() -> None:
    known = "2110201101179214673900110020010000000011234567813"
    assert check_digit(known[:-1]) == known[-1]


def test_a_key_says_who_issued_which_document_when() -> None:
    key = access_key(**GIVEN)  # type: ignore[arg-type]
    code = f"{int('ab' * 32, 16) % 10**8:08d}"
    assert key is not None
    assert key[:-1] == f"24112026{'01'}1792345678001{'2'}{'001002'}000000017{code}1"
    assert (len(key), key[-1]) == (49, check_digit(key[:-1]))


@pytest.mark.parametrize("other", [{"series": "HIST"}, {"tax_id": "B-12345678"}, {"number": 10**9}])
def test_a_document_numbered_in_another_way_has_no_such_key(other: dict[str, object]) -> None:
    assert access_key(**{**GIVEN, **other}) is None  # type: ignore[arg-type]
