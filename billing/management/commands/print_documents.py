from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from billing.management import workers
from billing.management.arguments import period
from billing.management.progress import Bars
from billing.management.workers import number, shared
from billing.printing import documents_of, prints


class Command(BaseCommand):
    help = "Prints the documents of a period, so that nobody waits for one; those that are printed stay."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("period", type=period, help="2026-11")
        workers.add_arguments(parser)

    def handle(self, *args: Any, period: str, workers: int | None, **options: Any) -> None:
        printed = 0
        with Bars({"printed": documents_of(period).count()}) as bars:
            for step in shared(lambda share: prints(period, share=share), number(workers)):
                printed += step
                bars.update("printed", step)
        self.stdout.write(f"{printed} document(s)")
