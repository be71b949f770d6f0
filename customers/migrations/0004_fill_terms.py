from django.db import migrations
from django.db.models import F, Max


def fill(apps, schema_editor):
    """Until now a period was a full one, had the plan's allowances, and the last was the one with the highest
    number."""
    Subscription = apps.get_model("customers", "Subscription")
    Subscription.objects.update(
        data_bytes=F("limit_bytes"),
        voice_minutes=F("minutes_limit"),
        sms=F("sms_limit"),
        cycle_start_at=F("start_at"),
        cycle_end_at=F("expiration_at"),
        is_last=None,
    )
    last_line = 0
    while True:
        lasts = list(
            Subscription.objects.filter(line__gt=last_line)
            .order_by("line")
            .values("line")
            .annotate(last=Max("sequence"))
            .values_list("line", "last")[:500]
        )
        if not lasts:
            return
        for line, sequence in lasts:
            Subscription.objects.filter(line=line, sequence=sequence).update(is_last=True)
        last_line = lasts[-1][0]


class Migration(migrations.Migration):

    dependencies = [
        ('customers', '0003_terms_and_history'),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
