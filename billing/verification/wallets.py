"""Verify that each wallet's balance is the sum of its entries."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Q

from billing.models import Wallet, WalletEntry
from billing.verification.faults import Fault
from telcox.common.database.consistent_read import consistent_read

# Wallets compared at a time, and entries read at a time, so that memory is constant.
WALLETS_AT_ONCE = 1_000
ENTRIES_AT_ONCE = 5_000


@dataclass
class _Wallet:
    phone_number: str
    held: Decimal
    position: int = 0
    balance: Decimal = Decimal(0)
    fault: str | None = None

    def read(self, position: int, amount: Decimal, balance_after: Decimal) -> None:
        expected = self.balance + amount
        self.position, self.balance = self.position + 1, balance_after
        if self.fault is None and position != self.position:
            self.fault = f"entry {self.position}: missing, the next one is {position}"
        elif self.fault is None and balance_after != expected:
            self.fault = f"entry {position}: balance {balance_after}, by the entries up to it {expected}"

    def close(self) -> str | None:
        if self.fault is None and self.held != self.balance:
            return f"balance {self.held}, by its last entry {self.balance}"
        return self.fault


def wallet_faults() -> Iterator[Fault]:
    """Yield the first fault of each wallet: a gap in the positions, a balance that is not the sum of the
    entries up to it, or a wallet's balance that differs from its last entry's. WALLETS_AT_ONCE wallets are
    read as of one moment; entries may be added at the same time."""
    last = 0
    wallets = Wallet.objects.order_by("pk").values_list("pk", "line__phone_number", "balance_usd")
    while True:
        with consistent_read():
            chunk = {
                pk: _Wallet(number, held)
                for pk, number, held in wallets.filter(pk__gt=last)[:WALLETS_AT_ONCE]
            }
            if not chunk:
                return
            first, last = min(chunk), max(chunk)
            for wallet_id, position, amount, balance_after in _entries(first, last):
                chunk[wallet_id].read(position, amount, balance_after)
        for wallet in chunk.values():
            if fault := wallet.close():
                yield Fault(f"wallet of {wallet.phone_number}", fault)


def _entries(first: int, last: int) -> Iterator[tuple[int, int, Decimal, Decimal]]:
    """Yield the entries of the wallets from `first` to `last`, page by page, since the driver keeps a whole
    result in memory."""
    entries = (
        WalletEntry.objects.filter(wallet__lte=last)
        .order_by("wallet_id", "position")
        .values_list("wallet_id", "position", "amount", "balance_after")
    )
    after = Q(wallet__gte=first)
    while page := list(entries.filter(after)[:ENTRIES_AT_ONCE]):
        yield from page
        wallet_id, position, *_ = page[-1]
        after = Q(wallet=wallet_id, position__gt=position) | Q(wallet__gt=wallet_id)
