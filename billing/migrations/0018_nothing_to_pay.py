"""Invoices of 0.00 that were issued before an invoice of nothing was paid from the start: they are paid."""

from django.db import migrations
from django.utils import timezone

INVOICES_AT_ONCE = 1_000
WHY = "No hay nada que pagar"


def pay_nothing(apps, schema_editor):
    Invoice = apps.get_model("billing", "Invoice")
    InvoiceEvent = apps.get_model("billing", "InvoiceEvent")
    at = timezone.now()
    # A credit note of 0.00 is paid by nobody, and stays issued.
    unpaid = Invoice.objects.filter(kind="INVOICE", status="ISSUED", total=0).order_by("pk")
    while keys := list(unpaid.values_list("pk", flat=True)[:INVOICES_AT_ONCE]):
        InvoiceEvent.objects.bulk_create(
            InvoiceEvent(invoice_id=pk, from_status="ISSUED", to_status="PAID", at=at, why=WHY) for pk in keys
        )
        Invoice.objects.filter(pk__in=keys).update(status="PAID")


class Migration(migrations.Migration):
    dependencies = [("billing", "0017_plain_labels")]

    operations = [migrations.RunPython(pay_nothing, migrations.RunPython.noop)]
