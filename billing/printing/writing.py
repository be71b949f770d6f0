"""Formatting of numbers and days on documents."""

import re
from datetime import date
from decimal import Decimal

from customers.models import Language

_COMMA_FOR_POINT = str.maketrans(",.", ".,")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# Characters that show nothing, and break a search for what is around them. (A zero-width joiner makes one
# letter of two, and is kept.)
_INVISIBLE = re.compile("[\u00ad\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


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


def without_invisible(text: str) -> str:
    """Return the text as it is to be copied from a document."""
    return _INVISIBLE.sub("", text)
