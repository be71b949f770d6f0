"""Which period usage belongs to."""

from datetime import datetime, timedelta

import pytest

from billing.sales.renewal import renew_subscriptions
from customers.models import Subscription
from usage.models import UsageEvent
from usage.tests.batches import CARLA, JESUS, MARIA, reasons, report, take

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
        line=first.line, plan=first.plan, plan_name="", price=0, sequence=2, is_last=None,
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
