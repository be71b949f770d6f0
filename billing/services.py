"""What may happen to invoices."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from billing.models import (
    Invoice,
    InvoiceLine,
    InvoiceSeries,
    InvoiceStatus,
    Payment,
    PaymentMethod,
    TaxRate,
    Unit,
)
from billing.rating import RatedLine, Used, rate_period, total_up
from customers.models import Subscription
from telcox.common.calendar import local_date
from telcox.common.errors import DomainError
from usage.models import UsageCounter


@transaction.atomic
def draft_invoice(*, subscription: Subscription, at: datetime, discount: Decimal = Decimal(0)) -> Invoice:
    """A draft of the bill for one period: its price and its overage so far, taxed at the rate of the day.

    Raises DomainError if the period has an invoice in force already, or no tax rate is known for the day.
    """
    subscription = Subscription.objects.select_for_update().get(pk=subscription.pk)
    line, customer = subscription.line, subscription.line.customer
    if subscription.invoices.filter(in_force=True).exists():
        raise DomainError(_("The period has an invoice already"), reason="already_invoiced")
    tax_rate = TaxRate.objects.valid_on(local_date(at)).first()
    if tax_rate is None:
        raise DomainError(_("No tax rate is known for the day"), reason="no_tax_rate")
    rated = rate_period(subscription, _used(subscription))
    totals = total_up(rated, tax_rate=tax_rate.rate, discount=discount)
    invoice = Invoice.objects.create(
        customer=customer,
        subscription=subscription,
        period=f"{local_date(subscription.start_at):%Y-%m}",
        customer_dni=customer.dni,
        customer_name=customer.full_name,
        phone_number=line.phone_number,
        subtotal=totals.subtotal,
        discount=totals.discount,
        tax=totals.tax,
        tax_rate=tax_rate.rate,
        total=totals.total,
    )
    InvoiceLine.objects.bulk_create(
        InvoiceLine(
            invoice=invoice,
            position=position,
            description=_describe(subscription, item),
            quantity=item.quantity,
            unit=item.unit,
            unit_price=item.unit_price,
            amount=item.amount,
        )
        for position, item in enumerate(rated, start=1)
    )
    return invoice


def _used(subscription: Subscription) -> Used:
    counter = UsageCounter.objects.filter(pk=subscription.pk).first() or UsageCounter()
    return Used(data_bytes=counter.total_bytes, voice_minutes=counter.voice_minutes, sms=counter.used_sms)


def _describe(subscription: Subscription, item: RatedLine) -> str:
    """In the language of the customer's documents, whoever drafts them."""
    if item.unit == Unit.PERIOD:
        first, end = local_date(subscription.start_at), local_date(subscription.expiration_at)
        return f"{subscription.plan_name}, {first:%d/%m/%Y} – {end:%d/%m/%Y}"
    return {
        Unit.GB: "Datos adicionales",
        Unit.MINUTE: "Minutos adicionales",
        Unit.SMS: "SMS adicionales",
    }[Unit(item.unit)]


@transaction.atomic
def issue_invoice(*, invoice: Invoice, at: datetime) -> Invoice:
    """Gives a draft its number; from then on it is a document and never changes.

    The series' row stays locked until the transaction ends: numbers are given one after the other, and one
    whose transaction is rolled back is given to the next. Raises DomainError if it is no draft.
    """
    invoice = Invoice.objects.select_for_update().get(pk=invoice.pk)
    _require_transition(invoice, InvoiceStatus.ISSUED)
    series = _locked_series(settings.INVOICE_SERIES)
    series.last_number += 1
    series.save(update_fields=["last_number"])
    invoice.series, invoice.number = series, series.last_number
    invoice.issued_at = at
    invoice.due_on = local_date(at) + timedelta(days=settings.INVOICE_DUE_DAYS)
    invoice.status = InvoiceStatus.ISSUED
    invoice.save(update_fields=["series", "number", "issued_at", "due_on", "status"])
    return invoice


def _locked_series(prefix: str) -> InvoiceSeries:
    series = InvoiceSeries.objects.select_for_update().filter(prefix=prefix).first()
    if series is None:
        raise DomainError(_("The invoice series does not exist"), reason="no_series")
    return series


@transaction.atomic
def record_payment(
    *, invoice: Invoice, amount: Decimal, payment_method: PaymentMethod | str, reference: str, at: datetime
) -> Payment:
    """Money received at `at` for an issued invoice; `reference` names it once and for all.

    Raises DomainError if the invoice is a draft or paid, the amount is more than is owed or nothing at all,
    or the reference was used before.
    """
    invoice = Invoice.objects.select_for_update().get(pk=invoice.pk)
    left = invoice.outstanding - amount
    _require_transition(invoice, InvoiceStatus.PARTLY_PAID if left > 0 else InvoiceStatus.PAID)
    if amount <= 0:
        raise DomainError(_("A payment is more than nothing"), reason="amount_not_positive")
    if left < 0:
        raise DomainError(_("The payment is more than is owed"), reason="overpaid")
    payment = Payment(
        invoice=invoice, amount=amount, payment_method=payment_method, reference=reference, paid_at=at
    )
    try:
        with transaction.atomic():
            payment.save(force_insert=True)
    except IntegrityError as error:
        raise DomainError(_("A payment has this reference already"), reason="reference_used") from error
    invoice.status = InvoiceStatus.PARTLY_PAID if left else InvoiceStatus.PAID
    invoice.save(update_fields=["status"])
    return payment


@transaction.atomic
def discard_draft(*, invoice: Invoice) -> None:
    """Deletes a draft and its lines. Raises DomainError if it is a document already."""
    invoice = Invoice.objects.select_for_update().get(pk=invoice.pk)
    if not invoice.is_draft:
        raise DomainError(_("An issued invoice cannot be deleted"), reason="not_a_draft")
    invoice.delete()


def _require_transition(invoice: Invoice, status: InvoiceStatus) -> None:
    present = InvoiceStatus(invoice.status)
    if not present.may_become(status):
        raise DomainError(
            _("An invoice that is “%(present)s” cannot become “%(status)s”")
            % {"present": present.label, "status": status.label},
            reason=f"{present}_not_{status}".lower(),
        )
