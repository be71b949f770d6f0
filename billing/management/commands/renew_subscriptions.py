from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from billing.management import clock, workers
from billing.management.progress import Bars
from billing.management.workers import run_shared, worker_count
from billing.sales.renewal import lines_due, renew_due_lines
from telcox.common.calendar import due_until


class Command(BaseCommand):
    help = (
        "Start the next period of every auto-renewing line whose period has ended, including missed periods."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        clock.add_arguments(parser)
        workers.add_arguments(parser)

    def handle(self, *args: Any, date: date | None, ahead: bool, workers: int | None, **options: Any) -> None:
        at, begun = due_until(clock.moment_for(date, ahead=ahead)), 0
        with Bars({"started": lines_due(at).count()}) as bars:
            for step in run_shared(lambda share: renew_due_lines(at=at, share=share), worker_count(workers)):
                begun += step
                bars.update("started", step)
        self.stdout.write(f"{begun} period(s) started")
