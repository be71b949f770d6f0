"""How what a period costs becomes a document."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec
from django.conf import settings
from django.utils.translation import gettext as _

from billing.models import Invoice, InvoiceLine, InvoiceSeries, InvoiceStatus, Payment, PaymentMethod
from billing.rating import Rated, RatedLine, RatingInputs, Span
from billing.sales.facts import Priced
from customers.models import Customer, Line
from telcox.common.bulk import insert
from telcox.common.calendar import local_date
from telcox.common.errors import DomainError

# In the language of the customer's documents, whoever makes them.
_OVERAGE = {"DATA": "Datos adicionales", "VOICE": "Minutos adicionales", "SMS": "SMS adicionales"}


def draft_of(bill: Priced, *, line: Line, customer: Customer) -> Invoice:
    """An unsaved draft, with copies of all that may change after it was sent."""
    period, facts, rated = bill
    return Invoice(
        customer=customer,
        subscription=period,
        period=f"{local_date(period.start_at):%Y-%m}",
        customer_dni=customer.dni,
        customer_name=customer.full_name,
        phone_number=line.phone_number,
        subtotal=rated.subtotal,
        discount=rated.discount,
        tax=rated.tax,
        tax_rate=facts.tax_rate,
        total=rated.total,
        rated_from=msgspec.to_builtins(facts),
    )


def lines_of(invoice: Invoice, facts: RatingInputs, rated: Rated) -> list[InvoiceLine]:
    return [
        InvoiceLine(
            invoice=invoice,
            position=position,
            description=_describe(line, facts.span),
            quantity=line.quantity,
            unit=line.unit,
            unit_price=line.unit_price,
            amount=line.amount,
            discount=line.discount,
            tax=line.tax,
        )
        for position, line in enumerate(rated.lines, start=1)
    ]


def facts_kept(invoice: Invoice) -> RatingInputs:
    """What the invoice's lines were reckoned from."""
    return msgspec.convert(invoice.rated_from, RatingInputs, strict=False)


def rated_again(invoice: Invoice) -> Rated:
    """What the invoice's lines were made of, reckoned again from what it keeps."""
    return facts_kept(invoice).rate()


def _describe(line: RatedLine, span: Span) -> str:
    if line.kind != "PLAN":
        return _OVERAGE.get(line.kind, line.name)
    last = max(span.start, span.end - timedelta(days=1))
    days = (span.end - span.start).days
    part = "" if days == span.days else f" ({days} de {span.days} días)"
    return f"{line.name}, {span.start:%d/%m/%Y} – {last:%d/%m/%Y}{part}"


def give_numbers(invoices: Sequence[Invoice], at: datetime) -> None:
    """Makes documents of drafts; the caller saves them in the same transaction.

    The series' row stays locked until it ends, so do this last. Raises DomainError if there is no series.
    """
    series = InvoiceSeries.objects.select_for_update().filter(prefix=settings.INVOICE_SERIES).first()
    if series is None:
        raise DomainError(_("The invoice series does not exist"), reason="no_series")
    due_on = local_date(at) + timedelta(days=settings.INVOICE_DUE_DAYS)
    for number, invoice in enumerate(invoices, start=series.last_number + 1):
        invoice.series, invoice.number, invoice.issued_at, invoice.due_on = series, number, at, due_on
        # Where nothing is owed, nothing will be paid.
        invoice.status = InvoiceStatus.ISSUED if invoice.total else InvoiceStatus.PAID
    series.last_number += len(invoices)
    series.save(update_fields=["last_number"])


def payments_of_wallets(
    invoices: Sequence[Invoice], paid: Mapping[int, tuple[Decimal, int]], at: datetime
) -> list[Payment]:
    """What wallets paid in advance for the invoices' periods (`paid_for`), as payments of the invoices, whose
    status says so; unsaved, like them."""
    payments = []
    for invoice in invoices:
        amount = min(paid.get(invoice.subscription_id or 0, (Decimal(0), 0))[0], invoice.total)
        if amount <= 0:
            continue
        invoice.status = InvoiceStatus.PAID if amount == invoice.total else InvoiceStatus.PARTLY_PAID
        payments.append(
            Payment(
                invoice=invoice,
                amount=amount,
                payment_method=PaymentMethod.MONEDEROS_DIGITALES,
                paid_at=at,
                reference=f"wallet {invoice.subscription_id}",
            )
        )
    return payments


def save_documents(invoices: Sequence[Invoice]) -> None:
    """Saves numbered invoices at once. A database that does not tell their keys (MySQL) is asked for them."""
    insert(invoices)
    if any(invoice.pk is None for invoice in invoices):
        by_number = {invoice.number: invoice for invoice in invoices}
        found = Invoice.objects.filter(series=invoices[0].series, number__in=by_number)
        for pk, number in found.values_list("pk", "number"):
            by_number[number].pk = pk
