"""The moment as of which a command works (`--date`)."""

from argparse import ArgumentTypeError
from datetime import date, datetime

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from billing.management.arguments import parse_day
from telcox.common.calendar import end_of_day, local_date
from usage.ingestion.reports import YEARS


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument(
        "--date",
        type=_day_of_our_times,
        metavar="DATE",
        help="2026-11-30: act as of the end of that day instead of now",
    )
    parser.add_argument(
        "--ahead",
        action="store_true",
        help="allow a --date in the future in production: what is due by then is done early",
    )


def moment_for(of: date | None, *, ahead: bool) -> datetime:
    """Return the last moment of the day `of`, or now if the day has not ended or none is given. Raise
    CommandError if the day is in the future, unless DEBUG is on or `ahead` is set."""
    now = timezone.now()
    if of is None:
        return now
    if of > local_date(now):
        if not (ahead or settings.DEBUG):
            raise CommandError(f"{of} is in the future: add --ahead to do it all the same")
        return end_of_day(of)
    return min(now, end_of_day(of))


def _day_of_our_times(text: str) -> date:
    found = parse_day(text)
    if found.year not in YEARS:
        raise ArgumentTypeError(f"{text} is outside the supported years")
    return found
