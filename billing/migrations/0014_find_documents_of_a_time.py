from django.db import migrations, models


class Migration(migrations.Migration):
    """Exports, and the back-office's filter by period, read a month of many years."""

    dependencies = [("billing", "0013_notices_not_needed")]

    operations = [
        migrations.AddIndex(
            model_name="invoice", index=models.Index(fields=["period"], name="invoice_of_period")
        ),
        migrations.AddIndex(
            model_name="invoice", index=models.Index(fields=["issued_at"], name="invoice_issued_at")
        ),
    ]
