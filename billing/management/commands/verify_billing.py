from collections.abc import Iterator

from billing.verification import find_faults
from telcox.common.verify_command import VerifyCommand


class Command(VerifyCommand):
    help = (
        "Verify that periods, allowances, invoices, document numbers, wallets and the histories of lines are "
        "consistent, and print every fault."
    )
    clean = "Periods, allowances, invoices, wallets and histories are consistent."

    def find(self) -> Iterator[object]:
        return find_faults()
