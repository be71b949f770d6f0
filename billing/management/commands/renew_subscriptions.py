from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from billing.management import clock
from billing.management.progress import Bars
from billing.sales.renewal import lines_due, renewals


class Command(BaseCommand):
    help = "Begins the next period of every auto-renewing line whose period has ended, missed ones included."

    def add_arguments(self, parser: CommandParser) -> None:
        clock.add_arguments(parser)

    def handle(self, *args: Any, date: date | None, ahead: bool, **options: Any) -> None:
        at, begun = clock.moment(date, ahead=ahead), 0
        with Bars({"begun": lines_due(at).count()}) as bars:
            for step in renewals(at=at):
                begun += step
                bars.update("begun", step)
        self.stdout.write(f"{begun} period(s) begun")
