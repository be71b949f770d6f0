"""What a wallet's owner sees of it."""

from dataclasses import dataclass
from decimal import Decimal

from billing.models import WalletEntry
from customers.models import Line
from telcox.common.errors import NotFound

# Entries of one answer.
ENTRIES_AT_ONCE = 50


@dataclass(frozen=True)
class Statement:
    """A line's money, and the latest of what made it that, or the latest before a position."""

    balance_usd: Decimal
    balance_limit_usd: Decimal
    prepaid: bool
    entries: list[WalletEntry]


def wallet_statement(*, phone_number: str, before: int | None = None) -> Statement:
    """Newest entries first; a line without a wallet has nothing. Raises NotFound for a number nobody has."""
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
