"""What is sold, owed and paid: the pages of plans, packs, lines and subscriptions are here too, because they
show what those cost."""

from billing.admin import (
    credit_notes,
    invoices,
    lines,
    packs,
    payments,
    plans,
    prices,
    subscriptions,
    wallets,
)

__all__ = [
    "credit_notes",
    "invoices",
    "lines",
    "packs",
    "payments",
    "plans",
    "prices",
    "subscriptions",
    "wallets",
]
