"""Statement of a wallet, as its owner sees it."""

from dataclasses import dataclass
from decimal import Decimal

from billing.models import WalletEntry
from customers.models import Line
from telcox.common.errors import NotFound

# Entries in one answer.
ENTRIES_AT_ONCE = 50


@dataclass(frozen=True)
class Statement:
    """Statement: a line's balance, its limit, and its latest entries, or the latest before a position."""

    balance_usd: Decimal
    balance_limit_usd: Decimal
    prepaid: bool
    entries: list[WalletEntry]


def wallet_statement(*, phone_number: str, before: int | None = None) -> Statement:
    """Return the statement, newest entries first. A line without a wallet has balance 0 and no entries. Raise
    NotFound if no line has the number."""
    line = (
        Line.objects.filter(phone_number=phone_number)
        .values("prepaid", "wallet", "wallet__balance_usd", "wallet__balance_limit_usd")
        .first()
    )
    if line is None:
        raise NotFound("Not Found", reason="unknown_line")
    entries = WalletEntry.objects.filter(wallet=line["wallet"]).newest_first()
    if before is not None:
        entries = entries.filter(position__lt=before)
    return Statement(
        balance_usd=line["wallet__balance_usd"] or Decimal(0),
        balance_limit_usd=line["wallet__balance_limit_usd"] or Decimal(0),
        prepaid=line["prepaid"],
        entries=list(entries[:ENTRIES_AT_ONCE]) if line["wallet"] else [],
    )
