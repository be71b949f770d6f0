"""Usage that is counted while its period is begun, on a real MariaDB; and the same without what orders it."""

import random
from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import Any

import pytest
from django.db import connection

from billing.sales import renewal
from billing.sales.renewal import renew_subscriptions
from billing.sales.services import change_plan
from customers.models import Line, Plan, Subscription
from telcox.common.database.retrying import retry_lost_locks
from telcox.testing.threads import in_threads
from usage import replacing
from usage.ingestion import apply
from usage.ingestion.apply import apply_usage
from usage.ingestion.reports import UsageReport
from usage.models import UsageCounter, UsageEvent
from usage.verification import find_differences

pytestmark = [
    pytest.mark.mariadb,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("committed"),
]

JESUS = "0969786985"
# The fixtures' periods run from 23 November for thirty days.
BEGUN = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
LATER = datetime(2026, 12, 24, 15, 0, tzinfo=UTC)
# How long a thread waits for another one, in seconds.
PATIENCE = 60
# How long a transaction is held up, so that another one comes to wait for it.
HELD = 0.5


def first_period() -> Subscription:
    return Subscription.objects.get(line__phone_number=JESUS, sequence=1)


def after_its_end() -> UsageReport:
    return UsageReport(JESUS, "SMS", 1, "race", "e", first_period().expiration_at + timedelta(minutes=2))


def in_background(work: Callable[[], object]) -> Thread:
    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = Thread(target=run)
    thread.start()
    return thread


def went_to() -> int:
    return UsageEvent.objects.get(source="race").subscription.sequence


def report_while_the_next_period_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The place is read before the renewal, and the event written after it."""
    placed, renewed = Event(), Event()

    def write_later(*args: Any) -> None:
        placed.set()
        assert renewed.wait(PATIENCE)
        original(*args)

    original = apply._write_once
    monkeypatch.setattr(apply, "_write_once", write_later)
    report = after_its_end()
    thread = in_background(lambda: apply_usage(reports=[report], at=LATER))
    assert placed.wait(PATIENCE)
    renew_subscriptions(at=LATER)
    renewed.set()
    thread.join(PATIENCE)


def begin_the_next_period_while_it_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """The event is written and not committed yet when the renewal comes."""
    written, renewing = Event(), Event()

    def commit_later(*args: Any) -> None:
        original(*args)
        written.set()
        renewing.wait(HELD)

    original = apply.write_alerts
    monkeypatch.setattr(apply, "write_alerts", commit_later)
    report = after_its_end()
    thread = in_background(lambda: apply_usage(reports=[report], at=LATER))
    assert written.wait(PATIENCE)
    renew_subscriptions(at=LATER)
    renewing.set()
    thread.join(PATIENCE)


def test_usage_whose_place_was_read_before_the_renewal_is_placed_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    report_while_the_next_period_begins(monkeypatch)
    assert went_to() == 2
    assert not list(find_differences())


def test_control_without_the_second_look_it_stays_in_the_period_that_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(apply, "_is_over", lambda item, closed: False)
    report_while_the_next_period_begins(monkeypatch)
    assert went_to() == 1
    assert [found.where for found in find_differences()] == ["events of after its end"]


def test_a_renewal_waits_for_usage_that_is_being_counted_and_moves_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begin_the_next_period_while_it_is_reported(monkeypatch)
    assert went_to() == 2
    assert not list(find_differences())


def test_control_read_before_the_period_is_locked_it_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[int, Any] = {}

    def read_and_supersede(periods: list[Subscription]) -> None:
        seen.update(counted_since({period.pk: period.expiration_at for period in periods}))
        supersede(periods)

    counted_since, supersede = replacing._counted_since, renewal.supersede
    monkeypatch.setattr(renewal, "supersede", read_and_supersede)
    monkeypatch.setattr(replacing, "_counted_since", lambda closing: seen)
    begin_the_next_period_while_it_is_reported(monkeypatch)
    assert went_to() == 1


def test_the_first_usage_of_a_period_is_waited_for_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no counter yet that could be locked."""
    UsageEvent.objects.all().delete()
    UsageCounter.objects.all().delete()
    begin_the_next_period_while_it_is_reported(monkeypatch)
    assert went_to() == 2


# --- Plan after plan, while the usage of all of them comes in ---

CHANGES = 20
REPORTS = 600


def moment_of(second: float) -> datetime:
    return BEGUN + timedelta(days=1, seconds=second)


def change_while_reporting() -> list[str]:
    """Change the plan again and again, while threads report usage of before and after. Return the events that
    are in another period than they happened in."""
    Line.objects.exclude(phone_number=JESUS).update(auto_renew=False)
    plans = list(Plan.objects.filter(code__in=("movil-15", "movil-30")).order_by("code"))
    chosen = random.Random(7)
    seconds = [chosen.uniform(0, 10 * (CHANGES + 1)) for _ in range(REPORTS)]

    def work(turn: int) -> None:
        if turn % 4 == 0:  # one thread
            line = Line.objects.get(phone_number=JESUS)
            plan = plans[turn // 4 % 2]
            retry_lost_locks(lambda: change_plan(line=line, plan=plan, at=moment_of(10 * (turn // 4 + 1))))
            return
        lot = turn - turn // 4 - 1
        some = range(lot * 10, lot * 10 + 10)
        apply_usage(
            reports=[
                UsageReport(JESUS, "SOCIAL", 1 + number, "race", f"e-{number}", moment_of(seconds[number]))
                for number in some
            ],
            at=LATER,
        )

    in_threads(work, range(4 * CHANGES), threads=4)
    starts = list(
        Subscription.objects.filter(line__phone_number=JESUS)
        .order_by("start_at")
        .values_list("start_at", "pk")
    )
    moments = [start_at for start_at, _ in starts]
    return [
        event.event_id
        for event in UsageEvent.objects.filter(source="race")
        if event.subscription_id != starts[bisect_right(moments, event.occurred_at) - 1][1]
    ]


def test_every_event_is_in_the_period_in_which_it_happened() -> None:
    assert change_while_reporting() == []
    assert UsageEvent.objects.filter(source="race").count() == REPORTS
    assert not list(find_differences())


def test_control_without_moving_and_the_second_look_many_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "_is_over", lambda item, closed: False)
    monkeypatch.setattr(replacing, "_counted_since", lambda closing: {})
    assert change_while_reporting()
