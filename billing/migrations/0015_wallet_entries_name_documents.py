import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """What a payment, a reversal or a credit note moved on a wallet names it by a key."""

    dependencies = [
        ("billing", "0014_find_documents_of_a_time"),
        ("customers", "0008_ways_to_pay"),
    ]

    operations = [
        migrations.AddField(
            model_name="walletentry",
            name="payment",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="wallet_entries",
                to="billing.payment",
                verbose_name="payment",
            ),
        ),
        migrations.AddField(
            model_name="walletentry",
            name="credit_note",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="wallet_entries",
                to="billing.invoice",
                verbose_name="credit note",
            ),
        ),
        migrations.AddConstraint(
            model_name="walletentry",
            constraint=models.CheckConstraint(
                condition=models.Q(("payment", None), ("credit_note", None), _connector="OR"),
                name="wallet_entry_of_one_document",
            ),
        ),
    ]
