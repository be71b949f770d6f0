"""What is exported, and what it adds up to."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Aggregate, Count, QuerySet, Sum

from billing.models import BillingChunk, Invoice, InvoiceKind, Payment
from telcox.common.calendar import midnight
from telcox.common.money import cents

AMOUNTS = ("subtotal", "discount", "tax", "total")


@dataclass(frozen=True, slots=True)
class Selection:
    """The documents of a period (2026-11) and whatever was paid for them; or, without a period, the documents
    issued and the payments received from the `first` to the `last` day, both included. No drafts."""

    period: str = ""
    first: date = date(1971, 1, 1)
    last: date = date(9998, 12, 31)

    @property
    def documents_by(self) -> str:
        """The column, with an index, that finds them."""
        return "period" if self.period else "issued_at"

    def documents(self) -> QuerySet[Invoice]:
        issued = Invoice.objects.issued()
        return (
            issued.filter(period=self.period) if self.period else issued.filter(**self._within("issued_at"))
        )

    def payments(self) -> QuerySet[Payment]:
        if self.period:
            return Payment.objects.filter(invoice__in=self.documents())
        return Payment.objects.filter(**self._within("paid_at"))

    def _within(self, moment: str) -> dict[str, Any]:
        return {
            f"{moment}__gte": midnight(self.first),
            f"{moment}__lt": midnight(self.last + timedelta(days=1)),
        }

    def __str__(self) -> str:
        return self.period or f"{self.first}_{self.last}"


class Sums(NamedTuple):
    """Of so many documents, in dollars; credit notes count below nothing."""

    documents: int
    subtotal: Decimal
    discount: Decimal
    tax: Decimal
    total: Decimal


class Totals(NamedTuple):
    """What the exports of a selection add up to. `run` is what the period's billing run wrote down, if there
    was one."""

    invoices: Sums
    credit_notes: Sums
    paid: Decimal
    credited: Decimal
    outstanding: Decimal
    payments: int
    amount: Decimal
    to_wallet: Decimal
    run: Sums | None

    @property
    def together(self) -> Sums:
        return Sums(*map(operator.add, self.invoices, self.credit_notes))


def totals_of(selection: Selection) -> Totals:
    documents, payments = selection.documents(), selection.payments()
    invoices = documents.filter(kind=InvoiceKind.INVOICE)
    notes = _sums(documents.filter(kind=InvoiceKind.CREDIT_NOTE))
    billed = _sums(invoices)
    paid = _sum(Payment.objects.filter(invoice__in=invoices), "amount")
    credited = _sum(Invoice.objects.filter(corrects__in=invoices), "total")
    run = _sums(BillingChunk.objects.filter(run__period=selection.period), Sum("invoices"))
    return Totals(
        invoices=billed,
        credit_notes=Sums(notes.documents, *(-amount for amount in notes[1:])),
        paid=paid,
        credited=credited,
        outstanding=billed.total - credited - paid,
        payments=payments.count(),
        amount=_sum(payments, "amount"),
        to_wallet=_sum(payments, "to_wallet"),
        run=run if run.documents else None,
    )


def _sums(rows: QuerySet[Any], documents: Aggregate = Count("pk")) -> Sums:  # noqa: B008
    found = rows.aggregate(documents=documents, **{name: Sum(name) for name in AMOUNTS})
    return Sums(found["documents"] or 0, *(_dollars(found[name]) for name in AMOUNTS))


def _sum(rows: QuerySet[Any], amount: str) -> Decimal:
    return _dollars(rows.aggregate(sum=Sum(amount))["sum"])


def _dollars(sum_of_rows: Decimal | None) -> Decimal:
    """In whole cents: SQLite adds decimals as binary fractions."""
    return cents(sum_of_rows or Decimal(0))
