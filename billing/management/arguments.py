"""Parse arguments of commands."""

from argparse import ArgumentTypeError
from datetime import date

from django.core.exceptions import ValidationError

from billing.models.runs import PERIOD


def parse_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text} is not a date: write 2026-07-01") from error


def at_least_one(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not int(text):
        raise ArgumentTypeError("must be a whole number of at least 1")
    return int(text)


def parse_period(text: str) -> str:
    try:
        PERIOD(text)
    except ValidationError as error:
        raise ArgumentTypeError(f"{text} is not a period: write 2026-11") from error
    return text
