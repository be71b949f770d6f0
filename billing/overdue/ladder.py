"""Dunning schedule: when a customer is reminded, and by which channels (REMINDER_LADDER,
SUSPEND_AFTER_DAYS)."""

import re
from itertools import pairwise
from typing import NamedTuple

from django.core.exceptions import ImproperlyConfigured

# Ten years: the largest number of days that either setting accepts.
DAYS_MAX = 3650
CHANNELS = {"mail": "MAIL", "sms": "SMS"}
_RUNG = re.compile(r"([0-9]{1,4}):([a-z]+(?:\+[a-z]+)*)")


class Rung(NamedTuple):
    """Rung: a reminder by each of these channels (`billing.models.Channel`), `days` days after the due
    date."""

    days: int
    channels: tuple[str, ...]


def parse_ladder(text: str) -> tuple[Rung, ...]:
    """Return the rungs of `3:mail,10:mail+sms,20:sms`, in increasing days; none for an empty text.

    Raise ImproperlyConfigured for anything else.
    """
    rungs = tuple(_rung(part.strip()) for part in text.split(",")) if text.strip() else ()
    if any(lower.days >= higher.days for lower, higher in pairwise(rungs)):
        raise ImproperlyConfigured(f"REMINDER_LADDER: the days must increase: {text}")
    return rungs


def _rung(text: str) -> Rung:
    if not (match := _RUNG.fullmatch(text)):
        raise ImproperlyConfigured(f"REMINDER_LADDER: write it like 3:mail,10:mail+sms, not {text!r}")
    days, names = int(match[1]), match[2].split("+")
    if not 1 <= days <= DAYS_MAX:
        raise ImproperlyConfigured(f"REMINDER_LADDER: days must be between 1 and {DAYS_MAX}, not {days}")
    if not set(names) <= set(CHANNELS) or len(names) != len(set(names)):
        raise ImproperlyConfigured(
            f"REMINDER_LADDER: channels are {' and '.join(CHANNELS)}, each at most once: {text!r}"
        )
    return Rung(days, tuple(CHANNELS[name] for name in names))


def suspension_limit(days: int) -> int:
    """Return the number of days after the due date at which the line is suspended; 0 is never. Raise
    ImproperlyConfigured if it is not between 0 and DAYS_MAX."""
    if not 0 <= days <= DAYS_MAX:
        raise ImproperlyConfigured(f"SUSPEND_AFTER_DAYS must be between 0 and {DAYS_MAX}, not {days}")
    return days
