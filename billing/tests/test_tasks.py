from datetime import timedelta

import pytest
from celery import current_app
from celery.schedules import crontab
from django.conf import settings
from django.utils import timezone

from billing.tasks import run_day
from customers.models import Subscription
from telcox.beat import Scheduler


@pytest.mark.skipif(bool(settings.REDIS_URL), reason="with Redis a worker does it: test_background.py")
@pytest.mark.django_db
def test_without_redis_a_task_is_done_in_place(seeded: None) -> None:
    now = timezone.now()
    begun = now - timedelta(days=31)
    Subscription.objects.update(
        start_at=begun, expiration_at=now - timedelta(days=1), cycle_start_at=begun, cycle_end_at=now
    )
    before = Subscription.objects.count()
    run_day.delay()
    assert Subscription.objects.ended(now).count() == before
    assert Subscription.objects.count() == 2 * before


def test_the_schedule_goes_by_the_local_clock() -> None:
    schedule = Scheduler(current_app).schedule
    assert {name: (entry.task, entry.schedule) for name, entry in schedule.items()} == {
        "run_day": ("billing.tasks.run_day", crontab(minute="5")),
        "bill_last_month": ("billing.tasks.bill_last_month", crontab(minute="20")),
        "send_notices": ("billing.tasks.send_notices", crontab()),
    }
    assert current_app.conf.timezone == settings.TIME_ZONE


def test_every_task_that_is_sent_exists_and_what_waits_too_long_is_dropped() -> None:
    current_app.loader.import_default_modules()
    for entry in settings.CELERY_BEAT_SCHEDULE.values():
        assert entry["task"] in current_app.tasks
        assert entry["options"]["expires"] < 60 * 60
