"""Old events go, what was counted stays, and nothing is counted a second time."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from billing.sales.renewal import renew_subscriptions
from customers.models import Subscription
from telcox.common.calendar import local_date
from telcox.common.errors import DomainError, Unprocessable
from telcox.testing.threads import in_threads
from usage.ingestion import apply
from usage.ingestion.apply import apply_usage
from usage.ingestion.reports import Outcome, Result, UsageReport
from usage.ingestion.sql import add_to_counters
from usage.models import IngestionAnswer, RejectedUsage, UsageAlert, UsageCounter, UsageDay, UsageEvent
from usage.purging import old_events, purge_answers, purge_events, purge_rejected
from usage.replacing import close_periods, hand_over
from usage.services import record_usage
from usage.verification import find_differences
from usage.vocabulary import COUNTER_FIELDS, Category, RejectionReason

pytestmark = pytest.mark.django_db

JESUS, CARLA = "0969786985", "0934567890"
# The fixtures' periods run from 23 November for thirty days.
FIRST_DAY = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
LATER = datetime(2027, 2, 20, 15, 0, tzinfo=UTC)
NEW_YEAR = date(2027, 1, 1)
EVERY = Subscription.objects.all()


def used(number: int, *, day: int = 0, phone_number: str = JESUS, **changes: Any) -> UsageReport:
    """Event no. `number`, `day` days after the periods began."""
    moment = FIRST_DAY + timedelta(days=day, seconds=number)
    return UsageReport(phone_number, "SOCIAL", 1 + number, "pgw-1", f"e-{number}", moment, **changes)


def send(*reports: UsageReport) -> list[Outcome]:
    return apply_usage(reports=reports, at=LATER)


def became(outcomes: Iterable[Outcome]) -> list[str]:
    return [outcome.reason.value if outcome.reason else outcome.result.value for outcome in outcomes]


def purge(before: date = NEW_YEAR, of: Any = EVERY, **options: Any) -> int:
    return sum(deleted for _, deleted in purge_events(of=of, before=before, at=LATER, **options))


def period_of(phone_number: str = JESUS, sequence: int = 1) -> Subscription:
    return Subscription.objects.get(line__phone_number=phone_number, sequence=sequence)


def cut(at: datetime, phone_number: str = JESUS) -> None:
    """The line's last period ends then, and the next begins; if it runs then, and no later day is purged."""
    last = Subscription.objects.current().get(line__phone_number=phone_number)
    purged = UsageCounter.objects.filter(pk=last.pk, purged_before__gt=local_date(at))
    if not last.start_at < at < last.expiration_at or purged.exists():
        return
    meanwhile = close_periods([(last, at)])
    following = Subscription.objects.get(pk=last.pk)
    last.is_last, last.expiration_at = None, at
    last.save()
    following.pk, following.sequence, following.start_at = None, last.sequence + 1, at
    following.renewed_from = last
    following.save(force_insert=True)
    hand_over(meanwhile, {last.pk: following}, at=LATER)


def what_stays() -> tuple[Any, ...]:
    return (
        set(UsageCounter.objects.values_list("pk", "version", *COUNTER_FIELDS.values())),
        set(UsageDay.objects.values_list("subscription_id", "day", *COUNTER_FIELDS.values())),
        set(UsageAlert.objects.values_list("subscription_id", "resource", "threshold")),
    )


def test_events_go_and_what_they_added_up_to_stays(seeded: None) -> None:
    send(*(used(number, day=number % 20) for number in range(100)), used(200, phone_number=CARLA))
    before = what_stays()
    assert purge(chunk=7) == 101 + 6  # those of the fixtures
    assert not UsageEvent.objects.exists()
    assert what_stays() == before
    assert not list(find_differences())
    assert purge(chunk=7) == 0


def test_what_happened_on_the_day_itself_is_kept(seeded: None) -> None:
    midnight = datetime(2027, 1, 1, 5, 0, tzinfo=UTC)  # in Guayaquil
    renew_subscriptions(at=LATER)
    for number, moment in enumerate([midnight - timedelta(microseconds=1), midnight]):
        send(UsageReport(JESUS, "SMS", 1, "pgw-1", f"{number}", moment))
    purge()
    assert UsageEvent.objects.get(source="pgw-1").event_id == "1"
    assert not list(find_differences())


def test_a_resend_of_what_is_gone_is_too_late_and_of_what_is_there_a_duplicate(seeded: None) -> None:
    reports = [used(number, day=number) for number in range(20)]
    send(*reports)
    before = what_stays()
    assert purge(date(2026, 12, 3)) == 10 + 6
    assert became(send(*reports)) == ["too_late"] * 10 + ["duplicate"] * 10
    assert became(send(used(50, day=3), used(51, day=12))) == ["too_late", "applied"]
    with pytest.raises(Unprocessable):
        record_usage(
            phone_number=JESUS, category=Category.SMS, quantity=1, source="t", at=LATER, occurred_at=FIRST_DAY
        )
    assert what_stays() != before
    assert not list(find_differences())


def test_half_way_through_a_period_the_books_agree_and_nothing_counts_twice(seeded: None) -> None:
    reports = [used(number, day=number) for number in range(20)]
    send(*reports)
    steps = purge_events(of=EVERY, before=NEW_YEAR, at=LATER, chunk=5)
    while next(steps)[0] != period_of():
        pass
    gone = 20 - UsageEvent.objects.filter(source="pgw-1").count()
    assert 0 < gone < 20
    assert not list(find_differences())
    assert became(send(*reports)) == ["too_late"] * gone + ["duplicate"] * (20 - gone)
    assert became(send(used(50, day=19))) == ["too_late"]
    purge(chunk=5)
    assert not UsageEvent.objects.exists()
    assert not list(find_differences())


def test_verify_still_sees_what_is_wrong_before_and_after_the_day(seeded: None) -> None:
    renew_subscriptions(at=LATER)
    send(*(used(number, day=number) for number in range(60)))
    purge()
    period = period_of().pk
    for changed, named in [
        (UsageDay.objects.filter(subscription=period, day="2026-11-30"), "used_social_bytes"),
        (UsageCounter.objects.filter(pk=period), "used_social_bytes"),
        (UsageDay.objects.filter(day="2027-01-02"), "2027-01-02 used_social_bytes"),
    ]:
        with transaction.atomic():
            changed.update(used_social_bytes=5)
            assert [difference.where for difference in find_differences()] == [named]
            transaction.set_rollback(True)
    UsageEvent.objects.filter(event_id="e-50").delete()
    assert "version" in [difference.where for difference in find_differences()]


def test_only_the_given_periods_are_purged_and_the_others_count_on(seeded: None) -> None:
    send(used(1), used(2, phone_number=CARLA))
    only = EVERY.filter(pk=period_of().pk)
    found = old_events(of=only, before=NEW_YEAR)
    assert (found.periods, found.kept_periods, found.kept_events) == (1, 2, 3)
    assert found.events == purge(of=only) == 5
    assert became(send(used(3), used(4, phone_number=CARLA))) == ["too_late", "applied"]


def test_a_period_that_is_none_of_them_any_more_is_left_alone(seeded: None) -> None:
    send(*(used(number) for number in range(4)))
    of = EVERY.filter(plan_name=period_of().plan_name, line__phone_number=JESUS)
    steps = purge_events(of=of, before=NEW_YEAR, at=LATER, chunk=2)
    assert next(steps)[1] == 2
    Subscription.objects.update(plan_name="another")
    assert list(steps) == []


@pytest.mark.parametrize("day", [date(2027, 1, 21), date(2027, 2, 20), date(9999, 12, 31), date(1, 1, 1)])
def test_a_day_that_is_too_recent_or_none_of_ours_is_refused(seeded: None, day: date) -> None:
    for steps in (
        purge_events(of=EVERY, before=day, at=LATER),
        purge_answers(before=day, at=LATER),
        purge_rejected(before=day, at=LATER),
    ):
        with pytest.raises(DomainError):
            next(steps)
    assert purge(date(2027, 1, 20)) == 6


class TestUsageBetweenTwoPeriods:
    """A period that ran out takes what happens until the next is begun; then the next one has it."""

    def test_it_goes_where_the_next_period_refuses_it_too(self, seeded: None) -> None:
        send(used(1, day=31))
        renew_subscriptions(at=LATER)
        send(used(2, day=32))
        assert old_events(of=EVERY, before=NEW_YEAR).unsettled == 0
        purge()
        assert became(send(used(1, day=31), used(2, day=32))) == ["too_late", "too_late"]
        assert not UsageEvent.objects.filter(source="pgw-1").exists()

    def test_it_is_not_purged_with_the_period_that_ran_out(self, seeded: None) -> None:
        send(used(1, day=31), used(2))
        renew_subscriptions(at=LATER)
        send(used(3, day=32))
        first = EVERY.filter(sequence=1)
        found = old_events(of=first, before=NEW_YEAR)
        assert (found.events, found.unsettled) == (1 + 6, 0)
        assert UsageEvent.objects.get(event_id="e-1").subscription == period_of(sequence=2)
        assert purge(of=first) == 1 + 6
        assert became(send(used(1, day=31), used(2), used(4, day=33))) == ["duplicate", "too_late", "applied"]

    def test_it_stays_until_there_is_a_next_period(self, seeded: None) -> None:
        send(used(1, day=31), used(2))
        assert purge() == 1 + 6
        renew_subscriptions(at=LATER)
        assert became(send(used(1, day=31), used(2))) == ["duplicate", "too_late"]
        assert not list(find_differences())


class TestAPeriodThatWasCutShort:
    """The plan was changed in its middle, some seconds ago: what happened since then goes to the next."""

    def test_what_was_counted_before_is_a_duplicate_and_all_is_where_it_happened(self, seeded: None) -> None:
        send(used(1, day=5), used(3, day=5))
        cut(FIRST_DAY + timedelta(days=5, seconds=2))
        assert became(send(used(1, day=5), used(3, day=5), used(4, day=5), used(0, day=5))) == [
            "duplicate",
            "duplicate",
            "applied",
            "applied",
        ]
        went_to = UsageEvent.objects.filter(source="pgw-1").order_by("event_id")
        assert list(went_to.values_list("event_id", "subscription__sequence")) == [
            ("e-0", 1),
            ("e-1", 1),
            ("e-3", 2),
            ("e-4", 2),
        ]
        assert not list(find_differences())

    def test_it_is_purged_and_nothing_counts_twice(self, seeded: None) -> None:
        send(used(1, day=5), used(3, day=5))
        cut(FIRST_DAY + timedelta(days=5, seconds=2))
        send(used(4, day=5))
        before = what_stays()
        first = EVERY.filter(sequence=1, line__phone_number=JESUS)
        found = old_events(of=first, before=NEW_YEAR)
        assert (found.events, found.unsettled) == (1 + 4, 0)  # e-3 is the next one's
        assert purge(of=first) == 1 + 4
        assert became(send(used(1, day=5), used(3, day=5), used(4, day=5))) == [
            "too_late",
            "duplicate",
            "duplicate",
        ]
        assert what_stays() == before
        assert purge() == 2 + 2  # those of the fixtures' other lines
        assert became(send(used(1, day=5), used(3, day=5), used(4, day=5))) == ["too_late"] * 3
        assert what_stays() == before
        assert not list(find_differences())


def test_answers_and_settled_rejections_of_before_go(seeded: None) -> None:
    old, new = datetime(2026, 12, 31, 12, tzinfo=UTC), datetime(2027, 1, 1, 12, tzinfo=UTC)
    for number, moment in enumerate([old, new] * 10):
        IngestionAnswer.objects.create(owner="", key=f"{number}", body=b"x", answered_at=moment)
        for reason, resolved_at in [
            (RejectionReason.UNKNOWN_LINE, None),
            (RejectionReason.UNKNOWN_LINE, moment),
            (RejectionReason.TOO_LATE, None),
        ]:
            RejectedUsage.objects.create(
                source=f"{reason} {resolved_at is None}", event_id=f"{number}", phone_number=JESUS,
                category="SMS", quantity=1, occurred_at=moment, received_at=moment, reason=reason,
                resolved_at=resolved_at, unresolved=None if resolved_at else True,
            )  # fmt: skip
    assert list(purge_answers(before=NEW_YEAR, at=LATER, chunk=4)) == [4, 4, 2]
    assert sum(purge_rejected(before=NEW_YEAR, at=LATER, chunk=3)) == 20
    assert not IngestionAnswer.objects.filter(answered_at=old).exists()
    assert IngestionAnswer.objects.count() == 10
    assert RejectedUsage.objects.filter(received_at=new).count() == 30
    kept = RejectedUsage.objects.filter(received_at=old)
    assert {(row.reason, row.unresolved) for row in kept} == {("unknown_line", True)}


# --- Sent, purged, renewed and cut short in any order: counted once at the most ---

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.lists(st.integers(0, 11), min_size=1, max_size=8)),
        st.tuples(st.just("purge"), st.integers(0, 58)),
        st.tuples(st.just("purge the first"), st.integers(0, 58)),
        st.tuples(st.just("renew"), st.none()),
        st.tuples(st.just("cut"), st.integers(0, 60)),
    ),
    min_size=2,
    max_size=8,
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(days=st.lists(st.integers(0, 60), min_size=12, max_size=12), steps=STEPS)
@example(days=[60] * 12, steps=[("renew", None), ("cut", 60)])  # a renewed period is cut short
def test_in_any_order_of_sending_purging_renewing_and_cutting_short_nothing_counts_twice(
    seeded: None, days: list[int], steps: list[tuple[str, Any]]
) -> None:
    reports = [used(number, day=day) for number, day in enumerate(days)]
    applied: Counter[int] = Counter()

    def send_again(numbers: Iterable[int]) -> None:
        for number, outcome in zip(numbers, send(*(reports[number] for number in numbers)), strict=True):
            applied[number] += outcome.result is Result.APPLIED

    with transaction.atomic():
        for step, what in steps:
            match step:
                case "send":
                    send_again(what)
                case "renew":
                    renew_subscriptions(at=LATER)
                case "cut":
                    cut(FIRST_DAY + timedelta(days=what, seconds=6))
                case _:
                    of = EVERY if step == "purge" else EVERY.filter(sequence=1)
                    purge((FIRST_DAY + timedelta(days=what)).date(), of, chunk=3)
            assert not list(find_differences())
        renew_subscriptions(at=LATER)
        send_again(range(12))
        assert not list(find_differences())
        assert max(applied.values()) <= 1
        transaction.set_rollback(True)


# --- Counting and purging at once, on a real MariaDB ---


def race(attempts: int) -> tuple[Counter[str], int]:
    """How often each event was counted while senders repeat themselves and day after day is purged; and how
    many differences are found then."""
    reports = [used(number, day=number % 25) for number in range(attempts)]
    counted: Counter[str] = Counter()

    def work(turn: int) -> list[UsageReport]:
        if turn // 8 % 4 == turn % 4:  # each thread in turn; a day more every sixth turn
            purge((FIRST_DAY + timedelta(days=turn // 6)).date(), chunk=20)
            return []
        some = reports[turn % 50 * attempts // 50 :][: attempts // 50 * 3]
        return [outcome.report for outcome in send(*some) if outcome.result is Result.APPLIED]

    for applied in in_threads(work, range(160), threads=8):
        counted.update(report.event_id for report in applied if report.event_id)
    purge()
    counted.update(
        o.report.event_id for o in send(*reports) if o.result is Result.APPLIED and o.report.event_id
    )
    return counted, len(list(find_differences()))


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_purging_while_the_same_is_sent_again_and_again_counts_nothing_twice(
        self, committed: None
    ) -> None:
        before = UsageCounter.objects.get(pk=period_of().pk).version
        counted, found = race(2_000)
        assert set(counted.values()) == {1}
        assert found == 0
        assert UsageCounter.objects.get(pk=period_of().pk).version == before + len(counted)

    def test_control_without_the_question_what_was_purged_it_is_counted_twice(
        self, committed: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            apply, "add_to_counters", lambda *args: add_to_counters(*args)._replace(purged={})
        )
        counted, _ = race(2_000)
        assert max(counted.values()) > 1

    def test_two_purges_at_once_delete_everything_once(self, committed: None) -> None:
        send(*(used(number, day=number % 25) for number in range(2_000)))
        expected = old_events(of=EVERY, before=NEW_YEAR).events
        assert sum(in_threads(lambda _: purge(chunk=30), range(4), threads=4)) == expected
        assert not list(find_differences())


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
def test_what_goes_next_is_found_by_indexes_however_many_events_there_are(committed: None) -> None:
    send(*(used(number, day=number % 25) for number in range(5_000)))
    only = EVERY.filter(pk=period_of().pk)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE TABLE usage_usageevent")
        with CaptureQueriesContext(connection) as statements:
            next(purge_events(of=only, before=date(2026, 12, 10), at=LATER, chunk=100))
        asked = [each["sql"] for each in statements if "usage_usageevent" in each["sql"]]
        assert len(asked) == 3  # which periods have any; which events are next; their deletion
        for sql in asked:
            cursor.execute(f"EXPLAIN {sql}")
            names = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                step = dict(zip(names, row, strict=True))
                assert step["key"] in ("usage_event_of_subscription", "PRIMARY"), sql
                assert step["type"] in ("range", "ref", "const"), sql
                assert "filesort" not in str(step["Extra"]), sql
