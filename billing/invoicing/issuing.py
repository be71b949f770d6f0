"""Issuing: a draft gets its number and its seal, is paid by its wallet, and is a document from then on."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from billing.invoicing.drafting import Document
from billing.invoicing.sealing import seal_document
from billing.invoicing.steps import refused_transition, status_event
from billing.models import (
    BY_WALLET,
    Channel,
    Invoice,
    InvoiceLine,
    InvoiceSeries,
    InvoiceStatus,
    Issuer,
    Notice,
    NoticeKind,
    Payment,
    PaymentMethod,
)
from billing.rating.facts import PricedPeriod
from billing.rating.kept import kept_inputs, rate_again
from billing.sales.prepaid import paid_by_wallet, settle_prepaid
from customers.models import Plan
from telcox.common.calendar import local_date
from telcox.common.database.bulk import bulk_insert
from telcox.common.errors import DomainError


def number_documents(documents: Sequence[Document], *, prefix: str, at: datetime) -> None:
    """Makes documents of drafts: numbers them in the series `prefix` and seals them. The caller saves them in
    the same transaction.

    The series' row stays locked until it ends, so do this last. Raises DomainError if there is no such
    series.
    """
    series = InvoiceSeries.objects.select_for_update().filter(prefix=prefix).first()
    if series is None:
        raise DomainError(_("The invoice series does not exist"), reason="no_series")
    issuer, day = Issuer.objects.present(), local_date(at)
    days_of_plans = dict(Plan.objects.filter(due_days__isnull=False).values_list("pk", "due_days"))
    for invoice, lines in documents:
        series.last_number += 1
        invoice.series, invoice.number, invoice.issued_at, invoice.issuer = (
            series,
            series.last_number,
            at,
            issuer,
        )
        invoice.due_on = day + timedelta(days=_due_days(invoice, days_of_plans))
        invoice.line_count = len(lines)
        invoice.previous_hash = series.last_hash
        invoice.content_hash = series.last_hash = seal_document(
            invoice,
            lines,
            number=series.written(series.last_number),
            corrects=(invoice.corrects and invoice.corrects.full_number) or "",
            before=series.last_hash,
        )
        # Where nothing is owed, nothing will be paid.
        owed = invoice.total or invoice.corrects_id
        invoice.status = InvoiceStatus.ISSUED if owed else InvoiceStatus.PAID
    series.save(update_fields=["last_number", "last_hash"])


def _due_days(invoice: Invoice, days_of_plans: Mapping[int, int]) -> int:
    """The customer's, the plan's, or the usual ones; a credit note is not paid by anybody."""
    if invoice.corrects_id:
        return 0
    if invoice.customer and invoice.customer.due_days is not None:
        return invoice.customer.due_days
    plan_id = invoice.subscription.plan_id if invoice.subscription else 0
    return days_of_plans.get(plan_id, settings.INVOICE_DUE_DAYS)


def wallet_payments(
    invoices: Sequence[Invoice], paid: Mapping[int, tuple[Decimal, int]], at: datetime
) -> list[Payment]:
    """Return what wallets paid in advance for the invoices' periods (`paid_by_wallet`), as unsaved payments
    of the invoices; set the invoices' status accordingly."""
    payments = []
    for invoice in invoices:
        in_advance, entries = paid.get(invoice.subscription_id or 0, (Decimal(0), 0))
        amount = min(in_advance, invoice.total)
        if amount <= 0:
            continue
        invoice.status = InvoiceStatus.PAID if amount == invoice.total else InvoiceStatus.PARTLY_PAID
        payments.append(
            Payment(
                invoice=invoice,
                amount=amount,
                payment_method=PaymentMethod.MONEDEROS_DIGITALES,
                paid_at=at,
                # A period that is billed again was paid by more entries by then.
                reference=f"{BY_WALLET}{invoice.subscription_id} {entries}",
            )
        )
    return payments


def save_documents(documents: Sequence[Document]) -> None:
    """Saves numbered documents, all of one series, at once. A database that does not tell their keys (MySQL)
    is asked for them."""
    invoices = [document.invoice for document in documents]
    bulk_insert(invoices)
    if any(invoice.pk is None for invoice in invoices):
        by_number = {invoice.number: invoice for invoice in invoices}
        found = Invoice.objects.filter(series=invoices[0].series, number__in=by_number)
        for pk, of_it in found.values_list("pk", "number"):
            by_number[of_it].pk = pk
    bulk_insert(_of_their_invoices(documents))


def _of_their_invoices(documents: Sequence[Document]) -> list[InvoiceLine]:
    lines = []
    for invoice, of_it in documents:
        for line in of_it:
            line.invoice = invoice
            lines.append(line)
    return lines


def record_issued(invoices: Iterable[Invoice], *, at: datetime, by: str = "", why: str = "") -> None:
    """The first steps of documents that were just issued: issued, and paid where that is what they are."""
    events = []
    for invoice in invoices:
        events.append(status_event(invoice, InvoiceStatus.DRAFT, InvoiceStatus.ISSUED, at, by, why))
        if invoice.status != InvoiceStatus.ISSUED:
            events.append(status_event(invoice, InvoiceStatus.ISSUED, invoice.status, at, by, why))
    bulk_insert(events)


def queue_documents(invoices: Iterable[Invoice], *, at: datetime) -> None:
    """That customers get these documents, just issued, by e-mail: those who have an address, if documents are
    mailed at all (MAIL_DOCUMENTS)."""
    if not settings.MAIL_DOCUMENTS:
        return
    bulk_insert(
        [
            Notice(invoice=invoice, kind=NoticeKind.DOCUMENT, channel=Channel.MAIL, created_at=at)
            for invoice in invoices
            if invoice.customer and invoice.customer.email
        ]
    )


@transaction.atomic
def issue_invoice(*, invoice: Invoice, at: datetime, by: str = "") -> Invoice:
    """Gives a draft its number; from then on it is a document and never changes.

    A prepaid period's is paid by its line's wallet, which gets back what it paid beyond that. The series' row
    stays locked until the transaction ends: numbers are given one after the other, and one whose transaction
    is rolled back is given to the next. Raises DomainError if it is no draft, or a wallet is short.
    """
    invoice = Invoice.objects.select_for_update().get(pk=invoice.pk)
    if not invoice.is_draft:
        raise refused_transition(invoice.status, InvoiceStatus.ISSUED)
    period = invoice.subscription
    prepaid = [period] if period and period.prepaid else []
    if prepaid and invoice.rated_from is not None:
        settle_prepaid(
            [PricedPeriod(each, kept_inputs(invoice), rate_again(invoice)) for each in prepaid], at=at
        )
    lines = list(invoice.lines.select_related("late_for").order_by("position"))
    number_documents([Document(invoice, lines)], prefix=settings.INVOICE_SERIES, at=at)
    payments = wallet_payments([invoice], paid_by_wallet(prepaid), at)
    invoice.save()
    Payment.objects.bulk_create(payments)
    record_issued([invoice], at=at, by=by)
    queue_documents([invoice], at=at)
    return invoice
