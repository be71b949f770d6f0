from collections import defaultdict

from django.db import migrations

from telcox.common.calendar import local_date

COUNTER_FIELDS = {
    'SOCIAL': 'used_social_bytes',
    'ENTERTAINMENT': 'used_entertainment_bytes',
    'SYSTEM_UPDATES': 'used_system_updates_bytes',
    'NAVIGATION_SEARCH': 'used_navigation_search_bytes',
    'VOICE': 'used_voice_seconds',
    'SMS': 'used_sms',
}


def fill_days(apps, schema_editor):
    """The days of the events that were there before days were kept."""
    UsageEvent, UsageDay = apps.get_model('usage', 'UsageEvent'), apps.get_model('usage', 'UsageDay')
    pks = UsageEvent.objects.order_by('subscription_id').values_list('subscription_id', flat=True).distinct()
    last = 0
    while chunk := list(pks.filter(subscription_id__gt=last)[:1000]):
        days = defaultdict(lambda: defaultdict(int))
        events = UsageEvent.objects.filter(subscription_id__in=chunk)
        for subscription_id, category, quantity, occurred_at in events.values_list(
            'subscription_id', 'category', 'quantity', 'occurred_at'
        ).iterator():
            days[subscription_id, local_date(occurred_at)][COUNTER_FIELDS[category]] += quantity
        UsageDay.objects.bulk_create(
            [UsageDay(subscription_id=key[0], day=key[1], **sums) for key, sums in days.items()], batch_size=1000
        )
        last = chunk[-1]


class Migration(migrations.Migration):

    dependencies = [
        ('usage', '0002_ingestion'),
    ]

    operations = [
        migrations.RunPython(fill_days, migrations.RunPython.noop),
    ]
