"""Selection of what is exported, and its totals."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import reduce
from typing import Any, NamedTuple

from django.db.models import Count, Q, QuerySet, Sum

from billing.models import BillingChunk, Invoice, InvoiceKind, Payment, PaymentMethod
from billing.models.owed import with_owed
from telcox.common.calendar import midnight
from telcox.common.money import cents

AMOUNTS = ("subtotal", "discount", "tax", "total")


@dataclass(frozen=True, slots=True)
class Selection:
    """Documents and payments to export: the documents of a period (2026-11) and all payments for them; or,
    without a period, the documents issued and the payments received from the `first` to the `last` day, both
    included. Drafts are left out."""

    period: str = ""
    first: date = date(1971, 1, 1)
    last: date = date(9998, 12, 31)

    @property
    def documents_by(self) -> str:
        """Return the indexed column that finds the documents."""
        return "period" if self.period else "issued_at"

    def documents(self) -> QuerySet[Invoice]:
        return Invoice.objects.issued().filter(**self._of_documents())

    def payments(self) -> QuerySet[Payment]:
        within = self._of_documents("invoice__") if self.period else self._days("paid_at")
        return Payment.objects.filter(**within)

    def payments_of_documents(self) -> QuerySet[Payment]:
        return Payment.objects.filter(**self._of_documents("invoice__"))

    def corrections_of_documents(self) -> QuerySet[Invoice]:
        return Invoice.objects.issued().filter(**self._of_documents("corrects__"))

    def _of_documents(self, path: str = "") -> dict[str, Any]:
        """Return conditions on the indexed column alone, because the rows of documents are wide."""
        return {f"{path}period": self.period} if self.period else self._days(f"{path}issued_at")

    def _days(self, moment: str) -> dict[str, Any]:
        return {
            f"{moment}__gte": midnight(self.first),
            f"{moment}__lt": midnight(self.last + timedelta(days=1)),
        }

    def __str__(self) -> str:
        return self.period or f"{self.first}_{self.last}"


class Sums(NamedTuple):
    """Number of documents, and their sums in dollars. Amounts of credit notes count as negative."""

    documents: int
    subtotal: Decimal
    discount: Decimal
    tax: Decimal
    total: Decimal

    @classmethod
    def read(cls, recorded: Sequence[Any]) -> Sums:
        """Return sums as a chunk of a billing run recorded them (`BillingChunk.by_month`)."""
        documents, *amounts = recorded
        return cls(int(documents), *map(Decimal, amounts))

    def plus(self, other: Sums) -> Sums:
        return Sums(*map(operator.add, self, other))

    def negative(self) -> Sums:
        return Sums(-self.documents, *(-amount for amount in self[1:]))


class Totals(NamedTuple):
    """Totals of a selection's exports. `run` has the sums that billing runs recorded of the same documents,
    or None if none did. What it lacks was billed by the day's run, by hand or from quarantine.
    `amount` is what payments paid of invoices, and `set_off` the part of it that came from credit on wallets:
    that money came in before, and is no cash now. `run_of_others` has what the run of this month billed of
    other months' documents, which are not here."""

    invoices: Sums
    credit_notes: Sums
    paid: Decimal
    credited: Decimal
    outstanding: Decimal
    payments: int
    amount: Decimal
    to_wallet: Decimal
    set_off: Decimal
    run: Sums | None
    run_of_others: Sums

    @property
    def together(self) -> Sums:
        return self.invoices.plus(self.credit_notes)

    @property
    def not_by_run(self) -> Sums:
        """Return the invoices that no billing run recorded."""
        return self.invoices.plus(self.run.negative()) if self.run else _NONE


def totals_of(selection: Selection) -> Totals:
    by_kind = selection.documents().order_by().values("kind").annotate(documents=Count("pk"), **_SUMS)
    of_kind = {found["kind"]: _sums(found) for found in by_kind}
    billed, notes = (of_kind.get(kind, _NONE) for kind in (InvoiceKind.INVOICE, InvoiceKind.CREDIT_NOTE))
    paid = _dollars(selection.payments_of_documents().aggregate(sum=Sum("amount"))["sum"])
    credited = _dollars(selection.corrections_of_documents().aggregate(sum=Sum("total"))["sum"])
    received = selection.payments().aggregate(
        count=Count("pk"),
        set_off=Sum("amount", filter=Q(payment_method=PaymentMethod.SALDO_A_FAVOR)),
        paid=Sum("amount"),
        brought=Sum("to_wallet"),
    )
    run, run_of_others = _billed_by_runs(selection.period)
    return Totals(
        invoices=billed,
        credit_notes=Sums(notes.documents, *(-amount for amount in notes[1:])),
        paid=paid,
        credited=credited,
        outstanding=_dollars(with_owed(selection.documents().order_by()).aggregate(sum=Sum("owed"))["sum"]),
        payments=received["count"],
        amount=_dollars(received["paid"]),
        to_wallet=_dollars(received["brought"]),
        set_off=_dollars(received["set_off"]),
        run=run,
        run_of_others=run_of_others,
    )


def _billed_by_runs(period: str) -> tuple[Sums | None, Sums]:
    """Return what billing runs recorded of this period's documents, whichever month's run billed them, or
    None if none did; and what the run of this month billed of other periods' documents.

    A document belongs to the month in which its period began. A run bills what has ended by the end of its
    month, so periods of days, and what was left of earlier months, are documents of another month.
    """
    chunks = BillingChunk.objects.filter(run__period=period)
    own = chunks.aggregate(documents=Sum("invoices"), **_SUMS)
    others = _added(
        Sums.read(sums)
        for of_month in chunks.exclude(by_month={}).values_list("by_month", flat=True)
        for month, sums in of_month.items()
        if month != period
    )
    elsewhere = BillingChunk.objects.exclude(run__period=period).filter(by_month__has_key=period)
    of_other_runs = [Sums.read(of_month[period]) for of_month in elsewhere.values_list("by_month", flat=True)]
    if own["documents"] is None and not of_other_runs:
        return None, _NONE
    return _added([_sums(own), others.negative(), *of_other_runs]), others


def _added(many: Iterable[Sums]) -> Sums:
    return reduce(Sums.plus, many, _NONE)


_SUMS = {f"sum_of_{name}": Sum(name) for name in AMOUNTS}


def _sums(found: Mapping[str, Any]) -> Sums:
    return Sums(found["documents"] or 0, *(_dollars(found[name]) for name in _SUMS))


def _dollars(sum_of_rows: Decimal | None) -> Decimal:
    """Return whole cents, because SQLite adds decimals as binary fractions."""
    return cents(sum_of_rows or Decimal(0))


_NONE = Sums(0, *[_dollars(None)] * len(AMOUNTS))
