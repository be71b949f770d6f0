"""Which period usage belongs to, and whether its line was in service then."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.sales.renewal import renew_subscriptions
from customers.models import Line, LineStatus, Subscription
from usage.ingestion.places import Places
from usage.models import RejectedUsage, UsageEvent
from usage.services import redrive_usage
from usage.tests.batches import (
    CARLA,
    JESUS,
    MARIA,
    counts,
    make_free,
    reasons,
    report,
    suspend,
    take,
    terminate,
)

pytestmark = pytest.mark.django_db


def test_usage_goes_to_the_period_it_happened_in(seeded: None, now: datetime) -> None:
    later = now + timedelta(days=70)
    renew_subscriptions(at=later)
    periods = list(Subscription.objects.filter(line__phone_number=JESUS).order_by("sequence"))
    assert len(periods) == 3
    moments = [periods[0].expiration_at - timedelta(microseconds=1), periods[1].start_at, periods[2].start_at]
    receipt = take(later, *(report(str(n), quantity=10 + n, occurred_at=at) for n, at in enumerate(moments)))
    assert receipt.applied == 3
    landed = UsageEvent.objects.filter(source="pgw-1").order_by("event_id")
    assert [event.subscription_id for event in landed] == [period.pk for period in periods]


def test_what_happened_after_a_plan_ran_out_and_before_the_next_belongs_to_the_last(
    seeded: None, now: datetime
) -> None:
    first = Subscription.objects.get(line__phone_number=JESUS)
    gap = first.expiration_at + timedelta(days=5)
    Subscription.objects.create(
        line=first.line, customer=first.customer, plan=first.plan, plan_name="", price=0, sequence=2,
        is_last=None,
        start_at=gap + timedelta(days=5), expiration_at=gap + timedelta(days=35),
        cycle_start_at=gap + timedelta(days=5), cycle_end_at=gap + timedelta(days=35),
    )  # fmt: skip
    take(gap + timedelta(days=20), report("1", occurred_at=gap))
    assert UsageEvent.objects.get(event_id="1").subscription == first


def test_late_usage_of_many_lines_goes_to_the_period_each_had_then(seeded: None, now: datetime) -> None:
    """Among others that is of now: one batch, some lines with one period in question, some with two, one in
    a gap."""
    first = {line: Subscription.objects.get(line__phone_number=line) for line in (JESUS, CARLA)}
    renewed_at = first[JESUS].expiration_at
    renew_subscriptions(at=renewed_at)
    late, later = renewed_at - timedelta(days=1), renewed_at + timedelta(days=1)
    Subscription.objects.filter(line__phone_number=CARLA, sequence=2).update(start_at=later)
    batch = [
        report("before", occurred_at=late),
        report("after", occurred_at=later),
        report("in a gap", phone_number=CARLA, occurred_at=renewed_at),
        report("after it", phone_number=CARLA, occurred_at=later),
        report("only one", phone_number=MARIA, category="VOICE", occurred_at=later),
        report("too early", occurred_at=first[JESUS].start_at - timedelta(seconds=1)),
    ]
    receipt = take(later, *batch)
    assert (receipt.applied, reasons(receipt)) == (5, {5: "no_subscription"})
    went_to = dict(UsageEvent.objects.values_list("event_id", "subscription__sequence"))
    assert went_to["before"] == went_to["in a gap"] == 1
    assert went_to["after"] == went_to["after it"] == went_to["only one"] == 2


HOUR = timedelta(hours=1)
INSTANT = timedelta(microseconds=1)


def test_what_happened_during_a_suspension_is_refused_and_all_before_and_after_counted(
    seeded: None, now: datetime
) -> None:
    start, end = now - 5 * HOUR, now - 3 * HOUR
    suspend(start, end)
    suspend(now - 2 * HOUR, now - HOUR)
    moments = [start - INSTANT, start, end - INSTANT, end, now - 2 * HOUR, now - HOUR, None]
    receipt = take(now, *(report(str(number), occurred_at=at) for number, at in enumerate(moments)))
    assert counts(receipt) == (7, 4, 0, 3)
    assert reasons(receipt) == {1: "line_suspended", 2: "line_suspended", 4: "line_suspended"}


def test_what_happened_before_a_line_was_suspended_is_counted_to_its_period_though_it_comes_late(
    seeded: None, now: datetime
) -> None:
    first = Subscription.objects.get(line__phone_number=JESUS)
    later = first.expiration_at + timedelta(days=2)
    renew_subscriptions(at=later)
    suspend(later - HOUR)
    receipt = take(
        later,
        report("in the first", occurred_at=now),
        report("in the second", occurred_at=later - HOUR - INSTANT),
        report("then", occurred_at=later - HOUR),
        report("now"),
    )
    assert reasons(receipt) == {2: "line_suspended", 3: "line_suspended"}
    landed = UsageEvent.objects.filter(source="pgw-1").order_by("event_id")
    assert [event.subscription.sequence for event in landed] == [1, 2]


def test_what_happened_before_a_line_was_terminated_is_counted_but_not_what_was_suspended(
    seeded: None, now: datetime
) -> None:
    suspend(now - 3 * HOUR, now - 2 * HOUR)
    terminate(now - HOUR)
    moments = [now - 3 * HOUR, now - 2 * HOUR, now - HOUR - INSTANT, now - HOUR, now]
    receipt = take(now, *(report(str(number), occurred_at=at) for number, at in enumerate(moments)))
    assert reasons(receipt) == {0: "line_suspended", 3: "line_terminated", 4: "line_terminated"}


def test_a_line_terminated_while_it_was_suspended_had_its_last_use_before(
    seeded: None, now: datetime
) -> None:
    suspend(now - 3 * HOUR)
    terminate(now - HOUR)
    moments = [now - 4 * HOUR, now - 2 * HOUR, now]
    receipt = take(now, *(report(str(number), occurred_at=at) for number, at in enumerate(moments)))
    assert reasons(receipt) == {1: "line_suspended", 2: "line_terminated"}


@pytest.mark.parametrize("status", [LineStatus.SUSPENDED, LineStatus.TERMINATED])
def test_where_nobody_wrote_down_since_when_a_line_is_out_of_service_everything_is_refused(
    seeded: None, now: datetime, status: LineStatus
) -> None:
    suspend(now - 5 * HOUR, now - 4 * HOUR)
    Line.objects.filter(phone_number=JESUS).update(status=status)
    receipt = take(now, report("1", occurred_at=now - 6 * HOUR), report("2"))
    assert set(reasons(receipt).values()) == {f"line_{status.lower()}"}
    assert receipt.applied == 0


def test_what_was_refused_stays_so_after_the_line_was_resumed_until_the_suspension_is_corrected(
    seeded: None, now: datetime
) -> None:
    suspend(now - 2 * HOUR)
    take(now, report("1", occurred_at=now - HOUR), report("2", occurred_at=now))
    line = Line.objects.get(phone_number=JESUS)
    Line.objects.update(status=LineStatus.ACTIVE, resumed_at=now)
    line.suspensions.update(end_at=now, is_open=None)
    assert redrive_usage(rejected=RejectedUsage.objects.all(), at=now + HOUR).applied == 1  # at the very end
    line.suspensions.update(end_at=now - HOUR)
    assert redrive_usage(rejected=RejectedUsage.objects.all(), at=now + HOUR).applied == 1


def test_suspensions_are_asked_for_only_where_something_may_have_happened_during_one(
    seeded: None, now: datetime, django_assert_num_queries: Any
) -> None:
    def look_up(*happened: tuple[str, datetime]) -> None:
        Places(happened, now)

    suspend(now - 5 * HOUR, now - 3 * HOUR)
    with django_assert_num_queries(1):
        look_up((JESUS, now), (CARLA, now))
        # what has just happened, of a line that was resumed before
    with django_assert_num_queries(1):
        look_up((JESUS, now - 3 * HOUR), (CARLA, now))
    with django_assert_num_queries(2):
        look_up((JESUS, now - 3 * HOUR - INSTANT), (CARLA, now))
    suspend(now, phone_number=CARLA)
    terminate(now, phone_number=MARIA)
    with django_assert_num_queries(2):
        look_up((JESUS, now - 4 * HOUR), (CARLA, now), (MARIA, now))


@pytest.mark.mariadb
def test_periods_are_read_in_their_index_alone(seeded: None, now: datetime) -> None:
    make_free("zero_rated_social")
    renew_subscriptions(at=now + timedelta(days=70))
    numbers = [JESUS, CARLA, MARIA]
    with CaptureQueriesContext(connection) as statements:
        Places([(number, now) for number in numbers], now)
        Places([(JESUS, now)], now)
    assert len(statements) == 4  # of many and of one; and which of several periods
    for each in statements:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {each['sql']}")
            names = [column[0] for column in cursor.description]
            steps = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        periods = [step for step in steps if step["table"] in ("period", "customers_subscription")]
        assert [step["key"] for step in periods] == ["subscription_of_usage"], each["sql"]
        assert all("Using index" in step["Extra"].split("; ") for step in periods), each["sql"]
