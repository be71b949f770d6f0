"""Formatting of numbers and days on documents."""

from datetime import date
from decimal import Decimal

from customers.models import Language

_COMMA_FOR_POINT = str.maketrans(",.", ".,")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


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
