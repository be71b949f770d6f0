"""Numbers as people type them: with a comma or a point before the decimals, and marks between thousands.

A number that can be read in two ways is refused, never guessed: `1,500` is 1500 to some and 1.5 to others.
"""

import re
from collections.abc import Collection
from decimal import Decimal

from telcox.common.characters import plain_characters

# Signs of the US dollar that may stand before or after an amount.
DOLLAR_SIGNS = ("US$", "USD", "U$S", "$")

_DIGITS = re.compile(r"[0-9]+")
# Whole thousands: 1.234.567 or 1 234 567, with one kind of mark.
_THOUSANDS = re.compile(r"[0-9]{1,3}(?:([.,' ])[0-9]{3})(?:\1[0-9]{3})*")
# Nothing that is typed has more digits.
_LONGEST = 40


class InvalidNumber(ValueError):
    """The text is not a number."""


class AmbiguousNumber(InvalidNumber):
    """The text is one number to some people and another to others; `readings` are both."""

    def __init__(self, text: str, readings: tuple[Decimal, Decimal]) -> None:
        super().__init__(f"{text} can be read as {readings[0]} and as {readings[1]}")
        self.text, self.readings = text, readings


def typed_number(text: str, signs: Collection[str] = ()) -> Decimal:
    """Return the number: 1.50 for `1,50` and `1.50`, 1234.56 for `1.234,56`, `1,234.56`, `1 234.56` and
    `1'234,56`; with a minus before it a negative one. `signs` may stand before or after it.

    Raise AmbiguousNumber for three digits after the only mark (`1,500`, `1.500`), unless no thousands can be
    meant (`0,500`, `1234,500`). Raise InvalidNumber for everything else: exponents, `NaN`, other signs.
    """
    plain = _without_sign(plain_characters(text).replace("’", "'"), signs)
    negative = plain.startswith("-")
    digits = plain[1:].strip() if plain.startswith(("-", "+")) else plain
    digits = digits if digits is plain else _without_sign(digits, signs)
    if len(digits) > _LONGEST:
        raise InvalidNumber(text)
    number = _read(digits, text)
    return -number if negative and number else number


def _without_sign(text: str, signs: Collection[str]) -> str:
    upper = text.upper()
    for sign in signs:
        if upper.startswith(sign):
            return text[len(sign) :].strip()
        if upper.endswith(sign):
            return text[: -len(sign)].strip()
    return text


def _read(digits: str, text: str) -> Decimal:
    if _DIGITS.fullmatch(digits):
        return Decimal(digits)
    mark = next((character for character in reversed(digits) if character in ".,"), "")
    whole, _mark, decimals = digits.rpartition(mark) if mark else (digits, "", "")
    if _is_whole(digits):
        separator = _THOUSANDS.fullmatch(digits)[1]  # type: ignore[index]
        as_thousands = Decimal(digits.replace(separator, ""))
        if separator not in ".," or digits.count(separator) > 1:
            return as_thousands
        if whole.strip("0"):
            raise AmbiguousNumber(text, (as_thousands, Decimal(f"{whole}.{decimals}")))
    # The last comma or point is the decimal mark: it stands once, and thousands have another mark.
    if not mark or not _DIGITS.fullmatch(decimals) or digits.count(mark) > 1:
        raise InvalidNumber(text)
    if whole and not _DIGITS.fullmatch(whole):
        if not _is_whole(whole) or mark in whole:
            raise InvalidNumber(text)
        whole = re.sub("[^0-9]", "", whole)
    return Decimal(f"{whole or 0}.{decimals}")


def _is_whole(digits: str) -> bool:
    return _THOUSANDS.fullmatch(digits) is not None
