"""How what a period costs becomes a document."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import msgspec
from django.conf import settings
from django.utils.translation import gettext as _

from billing.models import (
    BY_WALLET,
    Invoice,
    InvoiceEvent,
    InvoiceLine,
    InvoiceSeries,
    InvoiceStatus,
    Issuer,
    Payment,
    PaymentMethod,
)
from billing.rating import Rated, RatedLine, RatingInputs, Span
from billing.sales.facts import Priced
from billing.sales.late import Earlier, facts_of_invoice
from billing.sealing import seal
from customers.models import Customer, Language, Line, Plan, Subscription
from telcox.common.bulk import insert
from telcox.common.calendar import local_date
from telcox.common.errors import DomainError


class Document(NamedTuple):
    """An invoice or a credit note, and its lines; not saved yet, or a draft that is."""

    invoice: Invoice
    lines: Sequence[InvoiceLine]


# In the language of the customer's documents, whoever makes them.
_OVERAGE = {
    Language.ES: {"DATA": "Datos adicionales", "VOICE": "Minutos adicionales", "SMS": "SMS adicionales"},
    Language.EN: {"DATA": "Additional data", "VOICE": "Additional minutes", "SMS": "Additional SMS"},
}
_LATE = {
    Language.ES: {
        "PLAN": "{name}, diferencia de {month} por consumo llegado tarde",
        "DATA": "Datos adicionales de {month}, llegados tarde",
        "VOICE": "Minutos adicionales de {month}, llegados tarde",
        "SMS": "SMS adicionales de {month}, llegados tarde",
    },
    Language.EN: {
        "PLAN": "{name}, difference for {month} by use that arrived late",
        "DATA": "Additional data of {month}, arrived late",
        "VOICE": "Additional minutes of {month}, arrived late",
        "SMS": "Additional SMS of {month}, arrived late",
    },
}
_PART = {Language.ES: "{days} de {all} días", Language.EN: "{days} of {all} days"}


def draft_of(bill: Priced, *, line: Line, customer: Customer, earlier: Earlier) -> Document:
    """An unsaved draft, with copies of all that may change after it was sent. `earlier` has the periods whose
    late use is charged with it (`note_late_use`)."""
    period, facts, rated = bill
    invoice = Invoice(
        customer=customer,
        subscription=period,
        period=f"{local_date(period.start_at):%Y-%m}",
        customer_dni=customer.dni,
        customer_name=customer.full_name,
        customer_address=customer.address,
        language=customer.language,
        phone_number=line.phone_number,
        subtotal=rated.subtotal,
        discount=rated.discount,
        tax=rated.tax,
        tax_rate=facts.tax_rate,
        total=rated.total,
        rated_from=msgspec.to_builtins(facts),
        usage_version=facts.usage_version,
    )
    language = Language(customer.language)
    lines = [
        InvoiceLine(
            position=position,
            description=_describe(each, facts.span, language),
            quantity=each.quantity,
            unit=each.unit,
            unit_price=each.unit_price,
            amount=each.amount,
            discount=each.discount,
            tax=each.tax,
            # With its number, which is sealed: nobody asks for it while the series is locked.
            late_for=Subscription(pk=earlier[line.pk, each.late.sequence], sequence=each.late.sequence)
            if each.late
            else None,
        )
        for position, each in enumerate(rated.lines, start=1)
    ]
    return Document(invoice, lines)


def facts_kept(invoice: Invoice) -> RatingInputs:
    """What the invoice's lines were reckoned from."""
    return facts_of_invoice(invoice.rated_from)


def rated_again(invoice: Invoice) -> Rated:
    """What the invoice's lines were made of, reckoned again from what it keeps."""
    return facts_kept(invoice).rate()


def _describe(line: RatedLine, span: Span, language: Language) -> str:
    if line.late:
        year, month = line.late.month.split("-")
        return _LATE[language][line.kind].format(name=line.name, month=f"{month}/{year}")
    if line.kind != "PLAN":
        return _OVERAGE[language].get(line.kind, line.name)
    last = max(span.start, span.end - timedelta(days=1))
    days = (span.end - span.start).days
    part = "" if days == span.days else f" ({_PART[language].format(days=days, all=span.days)})"
    return f"{line.name}, {span.start:%d/%m/%Y} – {last:%d/%m/%Y}{part}"


def number(documents: Sequence[Document], *, prefix: str, at: datetime) -> None:
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
        invoice.content_hash = series.last_hash = seal(
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


def payments_of_wallets(
    invoices: Sequence[Invoice], paid: Mapping[int, tuple[Decimal, int]], at: datetime
) -> list[Payment]:
    """What wallets paid in advance for the invoices' periods (`paid_for`), as payments of the invoices, whose
    status says so; unsaved, like them."""
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
    insert(invoices)
    if any(invoice.pk is None for invoice in invoices):
        by_number = {invoice.number: invoice for invoice in invoices}
        found = Invoice.objects.filter(series=invoices[0].series, number__in=by_number)
        for pk, of_it in found.values_list("pk", "number"):
            by_number[of_it].pk = pk
    insert(_of_their_invoices(documents))


def _of_their_invoices(documents: Sequence[Document]) -> list[InvoiceLine]:
    lines = []
    for invoice, of_it in documents:
        for line in of_it:
            line.invoice = invoice
            lines.append(line)
    return lines


def note_issued(invoices: Iterable[Invoice], *, at: datetime, by: str = "", why: str = "") -> None:
    """The first steps of documents that were just issued: issued, and paid where that is what they are."""
    events = []
    for invoice in invoices:
        events.append(_event(invoice, InvoiceStatus.DRAFT, InvoiceStatus.ISSUED, at, by, why))
        if invoice.status != InvoiceStatus.ISSUED:
            events.append(_event(invoice, InvoiceStatus.ISSUED, invoice.status, at, by, why))
    insert(events)


def note_step(invoice: Invoice, before: str, *, at: datetime, by: str = "", why: str = "") -> None:
    """That the invoice has become what its status says, and was `before`."""
    _event(invoice, before, invoice.status, at, by, why).save(force_insert=True)


def restate(invoice: Invoice, *, at: datetime, by: str = "", why: str = "") -> None:
    """Gives a locked invoice the status that its payments and credit notes make it, and notes the step. A
    void one makes room for another of its period."""
    before, invoice.status = invoice.status, invoice.standing
    if before != invoice.status and not InvoiceStatus(before).may_become(invoice.status):
        raise no_transition(before, invoice.status)
    if invoice.status == InvoiceStatus.VOID:
        invoice.in_force = None
    invoice.save(update_fields=["status", "in_force"])
    note_step(invoice, before, at=at, by=by, why=why)


def no_transition(before: str, after: str) -> DomainError:
    present, status = InvoiceStatus(before), InvoiceStatus(after)
    return DomainError(
        _("An invoice that is “%(present)s” cannot become “%(status)s”")
        % {"present": present.label, "status": status.label},
        reason=f"{present}_not_{status}".lower(),
    )


def _event(invoice: Invoice, before: str, after: str, at: datetime, by: str, why: str) -> InvoiceEvent:
    return InvoiceEvent(invoice=invoice, from_status=before, to_status=after, at=at, by=by, why=why)
