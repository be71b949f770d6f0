"""When a customer is reminded of an overdue invoice, and by what: REMINDER_LADDER and SUSPEND_AFTER_DAYS."""

import re
from itertools import pairwise
from typing import NamedTuple

from django.core.exceptions import ImproperlyConfigured

# Ten years: what is older, nobody is reminded of for the first time.
DAYS_MAX = 3650
CHANNELS = {"mail": "MAIL", "sms": "SMS"}
_RUNG = re.compile(r"([0-9]{1,4}):([a-z]+(?:\+[a-z]+)*)")


class Rung(NamedTuple):
    """So many days after an invoice was due, a reminder by each of these (`billing.models.Channel`)."""

    days: int
    channels: tuple[str, ...]


def parse_ladder(text: str) -> tuple[Rung, ...]:
    """The rungs of `3:mail,10:mail+sms,20:sms`, from the lowest to the highest; of an empty text none.

    Raises ImproperlyConfigured for anything else.
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
    """So many days after an invoice was due its line is suspended; 0 is never. Raises ImproperlyConfigured
    for what is neither."""
    if not 0 <= days <= DAYS_MAX:
        raise ImproperlyConfigured(f"SUSPEND_AFTER_DAYS must be between 0 and {DAYS_MAX}, not {days}")
    return days
