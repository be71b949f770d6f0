"""Wallets, the money on lines: a wallet is a ledger, and every movement is a new entry (docs/wallet.md)."""

from billing.wallets.posting import (
    Posted,
    Posting,
    adjust_wallet,
    post_entries,
    refund_wallet,
)
from billing.wallets.statement import Statement, wallet_statement
from billing.wallets.topping_up import TopUp, top_up

__all__ = [
    "Posted",
    "Posting",
    "Statement",
    "TopUp",
    "adjust_wallet",
    "post_entries",
    "refund_wallet",
    "top_up",
    "wallet_statement",
]
