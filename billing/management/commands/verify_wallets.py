from itertools import islice
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.verification.wallets import wallet_faults


class Command(BaseCommand):
    help = "Compare every wallet with the sum of its entries, and print the first fault of each wallet."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--most", type=int, default=100, help="stop after this many wallets (100)")

    def handle(self, *args: Any, most: int, **options: Any) -> None:
        found = 0
        for fault in islice(wallet_faults(), most):
            found += 1
            self.stdout.write(str(fault))
        if found:
            raise CommandError(f"{found} wallet(s) with faults")
        self.stdout.write("Wallets are the sums of their entries.")
