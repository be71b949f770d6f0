from itertools import islice
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from usage.verification import find_differences


class Command(BaseCommand):
    help = "Compare usage counters and daily sums with the sums of their events, and print every difference."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--most", type=int, default=100, help="stop after this many differences (100)")

    def handle(self, *args: Any, most: int, **options: Any) -> None:
        found = 0
        for difference in islice(find_differences(), most):
            found += 1
            self.stdout.write(str(difference))
        if found:
            raise CommandError(f"{found} difference(s)")
        self.stdout.write("Counters and daily sums are equal to the sums of their events.")
