from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from billing.management import workers
from billing.management.arguments import parse_period
from billing.management.progress import Bars
from billing.management.workers import run_shared, worker_count
from billing.printing import documents_of_period, print_documents


class Command(BaseCommand):
    help = "Print the documents of a period as PDF files in advance. Documents already printed are kept."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("period", type=parse_period, help="2026-11")
        workers.add_arguments(parser)

    def handle(self, *args: Any, period: str, workers: int | None, **options: Any) -> None:
        printed = 0
        with Bars({"printed": documents_of_period(period).count()}) as bars:
            for step in run_shared(lambda share: print_documents(period, share=share), worker_count(workers)):
                printed += step
                bars.update("printed", step)
        self.stdout.write(f"{printed} document(s) printed")
