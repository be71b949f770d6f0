"""Credit on wallets pays invoices by set-off, and can be paid out: a payment method, and two kinds of wallet entries
of their own."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0022_holders_and_limits_of_periods'),
        ('customers', '0012_holders_of_periods'),
    ]

    operations = [
        migrations.CreateModel(
            name='PayOut',
            fields=[
            ],
            options={
                'verbose_name': 'pay-out',
                'verbose_name_plural': 'pay-outs',
                'proxy': True,
                'indexes': [],
                'constraints': [],
            },
            bases=('billing.walletentry',),
        ),
        migrations.RemoveConstraint(
            model_name='payment',
            name='payment_method_known',
        ),
        migrations.RemoveConstraint(
            model_name='walletentry',
            name='wallet_entry_kind_known',
        ),
        migrations.RemoveConstraint(
            model_name='walletentry',
            name='wallet_entry_amount_is_of_its_kind',
        ),
        migrations.AlterField(
            model_name='payment',
            name='payment_method',
            field=models.CharField(choices=[('TRANSFERENCIA', 'Bank transfer'), ('TARJETA', 'Card'), ('EFECTIVO', 'Cash'), ('MONEDEROS DIGITALES', 'Digital wallet'), ('SALDO A FAVOR', 'Credit balance')], max_length=20, verbose_name='payment method'),
        ),
        migrations.AlterField(
            model_name='walletentry',
            name='kind',
            field=models.CharField(choices=[('TOP_UP', 'Top-up'), ('CHARGE', 'Charge'), ('REFUND', 'Refund'), ('ADJUSTMENT', 'Adjustment'), ('SET_OFF', 'Set-off'), ('PAY_OUT', 'Pay-out')], max_length=10, verbose_name='kind'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.CheckConstraint(condition=models.Q(('payment_method__in', ['TRANSFERENCIA', 'TARJETA', 'EFECTIVO', 'MONEDEROS DIGITALES', 'SALDO A FAVOR'])), name='payment_method_known'),
        ),
        migrations.AddConstraint(
            model_name='walletentry',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['TOP_UP', 'CHARGE', 'REFUND', 'ADJUSTMENT', 'SET_OFF', 'PAY_OUT'])), name='wallet_entry_kind_known'),
        ),
        migrations.AddConstraint(
            model_name='walletentry',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('amount__gt', 0), ('kind__in', ('TOP_UP', 'REFUND'))), models.Q(('amount__lt', 0), ('kind__in', ('CHARGE', 'SET_OFF', 'PAY_OUT'))), models.Q(('kind', 'ADJUSTMENT'), models.Q(('amount', 0), _negated=True)), _connector='OR'), name='wallet_entry_amount_is_of_its_kind'),
        ),
        migrations.AddConstraint(
            model_name='walletentry',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind', 'SET_OFF'), _negated=True), ('payment__isnull', False), _connector='OR'), name='wallet_entry_set_off_names_payment'),
        ),
    ]
