"""Wallets, the money on lines: a wallet is a ledger, and every movement is a new entry (docs/wallet.md)."""

from billing.wallets.correcting import adjust_wallet, refund_wallet
from billing.wallets.paying_out import PaidOut, pay_out
from billing.wallets.posting import Posted, Posting, post_entries
from billing.wallets.setting_off import set_off_credit
from billing.wallets.statement import Statement, wallet_statement
from billing.wallets.topping_up import TopUp, top_up

__all__ = [
    "PaidOut",
    "Posted",
    "Posting",
    "Statement",
    "TopUp",
    "adjust_wallet",
    "pay_out",
    "post_entries",
    "refund_wallet",
    "set_off_credit",
    "top_up",
    "wallet_statement",
]
