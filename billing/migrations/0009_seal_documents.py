"""The documents that were issued before documents were sealed get their seals, in the order of their numbers."""

from itertools import groupby
from operator import attrgetter

from django.db import migrations

from billing.invoicing.sealing import seal_document

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
            invoice.content_hash = series.last_hash = seal_document(
                invoice,
                of_it,
                number=series.pattern.format(prefix=series.prefix, number=invoice.number),
                corrects="",
                before=series.last_hash,
            )
        Invoice.objects.bulk_update(invoices, ["line_count", "previous_hash", "content_hash"], batch_size=200)
        last = invoices[-1].number


def start_credit_notes(apps, schema_editor):
    apps.get_model("billing", "InvoiceSeries").objects.get_or_create(prefix="001-002")


class Migration(migrations.Migration):
    dependencies = [("billing", "0008_documents_for_good")]

    operations = [
        migrations.RunPython(seal_documents, migrations.RunPython.noop),
        migrations.RunPython(start_credit_notes, migrations.RunPython.noop),
    ]
