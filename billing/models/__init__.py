"""What is owed and paid."""

from billing.models.invoices import (
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceSeries,
    InvoiceStatus,
    Unit,
    written_number,
)
from billing.models.payments import Payment, PaymentMethod
from billing.models.prices import Discount, TaxRate
from billing.models.wallets import EntryKind, Wallet, WalletEntry

__all__ = [
    "Discount",
    "EntryKind",
    "Invoice",
    "InvoiceKind",
    "InvoiceLine",
    "InvoiceSeries",
    "InvoiceStatus",
    "Payment",
    "PaymentMethod",
    "TaxRate",
    "Unit",
    "Wallet",
    "WalletEntry",
    "written_number",
]
