from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0009_seal_documents")]

    operations = [
        migrations.AddConstraint(
            model_name='invoice',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('number__isnull', True), ('series__isnull', True), ('status', 'DRAFT')), models.Q(models.Q(('status', 'DRAFT'), _negated=True), ('content_hash__isnull', False), ('due_on__isnull', False), ('issued_at__isnull', False), ('line_count__isnull', False), ('number__isnull', False), ('series__isnull', False)), _connector='OR'), name='invoice_numbered_when_issued'),
        ),
    ]
