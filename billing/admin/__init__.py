"""What is sold, owed and paid: the pages of plans, packs, lines and subscriptions are here too, because they
show what those cost."""

from billing.admin import (
    bank,
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
