"""What is owed and paid."""

from billing.models.events import Channel, InvoiceEvent, Notice, NoticeKind, NoticeState
from billing.models.invoices import Invoice, InvoiceKind, InvoiceLine, InvoiceStatus, Unit, standing_of
from billing.models.payments import BankProblem, BankTransfer, Payment, PaymentMethod
from billing.models.prices import Discount, TaxRate
from billing.models.runs import BillingChunk, BillingRun, ParkedBill, ParkReason, RunState
from billing.models.series import InvoiceSeries, Issuer, written_number
from billing.models.wallets import EntryKind, Wallet, WalletEntry

__all__ = [
    "BankProblem",
    "BankTransfer",
    "BillingChunk",
    "BillingRun",
    "Channel",
    "Discount",
    "EntryKind",
    "Invoice",
    "InvoiceEvent",
    "InvoiceKind",
    "InvoiceLine",
    "InvoiceSeries",
    "InvoiceStatus",
    "Issuer",
    "Notice",
    "NoticeKind",
    "NoticeState",
    "ParkReason",
    "ParkedBill",
    "Payment",
    "PaymentMethod",
    "RunState",
    "TaxRate",
    "Unit",
    "Wallet",
    "WalletEntry",
    "standing_of",
    "written_number",
]
