from argparse import ArgumentTypeError
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from billing.daily import DayRun, day_run, work_due
from billing.management.progress import Bars
from telcox.common.calendar import local_date, midnight
from usage.ingestion.reports import YEARS


class Command(BaseCommand):
    help = (
        "Does all that is due: begins periods (missed ones included), ends lines, bills what has ended. It "
        "can be run twice, late, in several places at once, and be killed and run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--date",
            type=_day,
            metavar="DATE",
            help="2026-11-30: as of the end of that day, and not as of now",
        )
        parser.add_argument(
            "--ahead",
            action="store_true",
            help="in production, let that day be one to come: periods are begun and billed before their time",
        )

    def handle(self, *args: Any, date: date | None, ahead: bool, **options: Any) -> None:
        at = _moment(date, timezone.now(), ahead=ahead or settings.DEBUG)
        run = DayRun()
        with Bars(work_due(at=at)) as bars:
            for step in day_run(run, at=at):
                bars.update(step.work, step.done)
        self.stdout.write(
            f"As of {at.isoformat()}: {run.begun} period(s) begun, {run.ended} line(s) ended, "
            f"{run.invoices} invoice(s) issued over {run.total}"
        )
        if run.refused:
            raise CommandError(f"{run.refused} period(s) could not be billed: the log names them")


def _moment(day: date | None, now: datetime, *, ahead: bool) -> datetime:
    """The end of that day, as far as it has come."""
    if day is None:
        return now
    end = midnight(day + timedelta(days=1))
    if day > local_date(now):
        if not ahead:
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
