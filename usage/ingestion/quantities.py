"""Read quantities as networks write them. Pure."""

import re
from decimal import Decimal
from typing import Any

from telcox.common.web.exact_json import whole_number
from usage.ingestion.reports import InvalidReport
from usage.vocabulary import QUANTITY_MAX

# A number in any spelling of JSON: 1000, 1000.0, 1e3. Its length is limited, because calculating with very
# long ones takes long.
_NUMBER = re.compile(r"-?\d{1,400}(?:\.\d{0,400})?(?:[eE][+-]?\d{1,9})?", re.ASCII)
_CLOCK = re.compile(r"(\d{1,6}):([0-5]\d):([0-5]\d)(?:[.,]0+)?", re.ASCII)
# ISO 8601, section 5.5.2.
_ISO_DURATION = re.compile(r"PT(?=\d)(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,9})(?:[.,]0+)?S)?", re.ASCII)

_EXPECTED_NUMBER = "Expected a whole number - at `$.quantity`"
_EXPECTED_DURATION = "Expected seconds or a duration such as 00:01:30 - at `$.quantity`"


def whole_quantity(number: Decimal) -> int | None:
    """Return a number without a fraction as int, and None for another one. One that is out of range is
    returned as one that is just out of range."""
    if number.is_finite() and number > QUANTITY_MAX:
        return QUANTITY_MAX + 1
    return -1 if number.is_finite() and number < 0 else whole_number(number)


def quantity_of(text: str, category: str) -> int:
    """Return the quantity of a text: a whole number in any spelling, or for VOICE a duration with hours,
    minutes and seconds. 01:30 is refused: it could be minutes or hours. Raise InvalidReport."""
    if text.isascii() and text.isdigit() and len(text) < 20:
        return int(text)
    if _NUMBER.fullmatch(text):
        quantity = whole_quantity(Decimal(text))
        if quantity is None:
            raise InvalidReport(_EXPECTED_NUMBER)
        return quantity
    if category == "VOICE":
        if found := _CLOCK.fullmatch(text) or _ISO_DURATION.fullmatch(text):
            hours, minutes, seconds = (int(part or 0) for part in found.groups())
            return hours * 3600 + minutes * 60 + seconds
        raise InvalidReport(_EXPECTED_DURATION)
    raise InvalidReport(_EXPECTED_NUMBER)


def with_whole_quantity(fields: Any) -> Any:
    """Return a report's fields with its quantity as int if it is a whole number that was spelled with a point
    or an exponent. JSON Schema 2020-12, section 6.1.1, calls any number without a fraction an integer."""
    if isinstance(fields, dict) and isinstance(number := fields.get("quantity"), Decimal):
        whole = whole_quantity(number)
        return {**fields, "quantity": float(number) if whole is None else whole}
    return fields
