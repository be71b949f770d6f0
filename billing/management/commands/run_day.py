from collections.abc import Iterator
from datetime import date, datetime
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.daily import DayRun, day_run, work_due
from billing.management import clock, workers
from billing.management.progress import Bars
from billing.management.workers import run_shared, worker_count
from telcox.common.database.batches import Share


class Command(BaseCommand):
    help = (
        "Do everything that is due: start periods (including missed ones), end lines, bill ended periods, "
        "set off credit against open invoices, send reminders of overdue invoices, suspend lines for "
        "non-payment. It can be run twice, late, on several machines at once, and can be killed and run "
        "again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        clock.add_arguments(parser)
        workers.add_arguments(parser)

    def handle(self, *args: Any, date: date | None, ahead: bool, workers: int | None, **options: Any) -> None:
        at = clock.moment_for(date, ahead=ahead)
        run = DayRun()
        with Bars(work_due(at=at)) as bars:
            for step in run_shared(partial(_share, at), worker_count(workers)):
                run += step
                for work, done in step.done().items():
                    if done:
                        bars.update(work, done)
        self.stdout.write(
            f"As of {at.isoformat()}: {run.begun} period(s) started, {run.ended} line(s) ended, "
            f"{run.invoices} invoice(s) issued totalling {run.total}, {run.reminders} reminder(s) queued, "
            f"{run.suspended} line(s) suspended"
            + (f", credit set off against {run.set_off} open invoice(s)" if run.set_off else "")
        )
        if run.parked:
            raise CommandError(f"{run.parked} quarantined bill(s): see the reasons in the back-office")


def _share(at: datetime, share: Share) -> Iterator[DayRun]:
    return day_run(at=at, share=share)
