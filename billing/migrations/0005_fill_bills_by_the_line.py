from decimal import ROUND_HALF_UP, Decimal

from django.db import migrations

AT_ONCE = 500


def fill(apps, schema_editor):
    """An invoice's discount and tax, on its lines by their amounts; and which periods have an invoice."""
    Invoice = apps.get_model("billing", "Invoice")
    InvoiceLine = apps.get_model("billing", "InvoiceLine")
    Subscription = apps.get_model("customers", "Subscription")
    last = 0
    while invoices := list(Invoice.objects.filter(pk__gt=last).order_by("pk")[:AT_ONCE]):
        lines = {}
        for line in InvoiceLine.objects.filter(invoice__in=invoices).order_by("invoice", "position"):
            lines.setdefault(line.invoice_id, []).append(line)
        for invoice in invoices:
            of_one = lines.get(invoice.pk, [])
            weights = [line.amount for line in of_one]
            for line, discount, tax in zip(of_one, _shared(invoice.discount, weights), _shared(invoice.tax, weights)):
                line.discount, line.tax = discount, tax
        InvoiceLine.objects.bulk_update(
            [line for of_one in lines.values() for line in of_one], ["discount", "tax"], batch_size=AT_ONCE
        )
        billed = [invoice.subscription_id for invoice in invoices if invoice.in_force and invoice.subscription_id]
        Subscription.objects.filter(pk__in=billed).update(unbilled=None)
        last = invoices[-1].pk


def _shared(amount, weights):
    """In whole cents, adding up exactly."""
    whole, so_far, given = sum(weights), Decimal(0), Decimal(0)
    for position, weight in enumerate(weights, start=1):
        so_far += weight
        share = amount * so_far / whole if whole else amount * position / len(weights)
        share = share.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
        yield share - given
        given = share


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0004_bills_by_the_line'),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
