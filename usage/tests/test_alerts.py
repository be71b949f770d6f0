"""Who is told how much of an allowance is used: what counts for it, and when it is said again."""

from datetime import datetime, timedelta
from threading import Event

import pytest
from django.db import IntegrityError

from customers.models import Subscription
from telcox.testing.threads import in_threads
from usage.ingestion import apply
from usage.ingestion.alerts import crossed_thresholds
from usage.ingestion.apply import apply_usage
from usage.ingestion.reports import Result
from usage.ingestion.values import Place
from usage.models import UsageAlert
from usage.reading import line_snapshot
from usage.tests.batches import GIB, JESUS, add_pack, counter, counts, make_free, report, take
from usage.verification import find_differences
from usage.vocabulary import Resource

MINUTE = timedelta(minutes=1)


def said(of: str = JESUS) -> dict[tuple[str, int], datetime]:
    """When each was."""
    alerts = UsageAlert.objects.filter(subscription__line__phone_number=of)
    return {(alert.resource, alert.threshold): alert.crossed_at for alert in alerts}


def test_a_resource_that_nothing_was_added_to_or_that_has_no_allowance_passes_no_threshold() -> None:
    place = Place(1, limit_bytes=100, minutes_limit=1, sms_limit=0, zero_rated=0)
    assert crossed_thresholds(place, (100, 0, 0, 0, 60, 9), [0, 0, 0, 0, 0, 9]) == []
    assert crossed_thresholds(place, (49, 0, 0, 0, 30, 9), [49, 0, 0, 0, 30, 0]) == [(Resource.VOICE, 50)]
    assert crossed_thresholds(place, (50, 0, 30, 0, 30, 9), [1, 0, 30, 0, 0, 0]) == [
        (Resource.DATA, 50),
        (Resource.DATA, 80),
    ]


@pytest.mark.parametrize("zero_rated", range(16))
def test_only_what_is_not_free_uses_up_an_allowance(zero_rated: int) -> None:
    amounts = [1, 2, 4, 8, 0, 0]
    place = Place(1, limit_bytes=16, minutes_limit=0, sms_limit=0, zero_rated=zero_rated)
    passed = [threshold for _, threshold in crossed_thresholds(place, tuple(amounts), amounts)]
    drawn = 15 - zero_rated  # each category has used as many bytes as its bit says
    assert passed == [threshold for threshold in (50, 80, 100) if drawn * 100 >= threshold * 16]


@pytest.mark.django_db
class TestWhatIsFree:
    def test_it_is_counted_and_shown_and_tells_nobody_anything(self, seeded: None, now: datetime) -> None:
        make_free("zero_rated_social", "zero_rated_navigation_search")
        before = line_snapshot(phone_number=JESUS, at=now)
        take(now, report(quantity=60 * GIB), report(category="NAVIGATION_SEARCH", quantity=GIB), report("1"))
        shown = line_snapshot(phone_number=JESUS, at=now)
        assert shown["total_bytes"] == before["total_bytes"] + 61 * GIB + 100
        assert shown["breakdown"]["used_social_bytes"] > 60 * GIB
        assert shown["percent"] == before["percent"] < 1
        assert said() == {}
        assert not list(find_differences())

    def test_the_rest_passes_thresholds_as_if_it_were_all(self, seeded: None, now: datetime) -> None:
        make_free("zero_rated_social")
        take(now, report(quantity=60 * GIB), report(category="ENTERTAINMENT", quantity=15 * GIB))
        assert said().keys() == {("DATA", 50)}
        assert 50 <= line_snapshot(phone_number=JESUS, at=now)["percent"] < 51

    def test_what_was_free_in_one_period_is_not_in_the_next(self, seeded: None, now: datetime) -> None:
        first = Subscription.objects.get(line__phone_number=JESUS)
        make_free("zero_rated_social")
        end = first.expiration_at
        first.pk = None
        first.sequence, first.start_at, first.expiration_at = 2, end, end + timedelta(days=30)
        first.cycle_start_at, first.cycle_end_at = first.start_at, first.expiration_at
        first.is_last = None
        first.save()
        # Several periods in question, and one.
        take(end, report(quantity=60 * GIB, occurred_at=now), report(quantity=15 * GIB, occurred_at=end))
        assert said().keys() == {("DATA", 50)}
        assert UsageAlert.objects.get().subscription.sequence == 2


@pytest.mark.django_db
class TestAnAllowanceThatGrows:
    def test_what_was_said_stays_and_is_said_again_when_its_use_has_caught_up(
        self, seeded: None, now: datetime
    ) -> None:
        take(now, report("1", quantity=15 * GIB))
        assert said() == {("DATA", 50): now}
        add_pack(30 * GIB)
        take(now + MINUTE, report("2", quantity=14 * GIB))
        assert said() == {("DATA", 50): now}
        receipt = take(now + 2 * MINUTE, report("3", quantity=2 * GIB), report("4", category="ENTERTAINMENT"))
        assert counts(receipt) == (2, 2, 0, 0)
        assert said() == {("DATA", 50): now + 2 * MINUTE}
        take(now + 3 * MINUTE, report("5", quantity=40 * GIB))
        assert said() == {
            ("DATA", 50): now + 2 * MINUTE,
            ("DATA", 80): now + 3 * MINUTE,
            ("DATA", 100): now + 3 * MINUTE,
        }

    def test_an_alert_of_the_smaller_allowance_that_is_said_late_costs_nobody_anything(
        self, seeded: None, now: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The pack is bought after the batch has read the allowances, and before it writes."""
        insert_events = apply.insert_events

        def buying_first(*rows: object) -> None:
            add_pack(30 * GIB)
            insert_events(*rows)  # type: ignore[arg-type]

        monkeypatch.setattr(apply, "insert_events", buying_first)
        assert take(now, report("1", quantity=15 * GIB)).applied == 1
        monkeypatch.undo()
        assert said() == {("DATA", 50): now}
        take(now + MINUTE, report("2", quantity=16 * GIB))
        assert said() == {("DATA", 50): now + MINUTE}

    def test_control_an_alert_that_may_not_be_dated_anew_costs_the_whole_batch(
        self, seeded: None, now: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        take(now, report("1", quantity=15 * GIB))
        add_pack(30 * GIB)
        monkeypatch.setattr(apply, "write_alerts", UsageAlert.objects.bulk_create)
        with pytest.raises(IntegrityError):
            take(now, report("2", quantity=15 * GIB + 1))


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
def test_packs_bought_while_many_report_lose_no_report_and_no_alert(committed: None, now: datetime) -> None:
    """On one line, whose use goes on to pass the thresholds of the growing allowance."""
    packs, batches, senders = 30, 40, 8
    before, all_sent = counter(), Event()

    def send(sender: int) -> int:
        applied = 0
        for number in range(batches):
            batch = [report(f"{sender}-{number}-{part}", quantity=GIB // 4) for part in range(4)]
            outcomes = apply_usage(reports=batch, at=now + number * MINUTE)
            applied += sum(outcome.result is Result.APPLIED for outcome in outcomes)
        return applied

    def work(turn: int) -> int:
        if turn < senders:
            return send(turn)
        for _ in range(packs):
            add_pack(5 * GIB)
            all_sent.wait(0.02)
        return 0

    applied = sum(in_threads(work, range(senders + 1), threads=senders + 1))
    assert applied == senders * batches * 4
    after = counter()
    assert after.version == before.version + applied
    assert after.used_social_bytes == before.used_social_bytes + applied * GIB // 4
    assert not list(find_differences())
    period = Subscription.objects.get(line__phone_number=JESUS)
    assert (period.limit_bytes, period.changes) == ((30 + 5 * packs) * GIB, packs)
    # 320 GiB of 180: whatever was read when, the last threshold of the last allowance is past.
    assert {threshold for _, threshold in said()} == {50, 80, 100}
    add_pack(1000 * GIB)
    take(now + timedelta(hours=2), report("last", quantity=300 * GIB))
    assert said()["DATA", 50] == now + timedelta(hours=2)
