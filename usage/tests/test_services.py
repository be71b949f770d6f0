from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from billing.sales.renewal import renew_subscriptions
from customers.models import Line, LineStatus, Subscription
from telcox.common.errors import DomainError, NotFound, Unprocessable
from usage.models import UsageCounter, UsageEvent
from usage.reading import line_snapshot, line_states, watched_line
from usage.services import RecordedUsage, record_usage
from usage.tests.batches import add_pack
from usage.vocabulary import COUNTER_FIELDS, COUNTER_MAX, QUANTITY_MAX, Category, started_minutes

pytestmark = pytest.mark.django_db

JESUS = "0969786985"
MIB = 2**20


def report(at: datetime, quantity: int = MIB, **overrides: object) -> RecordedUsage:
    event: dict = {
        "phone_number": JESUS,
        "category": Category.SOCIAL,
        "quantity": quantity,
        "source": "pgw-1",
        "at": at,
        **overrides,
    }
    return record_usage(**event)


def counter() -> UsageCounter:
    return UsageCounter.objects.get(subscription__line__phone_number=JESUS)


def test_each_category_is_counted_in_its_own_column(seeded: None, now: datetime) -> None:
    before = counter()
    for number, category in enumerate(Category, start=1):
        report(now, quantity=number, category=category)
    after = counter()
    grown = [getattr(after, field) - getattr(before, field) for field in COUNTER_FIELDS.values()]
    assert grown == [1, 2, 3, 4, 5, 6]


def test_the_same_event_again_is_counted_once_and_said_to_be_a_duplicate(seeded: None, now: datetime) -> None:
    first = report(now, event_id="e-1")
    again = report(now, event_id="e-1")
    assert (first.duplicate, again.duplicate) == (False, True)
    assert again.snapshot == first.snapshot
    assert counter().used_social_bytes == 2 * MIB
    assert UsageEvent.objects.filter(event_id="e-1").count() == 1


def test_an_event_is_known_by_source_and_id_together(seeded: None, now: datetime) -> None:
    report(now, event_id="e-1", source="pgw-1")
    assert not report(now, event_id="e-1", source="pgw-2").duplicate


def test_event_ids_that_differ_in_case_are_two_events(seeded: None, now: datetime) -> None:
    report(now, event_id="abc")
    assert not report(now, event_id="ABC").duplicate
    assert not report(now, event_id="äbc").duplicate


@pytest.mark.parametrize(
    "other", [{"quantity": 5}, {"category": Category.SMS}, {"phone_number": "0934567890"}]
)
def test_the_same_key_with_other_content_is_refused_and_the_first_stays(
    seeded: None, now: datetime, other: dict
) -> None:
    first = report(now, event_id="e-1")
    with pytest.raises(DomainError) as refused:
        report(now, **{"event_id": "e-1", **other})
    assert refused.value.reason == "event_conflict"
    assert line_snapshot(phone_number=JESUS, at=now) == first.snapshot


def test_without_an_id_every_event_is_new(seeded: None, now: datetime) -> None:
    ids = {report(now).event_id for _ in range(3)}
    assert len(ids) == 3
    assert counter().used_social_bytes == 4 * MIB


def test_a_first_event_makes_the_counter(seeded: None, now: datetime) -> None:
    UsageCounter.objects.all().delete()
    snapshot = report(now).snapshot
    assert snapshot["breakdown"]["used_social_bytes"] == MIB
    assert counter().version == 1


def test_an_expired_plan_still_counts_and_says_so(seeded: None, now: datetime) -> None:
    later = now + timedelta(days=60)
    snapshot = report(later).snapshot
    assert snapshot["expired"] is True
    assert snapshot["breakdown"]["used_social_bytes"] == 2 * MIB


@pytest.mark.parametrize(
    ("status", "reason"),
    [(LineStatus.SUSPENDED, "line_suspended"), (LineStatus.TERMINATED, "line_terminated")],
)
def test_a_line_out_of_service_is_refused_with_the_reason(
    seeded: None, now: datetime, status: LineStatus, reason: str
) -> None:
    Line.objects.filter(phone_number=JESUS).update(status=status)
    with pytest.raises(DomainError) as refused:
        report(now)
    assert refused.value.reason == reason
    assert counter().used_social_bytes == MIB


def test_a_line_without_a_plan_is_not_found(seeded: None, now: datetime) -> None:
    customer = Line.objects.get(phone_number=JESUS).customer
    Line.objects.create(customer=customer, phone_number="0955555555", product_type="MOVIL")
    with pytest.raises(NotFound) as refused:
        report(now, phone_number="0955555555")
    assert refused.value.reason == "no_subscription"


def test_an_unknown_line_is_not_found(seeded: None, now: datetime) -> None:
    with pytest.raises(NotFound) as refused:
        report(now, phone_number="0999999999")
    assert refused.value.reason == "unknown_line"


def test_a_counter_that_would_overflow_refuses_the_event(seeded: None, now: datetime) -> None:
    UsageCounter.objects.update(used_social_bytes=COUNTER_MAX - 1)
    with pytest.raises(Unprocessable) as refused:
        report(now, quantity=QUANTITY_MAX, event_id="too-much")
    assert refused.value.reason == "counter_full"
    assert not UsageEvent.objects.filter(event_id="too-much").exists()


def test_an_event_costs_five_queries(seeded: None, now: datetime, django_assert_num_queries) -> None:
    # Line and period, event, counter with its new state, day, snapshot; two more for the test's savepoint.
    with django_assert_num_queries(7):
        report(now)


def test_versions_grow_with_every_event_and_pack_and_over_renewals(seeded: None, now: datetime) -> None:
    versions = [line_snapshot(phone_number=JESUS, at=now)["version"]]
    versions += [report(now).snapshot["version"] for _ in range(3)]
    for _ in range(2):
        add_pack(MIB)
        versions.append(line_snapshot(phone_number=JESUS, at=now)["version"])
        assert line_states(phone_numbers=[JESUS], at=now) == {JESUS: (versions[-1], False)}
    versions.append(report(now).snapshot["version"])
    later = now + timedelta(days=40)
    renew_subscriptions(at=later)
    versions.append(line_snapshot(phone_number=JESUS, at=now)["version"])
    versions.append(report(later).snapshot["version"])
    assert versions == sorted(set(versions))
    assert line_states(phone_numbers=[JESUS, "0999999999"], at=now) == {JESUS: (versions[-1], False)}


def test_a_pack_of_a_line_that_has_used_nothing_makes_a_newer_version(seeded: None, now: datetime) -> None:
    UsageCounter.objects.all().delete()
    before = line_snapshot(phone_number=JESUS, at=now)
    add_pack(MIB)
    after = watched_line(phone_number=JESUS, at=now).snapshot
    assert after["limit_bytes"] == before["limit_bytes"] + MIB
    assert after["version"] > before["version"]


def test_after_a_renewal_usage_goes_to_the_new_period(seeded: None, now: datetime) -> None:
    later = now + timedelta(days=40)
    renew_subscriptions(at=later)
    snapshot = report(later).snapshot
    current = Subscription.objects.current().get(line__phone_number=JESUS)
    assert snapshot["plan_id"] == current.pk
    assert snapshot["total_bytes"] == MIB


def test_the_database_itself_refuses_what_is_out_of_range(seeded: None) -> None:
    for rows, change in (
        (UsageEvent.objects.all(), {"quantity": 0}),
        (UsageEvent.objects.all(), {"quantity": QUANTITY_MAX + 1}),
        (UsageEvent.objects.all(), {"category": "VIDEO"}),
        (UsageCounter.objects.all(), {"used_sms": COUNTER_MAX + 1}),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            rows.update(**change)


def test_a_begun_minute_is_used() -> None:
    assert [started_minutes(seconds) for seconds in (0, 1, 60, 61)] == [0, 1, 1, 2]
