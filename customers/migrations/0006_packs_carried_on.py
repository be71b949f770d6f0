import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('customers', '0005_rules_of_terms'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='lineevent',
            name='line_event_step_known',
        ),
        migrations.AddField(
            model_name='soldpack',
            name='carried_from',
            field=models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='packs_carried_on', to='customers.subscription', verbose_name='left from'),
        ),
        migrations.AlterField(
            model_name='lineevent',
            name='step',
            field=models.CharField(choices=[('ACTIVATE', 'Plan sold'), ('RENEW', 'Renewed'), ('RENEWAL_REFUSED', 'Not renewed'), ('CHANGE_PLAN', 'Plan changed'), ('SCHEDULE_CHANGE', 'Plan change planned'), ('CANCEL_CHANGE', 'Plan change called off'), ('BUY_PACK', 'Pack bought'), ('SUSPEND', 'Suspended'), ('RESUME', 'Resumed'), ('TERMINATE', 'Terminated'), ('SCHEDULE_END', 'End planned'), ('CANCEL_END', 'End called off')], max_length=16, verbose_name='step'),
        ),
        migrations.AlterField(
            model_name='soldpack',
            name='pack',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='sold', to='customers.pack', verbose_name='pack'),
        ),
        migrations.AddConstraint(
            model_name='lineevent',
            constraint=models.CheckConstraint(condition=models.Q(('step__in', ['ACTIVATE', 'RENEW', 'RENEWAL_REFUSED', 'CHANGE_PLAN', 'SCHEDULE_CHANGE', 'CANCEL_CHANGE', 'BUY_PACK', 'SUSPEND', 'RESUME', 'TERMINATE', 'SCHEDULE_END', 'CANCEL_END'])), name='line_event_step_known'),
        ),
        migrations.AddConstraint(
            model_name='soldpack',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('carried_from', None), ('pack__isnull', False)), models.Q(('carried_from__isnull', False), ('pack', None), ('price', 0)), _connector='OR'), name='sold_pack_bought_or_left'),
        ),
    ]
