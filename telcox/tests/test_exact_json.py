"""JSON is read as it was written, or refused; and the API takes whole numbers in any spelling."""

import time
from decimal import Decimal
from typing import Any

import pytest
from rest_framework.exceptions import ValidationError

from telcox.common.web.exact_json import DuplicateName, exact_json
from telcox.common.web.fields import StrictIntegerField, StrictMoneyField

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (
            b'{"a": 10.10, "b": [1, 1.0, 1e3]}',
            {"a": Decimal("10.10"), "b": [1, Decimal("1.0"), Decimal("1e3")]},
        ),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'{"a": {"b": 1}, "b": {"b": 2}}', {"a": {"b": 1}, "b": {"b": 2}}),
        (b'{"a": 1, "A": 2}', {"a": 1, "A": 2}),
    ],
)
def test_what_was_written_is_read(text: bytes, value: Any) -> None:
    assert exact_json(text) == value


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"\\u0061":2}',
        b'[{"b":{"a":1,"c":2,"a":3}}]',
        b'{"":1,"":2}',
        b'{"\\ud800":1,"\\ud800":2}',
    ],
)
def test_a_name_twice_is_refused(text: bytes) -> None:
    with pytest.raises(DuplicateName, match="occurs twice"):
        exact_json(text)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"NaN",
        b"-Infinity",
        b"1e99999999999999999999",
        b"9" * 5000,
        b"\xff",
        '"a"'.encode("utf-16"),
        b"\xef\xbb\xbf" * 2 + b"1",
    ],
    ids=lambda text: repr(text[:20]),
)
def test_what_is_not_json_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of several kinds
        exact_json(text)


@pytest.mark.parametrize("text", [b"5", b"5.0", b"5e0", b"50E-1", b"0.5e+1", b"5.000"])
def test_a_whole_number_is_an_integer_however_it_is_spelled(text: bytes) -> None:
    value = StrictIntegerField(min_value=1, max_value=10).run_validation(exact_json(text))
    assert (value, type(value)) == (5, int)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"5.5", "int_type"),
        (b"1e-999999999", "int_type"),
        (b'"5"', "int_type"),
        (b"true", "int_type"),
        (b"[5]", "int_type"),
        (b"null", "null"),
        (b"0.0", "min_value"),
        (b"-1e999999999", "min_value"),
        (b"11.0", "max_value"),
        (b"1e30", "max_value"),
        (b"1e999999999", "max_value"),
    ],
)
def test_another_number_is_refused_and_is_not_expanded(text: bytes, code: str) -> None:
    begun = time.process_time()
    with pytest.raises(ValidationError) as refused:
        StrictIntegerField(min_value=1, max_value=10).run_validation(exact_json(text))
    assert refused.value.get_codes() == [code]
    assert time.process_time() - begun < 1


def test_a_number_without_limits_is_still_one_that_a_column_can_hold() -> None:
    field = StrictIntegerField()
    assert field.run_validation(exact_json(b"-9e18")) == -9 * 10**18
    for text in (b"1e19", b"-1e19"):
        with pytest.raises(ValidationError):
            field.run_validation(exact_json(text))


@pytest.mark.parametrize("text", [b"5", b"5.0", b"5e0", b"5.00"])
def test_money_is_read_in_any_spelling_too(text: bytes) -> None:
    assert StrictMoneyField().run_validation(exact_json(text)) == Decimal("5.00")
