"""Many reports of one line at once, on a real MariaDB; and the same without what makes them add up."""

import random
from datetime import datetime
from threading import Barrier

import pytest

from customers.models import Subscription
from telcox.testing.threads import in_threads
from usage.models import UsageCounter, UsageEvent
from usage.services import record_usage
from usage.vocabulary import Category

pytestmark = [pytest.mark.mariadb, pytest.mark.django_db(transaction=True)]

JESUS = "0969786985"
THREADS = 64


def reports() -> list[tuple[str, int]]:
    """1,000 events of which a third repeat an earlier one, in random order: (event_id, bytes)."""
    distinct = [(f"e-{number}", number + 1) for number in range(667)]
    chosen = random.Random(2)
    events = distinct + chosen.choices(distinct, k=333)
    chosen.shuffle(events)
    return events


def test_64_threads_reporting_one_line_add_up_to_the_distinct_events(committed: None, now: datetime) -> None:
    events = reports()
    before = UsageCounter.objects.get(subscription__line__phone_number=JESUS)

    def report(event: tuple[str, int]) -> bool:
        event_id, quantity = event
        return record_usage(
            phone_number=JESUS,
            category=Category.SOCIAL,
            quantity=quantity,
            source="race",
            event_id=event_id,
            at=now,
        ).duplicate

    duplicates = sum(in_threads(report, events, threads=THREADS))

    after = UsageCounter.objects.get(pk=before.pk)
    assert after.used_social_bytes - before.used_social_bytes == sum(dict(events).values())
    assert after.version - before.version == len(dict(events))
    assert duplicates == len(events) - len(dict(events))
    assert UsageEvent.objects.filter(source="race").count() == len(dict(events))


def test_64_threads_making_the_first_counter_add_up(committed: None, now: datetime) -> None:
    UsageCounter.objects.all().delete()

    def report(number: int) -> None:
        record_usage(
            phone_number=JESUS, category=Category.SMS, quantity=1, source="race", event_id=str(number), at=now
        )

    in_threads(report, range(THREADS), threads=THREADS)
    assert UsageCounter.objects.get(subscription__line__phone_number=JESUS).used_sms == THREADS


def test_control_adding_in_python_without_the_lock_loses_usage(committed: None) -> None:
    subscription = Subscription.objects.get(line__phone_number=JESUS)
    before = UsageCounter.objects.get(subscription=subscription).used_social_bytes

    all_have_read = Barrier(THREADS, timeout=60)

    def add_unlocked(quantity: int) -> None:
        counter = UsageCounter.objects.get(subscription=subscription)
        all_have_read.wait()
        counter.used_social_bytes += quantity
        counter.save(update_fields=["used_social_bytes"])

    in_threads(add_unlocked, range(1, THREADS + 1), threads=THREADS)
    after = UsageCounter.objects.get(subscription=subscription).used_social_bytes
    assert after - before in range(1, THREADS + 1)  # that of the last to write


def test_control_without_the_key_duplicates_are_counted(committed: None, now: datetime) -> None:
    events = reports()
    before = UsageCounter.objects.get(subscription__line__phone_number=JESUS).used_social_bytes

    def report_without_id(event: tuple[str, int]) -> None:
        record_usage(phone_number=JESUS, category=Category.SOCIAL, quantity=event[1], source="race", at=now)

    in_threads(report_without_id, events, threads=THREADS)
    after = UsageCounter.objects.get(subscription__line__phone_number=JESUS).used_social_bytes
    assert after - before > sum(dict(events).values())
