"""Formatting of numbers, days and long words on documents."""

import re
from datetime import date
from decimal import Decimal

from customers.models import Language

_COMMA_FOR_POINT = str.maketrans(",.", ".,")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# A word this long must be broken somewhere: between letters, but not before a combining mark or joiner, which
# belongs to the letter before it.
_LONG = re.compile(r"\S{20,}")
_LETTERS = re.compile(r"\S[\u0300-\u036f\u200d\ufe0f]*")
_MAY_BREAK = "\u200b"


def format_amount(number: Decimal | int, language: Language, decimals: int = 2) -> str:
    """Return 1.234,50 in Spanish and 1,234.50 in English: with at least so many decimals, and no trailing
    zeros beyond them."""
    whole, _point, rest = f"{number:,f}".partition(".")
    rest = rest.rstrip("0").ljust(decimals, "0")
    text = f"{whole}.{rest}" if rest else whole
    return text.translate(_COMMA_FOR_POINT) if language == Language.ES else text


def format_day(day: date, language: Language) -> str:
    """Return 24/11/2026 in Spanish and 24 Nov 2026 in English."""
    if language == Language.ES:
        return f"{day:%d/%m/%Y}"
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def with_line_breaks(text: str) -> str:
    """Return the text with break opportunities in long words, such as a name or URL of 150 letters."""
    return _LONG.sub(lambda found: _MAY_BREAK.join(_LETTERS.findall(found[0])), text)
