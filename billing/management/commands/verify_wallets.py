from collections.abc import Iterator

from billing.verification.wallets import wallet_faults
from telcox.common.verify_command import VerifyCommand


class Command(VerifyCommand):
    help = "Compare every wallet with the sum of its entries, and print the first fault of each wallet."
    clean = "Wallets are the sums of their entries."

    def find(self) -> Iterator[object]:
        return wallet_faults()
