"""Drafts: a rated period as an invoice without a number."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import msgspec
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from msgspec.structs import replace

from billing.invoicing.late_use import Earlier, lock_with_earlier, note_late_use, release_late_use
from billing.models import (
    Invoice,
    InvoiceLine,
)
from billing.rating import RatedLine, Span
from billing.rating.facts import PricedPeriod, price_periods
from billing.sales.renewal import take_steps_due
from customers.models import Customer, Language, Line, Subscription
from telcox.common.calendar import local_date
from telcox.common.database.locking import lock_row
from telcox.common.errors import DomainError
from telcox.common.money import cents
from usage.models import UsageEvent


class Document(NamedTuple):
    """An invoice or credit note with its lines: not saved yet, or a saved draft."""

    invoice: Invoice
    lines: Sequence[InvoiceLine]


# In the language of the customer's documents, not of the user who makes them.
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


def draft_of(bill: PricedPeriod, *, line: Line, customer: Customer, earlier: Earlier) -> Document:
    """Return an unsaved draft, with copies of all that may change after it was sent. `earlier` has the
    periods whose late usage is charged with it (`note_late_use`)."""
    period, facts, rated = bill
    invoice = Invoice(
        customer=customer,
        subscription=period,
        period=f"{local_date(period.start_at):%Y-%m}",
        customer_dni=customer.dni,
        customer_identity_kind=customer.identity_kind,
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
            tax_rate=each.tax_rate,
            # With its sequence, which is sealed, so that sealing needs no query while the series is locked.
            late_for=Subscription(pk=earlier[line.pk, each.late.sequence], sequence=each.late.sequence)
            if each.late
            else None,
        )
        for position, each in enumerate(rated.lines, start=1)
    ]
    return Document(invoice, lines)


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


@transaction.atomic
def draft_invoice(*, subscription: Subscription, at: datetime, discount: Decimal = Decimal(0)) -> Invoice:
    """Save and return a draft of the invoice for one period, with the usage counted so far. `discount`
    (dollars) applies to this invoice only.

    Raise DomainError if the period has an invoice in force already, or no tax rate is known for the day.
    """
    if usage_after(subscription).exists():
        take_steps_due([subscription.pk], at=at)
    subscription = lock_row(Subscription, subscription.pk)
    if not subscription.unbilled:
        raise DomainError(_("The period already has an invoice"), reason="already_invoiced")
    [bill] = price_periods([subscription], at=at)
    if discount:
        changes = replace(bill.facts.changes, extra_discount=cents(discount))
        facts = replace(bill.facts, changes=changes)
        bill = PricedPeriod(subscription, facts, facts.rate())
    line, earlier = subscription.line, note_late_use([bill])
    draft = draft_of(bill, line=line, customer=subscription.customer, earlier=earlier)
    save_draft(draft)
    Subscription.objects.filter(pk=subscription.pk).update(unbilled=None)
    return draft.invoice


def usage_after(period: Subscription) -> QuerySet[UsageEvent]:
    """Return the usage that was counted to a period after its end."""
    return UsageEvent.objects.filter(subscription=period.pk, occurred_at__gte=period.expiration_at)


def save_draft(draft: Document) -> None:
    """Save a draft that is not a row yet, and its lines."""
    invoice, lines = draft
    invoice.save(force_insert=True)
    for line in lines:
        line.invoice = invoice
    InvoiceLine.objects.bulk_create(lines)


@transaction.atomic
def discard_draft(*, invoice: Invoice) -> None:
    """Delete a draft and its lines. Raise DomainError if it is already issued."""
    invoice = lock_with_earlier(invoice)
    if not invoice.is_draft:
        raise DomainError(_("An issued invoice cannot be deleted: issue a credit note"), reason="not_a_draft")
    if invoice.subscription_id and invoice.in_force:
        Subscription.objects.filter(pk=invoice.subscription_id).update(unbilled=True)
        release_late_use(invoice)
    invoice.delete()
