"""Tables of documents and payments for finance, whose rows are read while they are written."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import QuerySet, Sum
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from billing.exports.selection import Selection
from billing.models import Invoice, InvoiceKind, InvoiceStatus, Payment, PaymentMethod, written_number
from billing.models.outstanding import outstanding_of
from billing.models.taxes import taxes_by_rate
from telcox.common.database.bulk import KEYS_AT_ONCE
from telcox.common.database.consistent_read import consistent_read
from telcox.common.database.keyset import pages
from telcox.common.money import cents

Row = Sequence[Any]


class Table(NamedTuple):
    """Table to export. `name` is for the file. Cells are text, Decimal, date, local datetime without zone, or
    None."""

    name: str
    titles: Sequence[str | Promise]
    rows: Iterator[Row]


def documents_table(selection: Selection) -> Table:
    """Return the table of documents. Amounts of credit notes are negative, so that each column adds up to the
    net amount billed."""
    titles = (
        _("number"),
        _("kind"),
        _("status"),
        _("corrects"),
        _("issued"),
        _("due"),
        _("period"),
        _("DNI"),
        _("customer name"),
        _("phone number"),
        _("subtotal"),
        _("discount"),
        _("tax rate"),
        _("tax"),
        _("total"),
        _("paid"),
        _("credited"),
        _("outstanding"),
    )
    return Table(f"documents-{selection}", titles, _at_one_moment(_documents(selection)))


def payments_table(selection: Selection) -> Table:
    titles = (
        _("paid"),
        _("reference"),
        _("payment method"),
        _("invoice"),
        _("amount"),
        _("to the wallet"),
        _("reverses"),
        _("by"),
    )
    return Table(f"payments-{selection}", titles, _at_one_moment(_payments(selection)))


def _at_one_moment(rows: Iterator[Row]) -> Iterator[Row]:
    """Yield the rows from one consistent read, however long the reader takes."""
    with consistent_read():
        yield from rows


_OF_A_DOCUMENT = (
    "pk",
    *("number", "series__prefix", "series__pattern", "kind", "status"),
    *("corrects__number", "corrects__series__prefix", "corrects__series__pattern"),
    *("issued_at", "due_on", "period", "customer_dni", "customer_name", "phone_number"),
    *("subtotal", "discount", "tax_rate", "tax", "total"),
)


def _documents(selection: Selection) -> Iterator[Row]:
    wanted = selection.documents().values_list(*_OF_A_DOCUMENT, named=True)
    for documents in pages(wanted, selection.documents_by, KEYS_AT_ONCE):
        keys = [document.pk for document in documents]
        paid = _added_up(Payment.objects.filter(invoice__in=keys), "invoice", "amount")
        credited = _added_up(Invoice.objects.filter(corrects__in=keys), "corrects", "total")
        rates = _rates(keys)
        for each in documents:
            yield _document(
                each,
                paid.get(each.pk, _NOTHING),
                credited.get(each.pk, _NOTHING),
                rates.get(each.pk, each.tax_rate),
            )


_NOTHING = Decimal("0.00")


def _added_up(rows: QuerySet[Any], of: str, amount: str) -> Mapping[int, Decimal]:
    sums = rows.order_by().values_list(of).annotate(Sum(amount))
    return {key: cents(added_up) for key, added_up in sums}


def _rates(keys: Sequence[int]) -> Mapping[int, Decimal | str]:
    """Return the tax rates of the documents that have lines of another rate than their own: the rate if all
    lines have it, else a text with all rates."""
    wanted = Invoice.objects.filter(pk__in=keys, lines__tax_rate__isnull=False).distinct()
    found = {}
    for document in wanted.only("tax_rate").prefetch_related("lines"):
        rates = [each.rate for each in taxes_by_rate(document, document.lines.all())]
        found[document.pk] = rates[0] if len(rates) == 1 else " + ".join(map(str, rates))
    return found


def _document(document: Any, paid: Decimal, credited: Decimal, tax_rate: Decimal | str) -> Row:
    amounts = [document.subtotal, document.discount, document.tax, document.total]
    is_note = document.kind == InvoiceKind.CREDIT_NOTE
    if is_note:
        amounts = [-amount for amount in amounts]
    outstanding = outstanding_of(total=document.total, credited=credited, paid=paid, is_note=is_note)
    subtotal, discount, tax, total = amounts
    return (
        written_number(document.series__prefix, document.series__pattern, document.number),
        str(InvoiceKind(document.kind).label),
        str(InvoiceStatus(document.status).label),
        document.corrects__number
        and written_number(
            document.corrects__series__prefix, document.corrects__series__pattern, document.corrects__number
        ),
        _local(document.issued_at),
        document.due_on,
        document.period,
        document.customer_dni,
        document.customer_name,
        document.phone_number,
        subtotal,
        discount,
        tax_rate,
        tax,
        total,
        paid,
        credited,
        cents(outstanding),
    )


_OF_A_PAYMENT = (
    *("pk", "paid_at", "reference", "payment_method"),
    *("invoice__number", "invoice__series__prefix", "invoice__series__pattern"),
    *("amount", "to_wallet", "reverses__reference", "by"),
)


def _payments(selection: Selection) -> Iterator[Row]:
    wanted = selection.payments().values_list(*_OF_A_PAYMENT, named=True)
    found = _of_documents(selection) if selection.period else pages(wanted, "paid_at", KEYS_AT_ONCE)
    for payments in found:
        for payment in payments:
            yield _payment(payment)


def _of_documents(selection: Selection) -> Iterator[Iterable[Any]]:
    """Yield the payments of a period's documents, in the order of the documents."""
    keys = selection.documents().values_list("pk", selection.documents_by, named=True)
    wanted = Payment.objects.order_by("invoice_id", "pk").values_list(*_OF_A_PAYMENT, named=True)
    for documents in pages(keys, selection.documents_by, KEYS_AT_ONCE):
        yield wanted.filter(invoice__in=[each.pk for each in documents])


def _payment(payment: Any) -> Row:
    return (
        _local(payment.paid_at),
        payment.reference,
        str(PaymentMethod(payment.payment_method).label),
        written_number(
            payment.invoice__series__prefix, payment.invoice__series__pattern, payment.invoice__number
        ),
        payment.amount,
        payment.to_wallet,
        payment.reverses__reference,
        payment.by,
    )


def _local(moment: datetime) -> datetime:
    """Return the operator's local time, to the second, without zone."""
    return timezone.make_naive(moment, timezone.get_default_timezone()).replace(microsecond=0)
