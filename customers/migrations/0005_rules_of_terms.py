from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('customers', '0004_fill_terms'),
    ]

    operations = [
        migrations.AlterField(
            model_name='subscription',
            name='cycle_end_at',
            field=models.DateTimeField(verbose_name='full period until'),
        ),
        migrations.AlterField(
            model_name='subscription',
            name='cycle_start_at',
            field=models.DateTimeField(verbose_name='full period from'),
        ),
        migrations.AddIndex(
            model_name='subscription',
            index=models.Index(fields=['is_last', 'expiration_at'], name='subscription_to_renew'),
        ),
        migrations.AddIndex(
            model_name='subscription',
            index=models.Index(fields=['unbilled', 'expiration_at'], name='subscription_to_bill'),
        ),
        migrations.AddIndex(
            model_name='subscription',
            index=models.Index(fields=['line', 'expiration_at', 'start_at', 'limit_bytes', 'minutes_limit', 'sms_limit', 'zero_rated_social', 'zero_rated_entertainment', 'zero_rated_system_updates', 'zero_rated_navigation_search'], name='subscription_of_usage'),
        ),
        migrations.AddConstraint(
            model_name='subscription',
            constraint=models.UniqueConstraint(fields=('line', 'is_last'), name='subscription_one_last_per_line'),
        ),
        migrations.AddConstraint(
            model_name='subscription',
            constraint=models.CheckConstraint(condition=models.Q(('cycle_start_at__lte', models.F('start_at')), ('expiration_at__lte', models.F('cycle_end_at'))), name='subscription_within_its_full_period'),
        ),
        migrations.AddConstraint(
            model_name='subscription',
            constraint=models.CheckConstraint(condition=models.Q(('rollover_cap__gte', 0)), name='subscription_rollover_cap_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='subscription',
            constraint=models.CheckConstraint(condition=models.Q(('rollover_share__gte', 0), ('rollover_share__lte', 1)), name='subscription_rollover_is_a_share'),
        ),
    ]
