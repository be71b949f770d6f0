import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0003_find_drafts_and_overdue'),
        ('customers', '0005_rules_of_terms'),
    ]

    operations = [
        migrations.CreateModel(
            name='Discount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100, verbose_name='name')),
                ('percent', models.DecimalField(decimal_places=2, default=0, help_text='10 for 10 %', max_digits=5, verbose_name='percent')),
                ('amount', models.DecimalField(decimal_places=2, default=0, help_text='In dollars, before tax, of a full period; part of a period gets its share.', max_digits=12, verbose_name='amount')),
                ('valid_from', models.DateField(verbose_name='valid from')),
                ('valid_until', models.DateField(blank=True, help_text='The last day of it', null=True, verbose_name='valid until')),
            ],
            options={
                'verbose_name': 'discount',
                'verbose_name_plural': 'discounts',
                'ordering': ('-valid_from', '-id'),
            },
        ),
        migrations.AddField(
            model_name='invoice',
            name='rated_from',
            field=models.JSONField(blank=True, editable=False, null=True, verbose_name='reckoned from'),
        ),
        migrations.AddField(
            model_name='invoiceline',
            name='discount',
            field=models.DecimalField(decimal_places=2, default=0, max_digits=12, verbose_name='discount'),
        ),
        migrations.AddField(
            model_name='invoiceline',
            name='tax',
            field=models.DecimalField(decimal_places=2, default=0, max_digits=12, verbose_name='tax'),
        ),
        migrations.AlterField(
            model_name='invoiceline',
            name='unit',
            field=models.CharField(choices=[('PERIOD', 'period'), ('PACK', 'pack'), ('GB', 'GB'), ('MINUTE', 'minute'), ('SMS', 'SMS')], max_length=10, verbose_name='unit'),
        ),
        migrations.AddConstraint(
            model_name='invoiceline',
            constraint=models.CheckConstraint(condition=models.Q(('discount__gte', 0)), name='invoice_line_discount_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='invoiceline',
            constraint=models.CheckConstraint(condition=models.Q(('tax__gte', 0)), name='invoice_line_tax_not_negative'),
        ),
        migrations.AddField(
            model_name='discount',
            name='customer',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='discounts', to='customers.customer', verbose_name='customer'),
        ),
        migrations.AddField(
            model_name='discount',
            name='plan',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.plan', verbose_name='plan'),
        ),
        migrations.AddConstraint(
            model_name='discount',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gte', 0)), name='discount_amount_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='discount',
            constraint=models.CheckConstraint(condition=models.Q(('percent__gte', 0), ('percent__lte', 100)), name='discount_percent_is_a_share'),
        ),
        migrations.AddConstraint(
            model_name='discount',
            constraint=models.CheckConstraint(condition=models.Q(('percent__gt', 0), ('amount__gt', 0), _connector='OR'), name='discount_takes_something_off'),
        ),
        migrations.AddConstraint(
            model_name='discount',
            constraint=models.CheckConstraint(condition=models.Q(('plan__isnull', False), ('customer__isnull', False), _connector='OR'), name='discount_is_for_somebody'),
        ),
    ]
