"""Admin pages of billing, and of plans, packs, lines and subscriptions, because those pages show what these
cost."""

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
    revisions,
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
    "revisions",
    "runs",
    "subscriptions",
    "wallets",
]
