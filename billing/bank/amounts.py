"""Amounts as banks write them. No database, no clock, no settings."""

import re
import unicodedata
from decimal import Decimal
from typing import NamedTuple

from billing.bank.currencies import DOLLAR, is_foreign
from billing.bank.values import RowFault, Unreadable
from telcox.common.characters import plain_characters
from telcox.common.money import MONEY_MAX, cents


class Amount(NamedTuple):
    """Amount in dollars, negative if the cell says that the money went; `came` if it says that it came."""

    value: Decimal
    came: bool = False


NOTHING = Amount(Decimal(0))
WHOLE_DIGITS_MAX = 15

_PUT_AROUND = re.compile(rf"(?:{DOLLAR})|\s", re.IGNORECASE)
_BRACKETS = {"(": ")", "[": "]", "<": ">"}
# What stands after an amount (or before it): 25.30 CR, 25,30 D.
_SAID = re.compile(r"(?P<mark>CR|DR|DB|C|D)\.?", re.IGNORECASE)
# Whole groups of three digits with one mark of thousands, and a decimal mark that is another. Zeros after
# the cents change nothing.
_NUMBER = {
    mark: re.compile(
        rf"(?P<whole>[0-9]{{1,3}}(?:(?P<by>[{thousands}' ])[0-9]{{3}})(?:(?P=by)[0-9]{{3}})*|[0-9]*)"
        rf"(?:[{mark}](?P<part>[0-9]{{1,2}})0*)?"
    )
    for mark, thousands in ((".", ","), (",", "."))
}


def straight(text: str) -> str:
    """Return the text with plain digits, one kind of dash, of apostrophe, and of blank."""
    if text.isascii():
        return " ".join(text.split())
    plain = unicodedata.normalize("NFKC", plain_characters(text.replace("’", "'").replace("´", "'")))
    return " ".join(plain.split())


def read_amount(text: str, decimal: str) -> Amount:
    """Return the amount; NOTHING if the cell is blank or has only dashes. 1.234,56 and 1,234.56 are the same;
    1.234 is ambiguous, and refused unless `decimal` says which mark is the decimal mark.

    Raise Unreadable.
    """
    text = straight(text)
    if not text.strip("- "):
        return NOTHING
    digits, sign = _digits_and_sign(text)
    number = _NUMBER[decimal or _decimal_mark(digits)].fullmatch(digits)
    if number is None or not (number["whole"] or number["part"]):
        raise Unreadable(RowFault.NO_AMOUNT)
    whole = re.sub("[^0-9]", "", number["whole"]).lstrip("0") or "0"
    if len(whole) > WHOLE_DIGITS_MAX:  # more than a Decimal calculates with
        raise Unreadable(RowFault.NO_AMOUNT)
    amount = cents(Decimal(f"{whole}.{number['part'] or 0}"))
    if amount > MONEY_MAX:
        raise Unreadable(RowFault.NO_AMOUNT)
    return Amount(-amount if sign == "-" else amount, came=sign == "+")


def is_amount(text: str) -> bool:
    """Return whether a cell holds an amount, be it an ambiguous one."""
    try:
        return read_amount(text, "") is not NOTHING
    except Unreadable as unreadable:
        return unreadable.fault == RowFault.AMBIGUOUS


def is_negative(text: str) -> bool:
    try:
        return read_amount(text, ".").value < 0 or read_amount(text, ",").value < 0
    except Unreadable:
        return straight(text).startswith("-") and straight(text)[1:2].isdecimal()


def _digits_and_sign(text: str) -> tuple[str, str]:
    """Take off, from both ends, the currency, one sign, brackets and CR or DR. Return the digits with their
    marks, and `-`, `+` or nothing."""
    if is_foreign(text):
        raise Unreadable(RowFault.OTHER_CURRENCY)
    said: list[str] = []
    while text and not (text[0] in "0123456789.," and text[-1] in "0123456789.,"):
        if _BRACKETS.get(text[0]) == text[-1]:
            said.append("()")
            text = text[1:-1]
        elif (mark := _at_an_end(_PUT_AROUND, text)) is not None:
            text = mark[1]
        elif text[0] in "+-" or text[-1] in "+-":
            first = text[0] in "+-"
            said.append(text[0] if first else text[-1])
            text = text[1:] if first else text[:-1]
        elif (mark := _at_an_end(_SAID, text)) is not None:
            said.append("+" if mark[0].upper().startswith("C") else "-")
            text = mark[1]
        else:
            raise Unreadable(RowFault.NO_AMOUNT)
    came, went = "+" in said, "-" in said or "()" in said
    if not text or (came and went) or len(said) > len(set(said)):
        raise Unreadable(RowFault.NO_AMOUNT)
    return text, "-" if went else "+" if came else ""


def _at_an_end(what: re.Pattern[str], text: str) -> tuple[str, str] | None:
    """Return what stands at the beginning or at the end of the text, and the rest."""
    if found := what.match(text):
        return found[0], text[found.end() :]
    if found := re.search(rf"(?:{what.pattern})\Z", text, what.flags):
        return found[0], text[: found.start()]
    return None


def _decimal_mark(digits: str) -> str:
    marks = re.sub("[0-9]", "", digits)
    if len(marks) == 1 and re.fullmatch(r"[1-9][0-9]{0,2}[.,][0-9]{3}", digits):
        raise Unreadable(RowFault.AMBIGUOUS)
    points = [mark for mark in marks if mark in ".,"]
    if len(points) > 1 and len(set(points)) == 1:  # 1.234.567
        return "," if points[0] == "." else "."
    return points[-1] if points else "."
