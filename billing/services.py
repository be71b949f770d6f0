"""What may happen to invoices."""

from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from msgspec.structs import replace

from billing.documents import (
    Document,
    draft_of,
    facts_kept,
    no_transition,
    note_issued,
    number,
    payments_of_wallets,
    rated_again,
)
from billing.models import Invoice, InvoiceLine, InvoiceStatus, Payment
from billing.notices.queueing import documents_to_mail
from billing.sales.facts import Priced, priced
from billing.sales.late import note_late_use, release_late_use
from billing.sales.settlement import paid_for, settle
from customers.models import Subscription
from telcox.common.errors import DomainError
from telcox.common.money import cents


@transaction.atomic
def draft_invoice(*, subscription: Subscription, at: datetime, discount: Decimal = Decimal(0)) -> Invoice:
    """A draft of the bill for one period, with what was used of it until `at`; `discount` (dollars) is given
    for this bill alone.

    Raises DomainError if the period has an invoice in force already, or no tax rate is known for the day.
    """
    subscription = Subscription.objects.select_for_update().get(pk=subscription.pk)
    if not subscription.unbilled:
        raise DomainError(_("The period has an invoice already"), reason="already_invoiced")
    [bill] = priced([subscription], at=at)
    if discount:
        changes = replace(bill.facts.changes, extra_discount=cents(discount))
        facts = replace(bill.facts, changes=changes)
        bill = Priced(subscription, facts, facts.rate())
    line, earlier = subscription.line, note_late_use([bill])
    invoice, lines = draft_of(bill, line=line, customer=line.customer, earlier=earlier)
    invoice.save(force_insert=True)
    for each in lines:
        each.invoice = invoice
    InvoiceLine.objects.bulk_create(lines)
    Subscription.objects.filter(pk=subscription.pk).update(unbilled=None)
    return invoice


@transaction.atomic
def issue_invoice(*, invoice: Invoice, at: datetime, by: str = "") -> Invoice:
    """Gives a draft its number; from then on it is a document and never changes.

    A prepaid period's is paid by its line's wallet, which gets back what it paid beyond that. The series' row
    stays locked until the transaction ends: numbers are given one after the other, and one whose transaction
    is rolled back is given to the next. Raises DomainError if it is no draft, or a wallet is short.
    """
    invoice = Invoice.objects.select_for_update().get(pk=invoice.pk)
    if not invoice.is_draft:
        raise no_transition(invoice.status, InvoiceStatus.ISSUED)
    period = invoice.subscription
    prepaid = [period] if period and period.prepaid else []
    if prepaid and invoice.rated_from is not None:
        settle([Priced(each, facts_kept(invoice), rated_again(invoice)) for each in prepaid], at=at)
    lines = list(invoice.lines.select_related("late_for").order_by("position"))
    number([Document(invoice, lines)], prefix=settings.INVOICE_SERIES, at=at)
    payments = payments_of_wallets([invoice], paid_for(prepaid), at)
    invoice.save()
    Payment.objects.bulk_create(payments)
    note_issued([invoice], at=at, by=by)
    documents_to_mail([invoice], at=at)
    return invoice


@transaction.atomic
def discard_draft(*, invoice: Invoice) -> None:
    """Deletes a draft and its lines. Raises DomainError if it is a document already."""
    invoice = Invoice.objects.select_for_update().get(pk=invoice.pk)
    if not invoice.is_draft:
        raise DomainError(_("An issued invoice cannot be deleted"), reason="not_a_draft")
    if invoice.subscription_id and invoice.in_force:
        Subscription.objects.filter(pk=invoice.subscription_id).update(unbilled=True)
        release_late_use(invoice)
    invoice.delete()
