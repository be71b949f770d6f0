"""The documents that were issued before documents were sealed get their seals, in the order of their numbers."""

import hashlib
from datetime import UTC
from itertools import groupby
from operator import attrgetter

import msgspec
from django.db import migrations

DOCUMENTS_AT_ONCE = 1_000


def seal_documents(apps, schema_editor):
    for series in apps.get_model("billing", "InvoiceSeries").objects.order_by("pk"):
        _seal_series(apps, series)
        series.save()


def _seal_series(apps, series):
    Invoice = apps.get_model("billing", "Invoice")
    InvoiceLine = apps.get_model("billing", "InvoiceLine")
    last = 0
    while True:
        invoices = list(
            Invoice.objects.filter(series=series, number__gt=last)
            .select_related("subscription")
            .order_by("number")[:DOCUMENTS_AT_ONCE]
        )
        if not invoices:
            return
        rows = InvoiceLine.objects.filter(invoice__in=invoices).order_by("invoice_id", "position")
        lines = {pk: list(of_it) for pk, of_it in groupby(rows, key=attrgetter("invoice_id"))}
        for invoice in invoices:
            of_it = lines.get(invoice.pk, [])
            invoice.line_count, invoice.previous_hash = len(of_it), series.last_hash
            invoice.content_hash = series.last_hash = seal(
                invoice,
                of_it,
                number=series.pattern.format(prefix=series.prefix, number=invoice.number),
                before=series.last_hash,
            )
        Invoice.objects.bulk_update(invoices, ["line_count", "previous_hash", "content_hash"], batch_size=200)
        last = invoices[-1].number


def seal(invoice, lines, *, number, before):
    """Return the seal as it was made when this migration landed: a copy, so that a later seal with more in it
    changes nothing here.

    Documents of that time have no issuer, correct no other document, and have no late usage.
    """
    content = {
        "number": number,
        "kind": invoice.kind,
        "corrects": "",
        "period": invoice.period,
        "dni": invoice.customer_dni,
        "name": invoice.customer_name,
        "address": invoice.customer_address,
        "phone_number": invoice.phone_number,
        "language": invoice.language,
        "amounts": [
            _cents(amount) for amount in (invoice.subtotal, invoice.discount, invoice.tax, invoice.total)
        ],
        "tax_rate": f"{invoice.tax_rate:.4f}",
        "issued_at": invoice.issued_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "due_on": invoice.due_on.isoformat(),
        "rated_from": invoice.rated_from,
        "lines": [_line(line) for line in lines],
    }
    if invoice.subscription:
        content["sequence"] = invoice.subscription.sequence
    written = msgspec.json.encode(content, order="sorted")
    return hashlib.sha256(before.encode() + written).hexdigest()


def _line(line):
    return [
        line.position,
        line.description,
        f"{line.quantity:.6f}",
        line.unit,
        f"{line.unit_price:.6f}",
        _cents(line.amount),
        _cents(line.discount),
        _cents(line.tax),
        line.credits,
    ]


def _cents(amount):
    return f"{amount:.2f}"


def start_credit_notes(apps, schema_editor):
    apps.get_model("billing", "InvoiceSeries").objects.get_or_create(prefix="001-002")


class Migration(migrations.Migration):
    dependencies = [("billing", "0008_documents_for_good")]

    operations = [
        migrations.RunPython(seal_documents, migrations.RunPython.noop),
        migrations.RunPython(start_credit_notes, migrations.RunPython.noop),
    ]
