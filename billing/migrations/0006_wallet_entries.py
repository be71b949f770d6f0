import django.core.validators
import django.db.models.deletion
import telcox.common.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0005_fill_bills_by_the_line'),
        ('customers', '0005_rules_of_terms'),
    ]

    operations = [
        migrations.CreateModel(
            name='WalletEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveIntegerField(verbose_name='entry no.')),
                ('kind', models.CharField(choices=[('TOP_UP', 'Top-up'), ('CHARGE', 'Charge'), ('REFUND', 'Refund'), ('ADJUSTMENT', 'Adjustment')], max_length=10, verbose_name='kind')),
                ('amount', models.DecimalField(decimal_places=2, help_text='In dollars; less than nothing takes away.', max_digits=12, verbose_name='amount')),
                ('balance_after', models.DecimalField(decimal_places=2, max_digits=12, verbose_name='balance after')),
                ('reference', telcox.common.fields.KeyField(max_length=64, unique=True, validators=[django.core.validators.RegexValidator('\\A[!-~]+\\Z', 'Visible characters only, without spaces.')], verbose_name='reference')),
                ('description', models.CharField(blank=True, max_length=200, verbose_name='description')),
                ('at', models.DateTimeField(verbose_name='when')),
                ('by', models.CharField(blank=True, help_text='Empty: the system itself', max_length=150, verbose_name='by')),
                ('subscription', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='wallet_entries', to='customers.subscription', verbose_name='paid for')),
                ('wallet', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='entries', to='billing.wallet', verbose_name='wallet')),
            ],
            options={
                'verbose_name': 'wallet entry',
                'verbose_name_plural': 'wallet entries',
                'ordering': ('-id',),
                'constraints': [models.UniqueConstraint(fields=('wallet', 'position'), name='wallet_entry_position_once'), models.CheckConstraint(condition=models.Q(('position__gte', 1)), name='wallet_entry_position_from_1'), models.CheckConstraint(condition=models.Q(('kind__in', ['TOP_UP', 'CHARGE', 'REFUND', 'ADJUSTMENT'])), name='wallet_entry_kind_known'), models.CheckConstraint(condition=models.Q(models.Q(('amount__gt', 0), ('kind__in', ('TOP_UP', 'REFUND'))), models.Q(('amount__lt', 0), ('kind', 'CHARGE')), models.Q(('kind', 'ADJUSTMENT'), models.Q(('amount', 0), _negated=True)), _connector='OR'), name='wallet_entry_amount_is_of_its_kind', violation_error_message='A top-up or a refund adds money, a charge takes it, an adjustment is not nothing.')],
            },
        ),
    ]
