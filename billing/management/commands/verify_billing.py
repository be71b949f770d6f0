from itertools import islice
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.verification import find_faults


class Command(BaseCommand):
    help = (
        "Verify that periods, allowances, invoices, document numbers, wallets and the histories of lines are "
        "consistent, and print every fault."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--most", type=int, default=100, help="stop after this many faults (100)")

    def handle(self, *args: Any, most: int, **options: Any) -> None:
        found = 0
        for fault in islice(find_faults(), most):
            found += 1
            self.stdout.write(str(fault))
        if found:
            raise CommandError(f"{found} fault(s)")
        self.stdout.write("Periods, allowances, invoices, wallets and histories are consistent.")
