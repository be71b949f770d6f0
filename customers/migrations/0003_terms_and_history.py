import django.core.validators
import django.db.models.deletion
import telcox.common.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('customers', '0002_find_period_of_usage'),
    ]

    operations = [
        migrations.CreateModel(
            name='LineEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('step', models.CharField(choices=[('ACTIVATE', 'Plan sold'), ('RENEW', 'Renewed'), ('RENEWAL_REFUSED', 'Not renewed'), ('CHANGE_PLAN', 'Plan changed'), ('SCHEDULE_CHANGE', 'Plan change planned'), ('CANCEL_CHANGE', 'Plan change called off'), ('BUY_PACK', 'Pack bought'), ('SUSPEND', 'Suspended'), ('RESUME', 'Resumed'), ('TERMINATE', 'Terminated'), ('SCHEDULE_END', 'End planned')], max_length=16, verbose_name='step')),
                ('at', models.DateTimeField(verbose_name='when')),
                ('by', models.CharField(blank=True, help_text='Empty: the system itself', max_length=150, verbose_name='by')),
                ('detail', models.CharField(blank=True, max_length=200, verbose_name='detail')),
            ],
            options={
                'verbose_name': 'event of a line',
                'verbose_name_plural': 'history of lines',
                'ordering': ('-id',),
            },
        ),
        migrations.CreateModel(
            name='Pack',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('data_bytes', models.PositiveBigIntegerField(default=0, help_text='In bytes', verbose_name='data')),
                ('voice_minutes', models.PositiveIntegerField(default=0, verbose_name='voice minutes')),
                ('sms', models.PositiveIntegerField(default=0, verbose_name='SMS')),
                ('code', models.SlugField(unique=True, verbose_name='code')),
                ('name', models.CharField(max_length=100, verbose_name='name')),
                ('product_type', models.CharField(choices=[('FIJO', 'Fixed'), ('MOVIL', 'Mobile')], max_length=5, verbose_name='product type')),
                ('on_sale', models.BooleanField(default=True, verbose_name='on sale')),
                ('on_sale_from', models.DateField(blank=True, null=True, verbose_name='on sale from')),
                ('on_sale_until', models.DateField(blank=True, help_text='The last day of it', null=True, verbose_name='on sale until')),
                ('price', models.DecimalField(decimal_places=2, help_text='In dollars, before tax', max_digits=12, verbose_name='price')),
            ],
            options={
                'verbose_name': 'pack',
                'verbose_name_plural': 'packs',
                'ordering': ('product_type', 'price', 'code'),
            },
        ),
        migrations.CreateModel(
            name='PlanChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at_period_end', models.BooleanField(default=False, verbose_name='when the period ends')),
                ('asked_at', models.DateTimeField(verbose_name='asked')),
                ('done_at', models.DateTimeField(blank=True, null=True, verbose_name='done')),
                ('is_pending', models.BooleanField(default=True, null=True, verbose_name='pending')),
            ],
            options={
                'verbose_name': 'plan change',
                'verbose_name_plural': 'plan changes',
                'ordering': ('-id',),
            },
        ),
        migrations.CreateModel(
            name='PlanRevision',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('data_bytes', models.PositiveBigIntegerField(default=0, help_text='In bytes', verbose_name='data')),
                ('voice_minutes', models.PositiveIntegerField(default=0, verbose_name='voice minutes')),
                ('sms', models.PositiveIntegerField(default=0, verbose_name='SMS')),
                ('price', models.DecimalField(decimal_places=2, max_digits=12, verbose_name='price')),
                ('overage_price_per_gb', models.DecimalField(decimal_places=6, default=0, max_digits=18, verbose_name='overage price per GB')),
                ('overage_price_per_minute', models.DecimalField(decimal_places=6, default=0, max_digits=18, verbose_name='overage price per minute')),
                ('overage_price_per_sms', models.DecimalField(decimal_places=6, default=0, max_digits=18, verbose_name='overage price per SMS')),
                ('overage_per_started_gb', models.BooleanField(default=False, help_text='Otherwise to the millionth of a GB', verbose_name='each started GB')),
                ('overage_per_started_minute', models.BooleanField(default=True, help_text='Otherwise by the second', verbose_name='each started minute')),
                ('data_stops', models.BooleanField(default=False, help_text='Nothing is charged beyond the allowance.', verbose_name='data stops')),
                ('voice_stops', models.BooleanField(default=False, help_text='Nothing is charged beyond the allowance.', verbose_name='voice stops')),
                ('sms_stops', models.BooleanField(default=False, help_text='Nothing is charged beyond the allowance.', verbose_name='SMS stop')),
                ('overage_beyond_spend_limit', models.BooleanField(default=False, help_text="Otherwise overage stops where the line's spending limit is reached.", verbose_name='overage beyond the spending limit')),
                ('rollover_share', models.DecimalField(decimal_places=4, default=0, help_text='The share of what is unused that goes to the next period: 0.5 for half', max_digits=5, verbose_name='rollover')),
                ('rollover_cap', models.DecimalField(decimal_places=4, default=1, help_text="As a share of the plan's allowance: 1 for as much as one full period has", max_digits=7, verbose_name='rollover at most')),
                ('zero_rated_social', models.BooleanField(default=False, verbose_name='social networks free')),
                ('zero_rated_entertainment', models.BooleanField(default=False, verbose_name='entertainment free')),
                ('zero_rated_system_updates', models.BooleanField(default=False, verbose_name='system updates free')),
                ('zero_rated_navigation_search', models.BooleanField(default=False, verbose_name='browsing and search free')),
                ('validity_days', models.PositiveSmallIntegerField(default=30, help_text='In days; 0 for the calendar month', validators=[django.core.validators.MaxValueValidator(3660)], verbose_name='validity')),
                ('name', models.CharField(max_length=100, verbose_name='name')),
                ('replaced_at', models.DateTimeField(verbose_name='until')),
                ('replaced_by', models.CharField(blank=True, max_length=150, verbose_name='changed by')),
            ],
            options={
                'verbose_name': 'former terms of a plan',
                'verbose_name_plural': 'former terms of plans',
                'ordering': ('-id',),
            },
        ),
        migrations.CreateModel(
            name='SoldPack',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('data_bytes', models.PositiveBigIntegerField(default=0, help_text='In bytes', verbose_name='data')),
                ('voice_minutes', models.PositiveIntegerField(default=0, verbose_name='voice minutes')),
                ('sms', models.PositiveIntegerField(default=0, verbose_name='SMS')),
                ('name', models.CharField(max_length=100, verbose_name='name')),
                ('price', models.DecimalField(decimal_places=2, max_digits=12, verbose_name='price')),
                ('bought_at', models.DateTimeField(verbose_name='bought')),
                ('reference', telcox.common.fields.KeyField(help_text='Bought again under it, it is bought once.', max_length=64, unique=True, verbose_name='reference')),
            ],
            options={
                'verbose_name': 'sold pack',
                'verbose_name_plural': 'sold packs',
                'ordering': ('-id',),
            },
        ),
        migrations.CreateModel(
            name='Suspension',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.CharField(choices=[('CUSTOMER', "The customer's wish"), ('NON_PAYMENT', 'Not paid'), ('OPERATOR', 'Ours: its days are not charged')], max_length=12, verbose_name='reason')),
                ('start_at', models.DateTimeField(verbose_name='from')),
                ('end_at', models.DateTimeField(blank=True, null=True, verbose_name='until')),
                ('is_open', models.BooleanField(default=True, null=True, verbose_name='goes on')),
            ],
            options={
                'verbose_name': 'suspension',
                'verbose_name_plural': 'suspensions',
                'ordering': ('-id',),
            },
        ),
        migrations.RemoveConstraint(
            model_name='plan',
            name='plan_valid_for_a_day_or_more',
        ),
        migrations.RemoveIndex(
            model_name='subscription',
            name='subscription_expiration',
        ),
        migrations.RemoveIndex(
            model_name='subscription',
            name='subscription_of_usage',
        ),
        migrations.AddField(
            model_name='line',
            name='ends_with_period',
            field=models.BooleanField(default=False, help_text='It is terminated when its period has ended.', verbose_name='ends with its period'),
        ),
        migrations.AddField(
            model_name='line',
            name='prepaid',
            field=models.BooleanField(default=False, help_text='Plans and packs are paid from the wallet when they are bought, and not by invoice.', verbose_name='prepaid'),
        ),
        migrations.AddField(
            model_name='line',
            name='resumed_at',
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name='last resumed'),
        ),
        migrations.AddField(
            model_name='line',
            name='terminated_at',
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name='terminated'),
        ),
        migrations.AddField(
            model_name='line',
            name='version',
            field=models.PositiveIntegerField(default=0, editable=False, verbose_name='version'),
        ),
        migrations.AddField(
            model_name='plan',
            name='data_stops',
            field=models.BooleanField(default=False, help_text='Nothing is charged beyond the allowance.', verbose_name='data stops'),
        ),
        migrations.AddField(
            model_name='plan',
            name='on_sale_from',
            field=models.DateField(blank=True, null=True, verbose_name='on sale from'),
        ),
        migrations.AddField(
            model_name='plan',
            name='on_sale_until',
            field=models.DateField(blank=True, help_text='The last day of it', null=True, verbose_name='on sale until'),
        ),
        migrations.AddField(
            model_name='plan',
            name='overage_beyond_spend_limit',
            field=models.BooleanField(default=False, help_text="Otherwise overage stops where the line's spending limit is reached.", verbose_name='overage beyond the spending limit'),
        ),
        migrations.AddField(
            model_name='plan',
            name='overage_per_started_gb',
            field=models.BooleanField(default=False, help_text='Otherwise to the millionth of a GB', verbose_name='each started GB'),
        ),
        migrations.AddField(
            model_name='plan',
            name='overage_per_started_minute',
            field=models.BooleanField(default=True, help_text='Otherwise by the second', verbose_name='each started minute'),
        ),
        migrations.AddField(
            model_name='plan',
            name='rollover_cap',
            field=models.DecimalField(decimal_places=4, default=1, help_text="As a share of the plan's allowance: 1 for as much as one full period has", max_digits=7, verbose_name='rollover at most'),
        ),
        migrations.AddField(
            model_name='plan',
            name='rollover_share',
            field=models.DecimalField(decimal_places=4, default=0, help_text='The share of what is unused that goes to the next period: 0.5 for half', max_digits=5, verbose_name='rollover'),
        ),
        migrations.AddField(
            model_name='plan',
            name='sms_stops',
            field=models.BooleanField(default=False, help_text='Nothing is charged beyond the allowance.', verbose_name='SMS stop'),
        ),
        migrations.AddField(
            model_name='plan',
            name='voice_stops',
            field=models.BooleanField(default=False, help_text='Nothing is charged beyond the allowance.', verbose_name='voice stops'),
        ),
        migrations.AddField(
            model_name='plan',
            name='zero_rated_entertainment',
            field=models.BooleanField(default=False, verbose_name='entertainment free'),
        ),
        migrations.AddField(
            model_name='plan',
            name='zero_rated_navigation_search',
            field=models.BooleanField(default=False, verbose_name='browsing and search free'),
        ),
        migrations.AddField(
            model_name='plan',
            name='zero_rated_social',
            field=models.BooleanField(default=False, verbose_name='social networks free'),
        ),
        migrations.AddField(
            model_name='plan',
            name='zero_rated_system_updates',
            field=models.BooleanField(default=False, verbose_name='system updates free'),
        ),
        migrations.AddField(
            model_name='subscription',
            name='carried_in_bytes',
            field=models.PositiveBigIntegerField(default=0, verbose_name='data from before'),
        ),
        migrations.AddField(
            model_name='subscription',
            name='carried_in_minutes',
            field=models.PositiveIntegerField(default=0, verbose_name='minutes from before'),
        ),
        migrations.AddField(
            model_name='subscription',
            name='carried_in_sms',
            field=models.PositiveIntegerField(default=0, verbose_name='SMS from before'),
        ),
        migrations.AddField(
            model_name='subscription',
            name='changes',
            field=models.PositiveIntegerField(default=0, editable=False, verbose_name='changes'),
        ),
        migrations.AddField(
            model_name='subscription',
            name='cycle_end_at',
            field=models.DateTimeField(null=True, verbose_name='full period until'),
        ),
        migrations.AddField(
            model_name='subscription',
            name='cycle_start_at',
            field=models.DateTimeField(null=True, verbose_name='full period from'),
        ),
        migrations.AddField(
            model_name='subscription',
            name='data_bytes',
            field=models.PositiveBigIntegerField(default=0, help_text='In bytes', verbose_name='data'),
        ),
        migrations.AddField(
            model_name='subscription',
            name='data_stops',
            field=models.BooleanField(default=False, help_text='Nothing is charged beyond the allowance.', verbose_name='data stops'),
        ),
        migrations.AddField(
            model_name='subscription',
            name='discounts',
            field=models.JSONField(blank=True, default=list, verbose_name='discounts'),
        ),
        migrations.AddField(
            model_name='subscription',
            name='is_last',
            field=models.BooleanField(default=True, null=True, verbose_name="the line's last"),
        ),
        migrations.AddField(
            model_name='subscription',
            name='overage_beyond_spend_limit',
            field=models.BooleanField(default=False, help_text="Otherwise overage stops where the line's spending limit is reached.", verbose_name='overage beyond the spending limit'),
        ),
        migrations.AddField(
            model_name='subscription',
            name='overage_per_started_gb',
            field=models.BooleanField(default=False, help_text='Otherwise to the millionth of a GB', verbose_name='each started GB'),
        ),
        migrations.AddField(
            model_name='subscription',
            name='overage_per_started_minute',
            field=models.BooleanField(default=True, help_text='Otherwise by the second', verbose_name='each started minute'),
        ),
        migrations.AddField(
            model_name='subscription',
            name='prepaid',
            field=models.BooleanField(default=False, verbose_name='prepaid'),
        ),
        migrations.AddField(
            model_name='subscription',
            name='rollover_cap',
            field=models.DecimalField(decimal_places=4, default=1, help_text="As a share of the plan's allowance: 1 for as much as one full period has", max_digits=7, verbose_name='rollover at most'),
        ),
        migrations.AddField(
            model_name='subscription',
            name='rollover_share',
            field=models.DecimalField(decimal_places=4, default=0, help_text='The share of what is unused that goes to the next period: 0.5 for half', max_digits=5, verbose_name='rollover'),
        ),
        migrations.AddField(
            model_name='subscription',
            name='sms',
            field=models.PositiveIntegerField(default=0, verbose_name='SMS'),
        ),
        migrations.AddField(
            model_name='subscription',
            name='sms_stops',
            field=models.BooleanField(default=False, help_text='Nothing is charged beyond the allowance.', verbose_name='SMS stop'),
        ),
        migrations.AddField(
            model_name='subscription',
            name='unbilled',
            field=models.BooleanField(default=True, null=True, verbose_name='to be billed'),
        ),
        migrations.AddField(
            model_name='subscription',
            name='voice_minutes',
            field=models.PositiveIntegerField(default=0, verbose_name='voice minutes'),
        ),
        migrations.AddField(
            model_name='subscription',
            name='voice_stops',
            field=models.BooleanField(default=False, help_text='Nothing is charged beyond the allowance.', verbose_name='voice stops'),
        ),
        migrations.AddField(
            model_name='subscription',
            name='zero_rated_entertainment',
            field=models.BooleanField(default=False, verbose_name='entertainment free'),
        ),
        migrations.AddField(
            model_name='subscription',
            name='zero_rated_navigation_search',
            field=models.BooleanField(default=False, verbose_name='browsing and search free'),
        ),
        migrations.AddField(
            model_name='subscription',
            name='zero_rated_social',
            field=models.BooleanField(default=False, verbose_name='social networks free'),
        ),
        migrations.AddField(
            model_name='subscription',
            name='zero_rated_system_updates',
            field=models.BooleanField(default=False, verbose_name='system updates free'),
        ),
        migrations.AlterField(
            model_name='plan',
            name='validity_days',
            field=models.PositiveSmallIntegerField(default=30, help_text='In days; 0 for the calendar month', validators=[django.core.validators.MaxValueValidator(3660)], verbose_name='validity'),
        ),
        migrations.AlterField(
            model_name='subscription',
            name='renewed_from',
            field=models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='renewed_by', to='customers.subscription', verbose_name='follows'),
        ),
        migrations.AddConstraint(
            model_name='plan',
            constraint=models.CheckConstraint(condition=models.Q(('rollover_cap__gte', 0)), name='plan_rollover_cap_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='plan',
            constraint=models.CheckConstraint(condition=models.Q(('rollover_share__gte', 0), ('rollover_share__lte', 1)), name='plan_rollover_is_a_share'),
        ),
        migrations.AddField(
            model_name='lineevent',
            name='line',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='events', to='customers.line', verbose_name='line'),
        ),
        migrations.AddField(
            model_name='lineevent',
            name='subscription',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.subscription', verbose_name='subscription'),
        ),
        migrations.AddConstraint(
            model_name='pack',
            constraint=models.CheckConstraint(condition=models.Q(('price__gte', 0)), name='pack_price_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='pack',
            constraint=models.CheckConstraint(condition=models.Q(('product_type__in', ['FIJO', 'MOVIL'])), name='pack_product_type_known'),
        ),
        migrations.AddConstraint(
            model_name='pack',
            constraint=models.CheckConstraint(condition=models.Q(('data_bytes__gt', 0), ('voice_minutes__gt', 0), ('sms__gt', 0), _connector='OR'), name='pack_has_something_in_it'),
        ),
        migrations.AddField(
            model_name='planchange',
            name='line',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='plan_changes', to='customers.line', verbose_name='line'),
        ),
        migrations.AddField(
            model_name='planchange',
            name='plan',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.plan', verbose_name='new plan'),
        ),
        migrations.AddField(
            model_name='planrevision',
            name='plan',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='revisions', to='customers.plan', verbose_name='plan'),
        ),
        migrations.AddField(
            model_name='soldpack',
            name='pack',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='sold', to='customers.pack', verbose_name='pack'),
        ),
        migrations.AddField(
            model_name='soldpack',
            name='subscription',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='packs', to='customers.subscription', verbose_name='subscription'),
        ),
        migrations.AddField(
            model_name='suspension',
            name='line',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='suspensions', to='customers.line', verbose_name='line'),
        ),
        migrations.AddIndex(
            model_name='lineevent',
            index=models.Index(fields=['line', 'at'], name='line_event_of_line'),
        ),
        migrations.AddConstraint(
            model_name='lineevent',
            constraint=models.CheckConstraint(condition=models.Q(('step__in', ['ACTIVATE', 'RENEW', 'RENEWAL_REFUSED', 'CHANGE_PLAN', 'SCHEDULE_CHANGE', 'CANCEL_CHANGE', 'BUY_PACK', 'SUSPEND', 'RESUME', 'TERMINATE', 'SCHEDULE_END'])), name='line_event_step_known'),
        ),
        migrations.AddConstraint(
            model_name='planchange',
            constraint=models.UniqueConstraint(fields=('line', 'is_pending'), name='plan_change_one_pending_per_line'),
        ),
        migrations.AddIndex(
            model_name='planrevision',
            index=models.Index(fields=['plan', 'replaced_at'], name='plan_revision_until'),
        ),
        migrations.AddConstraint(
            model_name='soldpack',
            constraint=models.CheckConstraint(condition=models.Q(('price__gte', 0)), name='sold_pack_price_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='suspension',
            constraint=models.UniqueConstraint(fields=('line', 'is_open'), name='suspension_one_open_per_line'),
        ),
        migrations.AddConstraint(
            model_name='suspension',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('end_at', None), ('is_open', True)), models.Q(('end_at__gte', models.F('start_at')), ('is_open', None)), _connector='OR'), name='suspension_open_or_ended'),
        ),
        migrations.AddConstraint(
            model_name='suspension',
            constraint=models.CheckConstraint(condition=models.Q(('reason__in', ['CUSTOMER', 'NON_PAYMENT', 'OPERATOR'])), name='suspension_reason_known'),
        ),
    ]
