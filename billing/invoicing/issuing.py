"""Issuing: a draft gets its number and its seal, is paid by its wallet, and is a document from then on.

`issue_documents` is the one way to issue, for one document and for hundreds.
"""

from collections import defaultdict
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
    InvoiceEvent,
    InvoiceLine,
    InvoiceSeries,
    InvoiceStatus,
    Issuer,
    Notice,
    NoticeKind,
    Payment,
    PaymentMethod,
    standing_of,
)
from billing.rating.facts import PricedPeriod, require_same_tax
from billing.rating.kept import kept_inputs
from billing.sales.prepaid import PaidInAdvance, paid_by_wallet, settle_prepaid
from billing.wallets.setting_off import credit_for_new, save_new_set_offs
from customers.models import Plan
from telcox.common.calendar import local_date
from telcox.common.database.bulk import bulk_insert
from telcox.common.database.locking import lock_row, lock_rows
from telcox.common.errors import DomainError

ZERO = Decimal(0)


def issue_documents(
    documents: Sequence[Document],
    *,
    series: str,
    payments: Mapping[int, PaidInAdvance],
    at: datetime,
    by: str = "",
    why: str = "",
) -> None:
    """Issue drafts, invoices or credit notes: number and seal them in the series with this prefix, record
    what wallets paid for them in advance, set off credit of their lines, save them with their first steps,
    and queue them for e-mail. `series` may have
    several prefixes, separated by commas: each is used when the one before it has given its last number.

    A draft may be unsaved, with its lines, or saved with them. `payments` is what wallets paid in advance, by
    the key of the period (`paid_by_wallet`). The caller holds the transaction, and has taken every other lock
    that it needs: the series' row is locked here and stays locked until the transaction ends. Raises
    DomainError (`no_series`) if there is no such series, or it has no numbers left.
    """
    if not documents:
        return
    invoices = [document.invoice for document in documents]
    # _number_and_seal locks the series: no other process can issue after it, so it comes last.
    by_wallet = _wallet_payments(invoices, payments, at)
    set_offs = credit_for_new(invoices, {id(payment.invoice): payment.amount for payment in by_wallet})
    _set_standing(documents, [*by_wallet, *set_offs], at)
    _number_and_seal(documents, series)
    _save(documents)
    bulk_insert(_first_steps(invoices, at, by, why))
    bulk_insert(_mail_to_customers(invoices, at))
    Payment.objects.bulk_create(by_wallet)
    save_new_set_offs(set_offs, at=at, by=by)


def _wallet_payments(
    invoices: Sequence[Invoice], paid: Mapping[int, PaidInAdvance], at: datetime
) -> list[Payment]:
    payments = []
    for invoice in invoices:
        in_advance, entries = paid.get(invoice.subscription_id or 0, (ZERO, 0))
        amount = min(in_advance, invoice.total)
        if amount <= 0:
            continue
        payments.append(
            Payment(
                invoice=invoice,
                amount=amount,
                payment_method=PaymentMethod.MONEDEROS_DIGITALES,
                paid_at=at,
                # Unique: a period that is billed again has more entries by then.
                reference=f"{BY_WALLET}{invoice.subscription_id} {entries}",
            )
        )
    return payments


def _set_standing(documents: Sequence[Document], payments: Sequence[Payment], at: datetime) -> None:
    """Set what a document gets by being issued, except for its number and seal. An invoice with nothing to
    pay is paid at once; a credit note is never paid."""
    days_of_plans = dict(Plan.objects.filter(due_days__isnull=False).values_list("pk", "due_days"))
    day, paid = local_date(at), defaultdict[int, Decimal](Decimal)
    for payment in payments:
        paid[id(payment.invoice)] += payment.amount
    for invoice, lines in documents:
        invoice.issued_at = at
        invoice.due_on = day + timedelta(days=_due_days(invoice, days_of_plans))
        invoice.line_count = len(lines)
        invoice.status = InvoiceStatus.ISSUED
        if not invoice.corrects_id:
            amount = paid[id(invoice)]
            invoice.status = standing_of(total=invoice.total, credited=ZERO, paid=amount, void=False)


def _due_days(invoice: Invoice, days_of_plans: Mapping[int, int]) -> int:
    """Return the days until payment is due: the customer's, the plan's, or INVOICE_DUE_DAYS; for a credit
    note 0."""
    if invoice.corrects_id:
        return 0
    if invoice.customer and invoice.customer.due_days is not None:
        return invoice.customer.due_days
    plan_id = invoice.subscription.plan_id if invoice.subscription else 0
    return days_of_plans.get(plan_id, settings.INVOICE_DUE_DAYS)


def _number_and_seal(documents: Sequence[Document], prefixes: str) -> None:
    waiting = list(documents)
    for prefix in prefixes_of(prefixes):
        found = lock_rows(InvoiceSeries.objects.filter(prefix=prefix))
        if not found:
            raise DomainError(_("The invoice series does not exist"), reason="no_series")
        [series] = found
        fitting, waiting = waiting[: series.numbers_left], waiting[series.numbers_left :]
        _number_in(series, fitting)
        if not waiting:
            return
    raise DomainError(
        _("The invoice series has given its last number: create another one and name it in the settings"),
        reason="no_series",
    )


def prefixes_of(series: str) -> list[str]:
    """Return the prefixes that a setting names (INVOICE_SERIES, CREDIT_NOTE_SERIES), in the order in which
    the series are used."""
    return [prefix.strip() for prefix in series.split(",")]


def _number_in(series: InvoiceSeries, documents: Sequence[Document]) -> None:
    """Number and seal the documents in a locked series."""
    if not documents:
        return
    # Read under the series' lock, so that no document has an older issuer than the document before it.
    issuer = Issuer.objects.present()
    for invoice, lines in documents:
        series.last_number += 1
        invoice.series, invoice.number, invoice.issuer = series, series.last_number, issuer
        invoice.previous_hash = series.last_hash
        invoice.content_hash = series.last_hash = seal_document(
            invoice,
            lines,
            number=series.written(series.last_number),
            corrects=(invoice.corrects and invoice.corrects.full_number) or "",
            before=series.last_hash,
        )
    series.save(update_fields=["last_number", "last_hash"])


def _save(documents: Sequence[Document]) -> None:
    """Save numbered documents: those that were no rows yet in two statements."""
    new = [document for document in documents if document.invoice._state.adding]
    for invoice, _lines in documents:
        if not invoice._state.adding:
            invoice.save()
    if not new:
        return
    invoices = [document.invoice for document in new]
    bulk_insert(invoices)
    if any(invoice.pk is None for invoice in invoices):  # MySQL does not return the keys of inserted rows
        by_number = {(invoice.series_id, invoice.number): invoice for invoice in invoices}
        for series in {invoice.series_id for invoice in invoices}:
            numbers = [number for of, number in by_number if of == series]
            found = Invoice.objects.filter(series=series, number__in=numbers)
            for pk, number in found.values_list("pk", "number"):
                by_number[series, number].pk = pk
    bulk_insert(_of_their_invoices(new))


def _of_their_invoices(documents: Sequence[Document]) -> list[InvoiceLine]:
    lines = []
    for invoice, of_it in documents:
        for line in of_it:
            line.invoice = invoice
            lines.append(line)
    return lines


def _first_steps(invoices: Iterable[Invoice], at: datetime, by: str, why: str) -> list[InvoiceEvent]:
    """Return the step from draft to issued, and the one to paid for what is paid with it."""
    events = []
    for invoice in invoices:
        events.append(status_event(invoice, InvoiceStatus.DRAFT, InvoiceStatus.ISSUED, at, by, why))
        if invoice.status != InvoiceStatus.ISSUED:
            events.append(status_event(invoice, InvoiceStatus.ISSUED, invoice.status, at, by, why))
    return events


def _mail_to_customers(invoices: Iterable[Invoice], at: datetime) -> list[Notice]:
    """Return the notices that mail these documents to the customers who have an address, if documents are
    mailed at all (MAIL_DOCUMENTS)."""
    if not settings.MAIL_DOCUMENTS:
        return []
    return [
        Notice(invoice=invoice, kind=NoticeKind.DOCUMENT, channel=Channel.MAIL, created_at=at)
        for invoice in invoices
        if invoice.customer and invoice.customer.email
    ]


@transaction.atomic
def issue_invoice(*, invoice: Invoice, at: datetime, by: str = "") -> Invoice:
    """Issue a saved draft; from then on it is a document and never changes.

    A prepaid period's is paid by its line's wallet, which gets back what it paid beyond that. The series' row
    stays locked until the transaction ends: numbers are given one after the other, and one whose transaction
    is rolled back is given to the next. Raises DomainError if it is no draft, its tax rates are not those of
    its days any more, or a wallet is short.
    """
    invoice = lock_row(Invoice, invoice.pk)
    if not invoice.is_draft:
        raise refused_transition(invoice.status, InvoiceStatus.ISSUED)
    period = invoice.subscription
    prepaid = [period] if period and period.prepaid else []
    if period and invoice.rated_from is not None:
        kept = kept_inputs(invoice)
        require_same_tax(period, kept, at=at)
        settle_prepaid([PricedPeriod(each, kept, kept.rate()) for each in prepaid], at=at)
    lines = list(invoice.lines.select_related("late_for").order_by("position"))
    issue_documents(
        [Document(invoice, lines)],
        series=settings.INVOICE_SERIES,
        payments=paid_by_wallet(prepaid),
        at=at,
        by=by,
    )
    return invoice
