"""Decode JSON without loss: what a sender wrote is what is read, or it is refused."""

import json
from codecs import BOM_UTF8
from decimal import Decimal, InvalidOperation
from typing import Any

# The largest integer of a database column.
LARGEST = 2**63 - 1


class DuplicateName(ValueError):
    """An object has a name twice. RFC 8259, section 4, calls its meaning unpredictable: some programs take
    the first value and some the last."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The name {name[:60]!a} occurs twice in one object")


def without_byte_order_mark(body: bytes) -> bytes:
    """Return a text without the byte order mark that some programs write before UTF-8. RFC 8259, section
    8.1, allows a reader to ignore it."""
    return body.removeprefix(BOM_UTF8)


def exact_json(body: bytes) -> Any:
    """Return what a JSON text (RFC 8259, in UTF-8) says. Numbers with a point or an exponent become Decimal,
    since 10.10 is not a binary fraction. Raise ValueError or RecursionError for anything else, NaN and
    repeated names included."""
    return json.loads(
        without_byte_order_mark(body).decode(),
        parse_constant=_refuse_constant,
        parse_float=_exactly,
        object_pairs_hook=_object,
    )


def whole_number(number: Decimal) -> int | None:
    """Return a number without a fraction as int, however it was spelled: 5.0 and 5e0 are integers (JSON
    Schema 2020-12, section 6.1.1). Return None for another one, and for one that needs more than 64 bits: the
    digits of 1e999999999 would fill the memory."""
    # Comparing a Decimal is exact, calculating with it is not.
    if not number.is_finite() or not -LARGEST <= number <= LARGEST:
        return None
    whole = int(number)
    return whole if whole == number else None


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        names = [name for name, _ in members]
        raise DuplicateName(next(name for name in names if names.count(name) > 1))
    return found


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _exactly(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:  # an exponent of twenty digits
        raise ValueError("number out of range") from error
