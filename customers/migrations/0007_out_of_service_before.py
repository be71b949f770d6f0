from django.db import migrations
from django.utils import timezone

AT_ONCE = 500


def fill(apps, schema_editor):
    """Lines that were suspended or terminated before either had a moment: as of now, and so is their
    history."""
    Line = apps.get_model("customers", "Line")
    Suspension = apps.get_model("customers", "Suspension")
    LineEvent = apps.get_model("customers", "LineEvent")
    now = timezone.now()
    last = 0
    while lines := list(
        Line.objects.filter(pk__gt=last, status__in=["SUSPENDED", "TERMINATED"], version=0).order_by("pk")[:AT_ONCE]
    ):
        suspended = [line for line in lines if line.status == "SUSPENDED"]
        Suspension.objects.bulk_create(
            Suspension(line=line, reason="CUSTOMER", start_at=now, is_open=True) for line in suspended
        )
        terminated = [line.pk for line in lines if line.status == "TERMINATED"]
        Line.objects.filter(pk__in=terminated).update(terminated_at=now)
        LineEvent.objects.bulk_create(
            LineEvent(line=line, step="SUSPEND" if line.status == "SUSPENDED" else "TERMINATE", at=now)
            for line in lines
        )
        last = lines[-1].pk


class Migration(migrations.Migration):

    dependencies = [
        ('customers', '0006_packs_carried_on'),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
