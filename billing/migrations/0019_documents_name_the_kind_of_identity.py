from django.db import migrations, models


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
    ]
