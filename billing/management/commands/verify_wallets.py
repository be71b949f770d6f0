from itertools import islice
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.verification.wallets import wallet_faults


class Command(BaseCommand):
    help = "Compares every wallet with the entries that made it, and prints the first thing wrong with each."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--most", type=int, default=100, help="stop after so many wallets (100)")

    def handle(self, *args: Any, most: int, **options: Any) -> None:
        found = 0
        for fault in islice(wallet_faults(), most):
            found += 1
            self.stdout.write(str(fault))
        if found:
            raise CommandError(f"{found} wallet(s) wrong")
        self.stdout.write("Wallets are the sums of their entries.")
