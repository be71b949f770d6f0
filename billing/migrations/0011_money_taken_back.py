import django.core.validators
import telcox.common.fields
from django.db import migrations


def compare_by_bytes(apps, schema_editor):
    """Only where it makes a difference: SQLite would make the table anew, and its triggers would be gone."""
    if schema_editor.connection.vendor == "mysql":
        schema_editor.execute(
            "ALTER TABLE billing_payment MODIFY reference varchar(64) COLLATE utf8mb4_bin NOT NULL"
        )


class Migration(migrations.Migration):
    dependencies = [("billing", "0010_sealed_when_issued")]

    operations = [
        migrations.CreateModel(
            name="CreditNote",
            fields=[],
            options={
                "verbose_name": "credit note",
                "verbose_name_plural": "credit notes",
                "proxy": True,
                "indexes": [],
                "constraints": [],
            },
            bases=("billing.invoice",),
        ),
        migrations.CreateModel(
            name="Reversal",
            fields=[],
            options={
                "verbose_name": "reversal",
                "verbose_name_plural": "reversals",
                "proxy": True,
                "indexes": [],
                "constraints": [],
            },
            bases=("billing.payment",),
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(compare_by_bytes, migrations.RunPython.noop)],
            state_operations=[
                migrations.AlterField(
                    model_name="payment",
                    name="reference",
                    field=telcox.common.fields.KeyField(
                        max_length=64,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[!-~]+\\Z", "Visible characters only, without spaces."
                            )
                        ],
                        verbose_name="reference",
                    ),
                ),
            ],
        ),
    ]
