from django.db import migrations, models


def refuse_to_forget(apps, schema_editor):
    """The kind is sealed: without it, the seals of documents that name one would no longer be right."""
    invoices = apps.get_model("billing", "Invoice").objects.using(schema_editor.connection.alias)
    if invoices.exclude(customer_identity_kind="").exclude(number=None).exists():
        raise ValueError("Issued documents name the kind of the customer's identity, which is sealed")


class Migration(migrations.Migration):
    """Empty for the documents that exist: it is sealed if it has a value."""

    dependencies = [
        ("billing", "0018_nothing_to_pay"),
    ]

    operations = [
        migrations.AddField(
            model_name="invoice",
            name="customer_identity_kind",
            field=models.CharField(
                blank=True,
                choices=[
                    ("CEDULA", "Identity card (cédula)"),
                    ("RUC", "RUC"),
                    ("PASSPORT", "Passport"),
                ],
                default="",
                max_length=8,
                verbose_name="kind of identity",
            ),
            preserve_default=False,
        ),
        migrations.RunPython(migrations.RunPython.noop, refuse_to_forget),
    ]
