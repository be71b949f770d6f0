"""What is sold, owed and paid: the pages of plans, packs, lines and subscriptions are here too, because they
show what those cost."""

from billing.admin import invoices, lines, packs, payments, plans, prices, runs, subscriptions, wallets

__all__ = ["invoices", "lines", "packs", "payments", "plans", "prices", "runs", "subscriptions", "wallets"]
