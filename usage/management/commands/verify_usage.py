from itertools import islice
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from usage.verification import find_differences


class Command(BaseCommand):
    help = "Compares counters and days with the events they were added up from, and prints what differs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--most", type=int, default=100, help="stop after so many differences (100)")

    def handle(self, *args: Any, most: int, **options: Any) -> None:
        found = 0
        for difference in islice(find_differences(), most):
            found += 1
            self.stdout.write(str(difference))
        if found:
            raise CommandError(f"{found} difference(s)")
        self.stdout.write("Counters and days are the sums of their events.")
