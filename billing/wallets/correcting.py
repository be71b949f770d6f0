"""Corrections of wallets by staff: refunds and adjustments."""

from datetime import datetime
from decimal import Decimal

from billing.models import EntryKind, WalletEntry
from billing.wallets.posting import Posting
from billing.wallets.setting_off import post_credit
from customers.models import Line


def refund_wallet(
    *, line: Line, amount: Decimal, reference: str, at: datetime, by: str = "", description: str = ""
) -> WalletEntry:
    """Refund `amount` dollars to the wallet, and set them off against what is due. Raise DomainError if the
    entry is refused, as in `post_entries`."""
    posting = Posting(line.pk, EntryKind.REFUND, amount, reference, description)
    return post_credit(posting, at=at, by=by).taken()


def adjust_wallet(
    *, line: Line, amount: Decimal, reference: str, at: datetime, by: str = "", description: str = ""
) -> WalletEntry:
    """Adjust a balance: add `amount` dollars and set them off against what is due, or subtract them if it is
    negative. Raise DomainError if the entry is refused, as in `post_entries`."""
    posting = Posting(line.pk, EntryKind.ADJUSTMENT, amount, reference, description)
    return post_credit(posting, at=at, by=by).taken()
