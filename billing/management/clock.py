"""The moment as of which a command does what is due."""

from argparse import ArgumentTypeError
from datetime import date, datetime, timedelta

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from telcox.common.calendar import local_date, midnight
from usage.ingestion.reports import YEARS


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument(
        "--date",
        type=_day,
        metavar="DATE",
        help="2026-11-30: as of the end of that day, and not as of now",
    )
    parser.add_argument(
        "--ahead",
        action="store_true",
        help="in production, let that day be one to come: what is to happen then is done before its time",
    )


def moment(day: date | None, *, ahead: bool) -> datetime:
    """The end of that day, as far as it has come; now, if there is none."""
    now = timezone.now()
    if day is None:
        return now
    end = midnight(day + timedelta(days=1))
    if day > local_date(now):
        if not (ahead or settings.DEBUG):
            raise CommandError(f"{day} is still to come: --ahead does it all the same")
        return end
    return min(now, end)


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text} is no day: it is written 2026-11-30") from error
    if day.year not in YEARS:
        raise ArgumentTypeError(f"{text} is no day of these times")
    return day
