"""What is sold, owed and paid: the pages of plans, packs, lines and subscriptions are here too, because they
show what those cost."""

from billing.admin import (
    bank,
    credit_notes,
    invoices,
    lines,
    notices,
    packs,
    payments,
    plans,
    prices,
    runs,
    subscriptions,
    wallets,
)

__all__ = [
    "bank",
    "credit_notes",
    "invoices",
    "lines",
    "notices",
    "packs",
    "payments",
    "plans",
    "prices",
    "runs",
    "subscriptions",
    "wallets",
]
