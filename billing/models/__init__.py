"""Models of billing: documents, payments, wallets, prices, billing runs."""

from billing.models.events import Channel, InvoiceEvent, Notice, NoticeKind, NoticeState
from billing.models.invoices import (
    CreditNote,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceStatus,
    Unit,
    standing_of,
)
from billing.models.payments import (
    BY_SET_OFF,
    BY_WALLET,
    MONEY_METHODS,
    BankProblem,
    BankTransfer,
    Closing,
    Payment,
    PaymentMethod,
    Reversal,
    TransferPart,
)
from billing.models.prices import Discount, TaxRate
from billing.models.references import MoneyReference, reference_key
from billing.models.runs import BillingChunk, BillingRun, ParkedBill, ParkReason, RunState
from billing.models.series import InvoiceSeries, Issuer, written_number
from billing.models.wallets import EntryKind, PayOut, Wallet, WalletEntry

__all__ = [
    "BY_SET_OFF",
    "BY_WALLET",
    "MONEY_METHODS",
    "BankProblem",
    "BankTransfer",
    "BillingChunk",
    "BillingRun",
    "Channel",
    "Closing",
    "CreditNote",
    "Discount",
    "EntryKind",
    "Invoice",
    "InvoiceEvent",
    "InvoiceKind",
    "InvoiceLine",
    "InvoiceSeries",
    "InvoiceStatus",
    "Issuer",
    "MoneyReference",
    "Notice",
    "NoticeKind",
    "NoticeState",
    "ParkReason",
    "ParkedBill",
    "PayOut",
    "Payment",
    "PaymentMethod",
    "Reversal",
    "RunState",
    "TaxRate",
    "TransferPart",
    "Unit",
    "Wallet",
    "WalletEntry",
    "reference_key",
    "standing_of",
    "written_number",
]
