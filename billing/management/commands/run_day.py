from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.daily import DayRun, day_run, work_due
from billing.management import clock
from billing.management.progress import Bars


class Command(BaseCommand):
    help = (
        "Does all that is due: begins periods (missed ones included), ends lines, bills what has ended. It "
        "can be run twice, late, in several places at once, and be killed and run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        clock.add_arguments(parser)

    def handle(self, *args: Any, date: date | None, ahead: bool, **options: Any) -> None:
        at = clock.moment(date, ahead=ahead)
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
