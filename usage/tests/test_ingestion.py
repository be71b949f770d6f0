"""Batches of reports: what becomes of each."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from customers.models import Line, LineStatus, Subscription
from usage.ingestion.formats import Malformed
from usage.models import RejectedUsage, UsageAlert, UsageCounter, UsageDay, UsageEvent
from usage.services import redrive_usage
from usage.tests.batches import (
    CARLA,
    GIB,
    JESUS,
    MARIA,
    NOBODY,
    counter,
    counts,
    reasons,
    report,
    take,
)
from usage.verification import find_differences
from usage.vocabulary import COUNTER_MAX, QUANTITY_MAX

pytestmark = pytest.mark.django_db


def test_a_batch_counts_every_report_of_every_line(seeded: None, now: datetime) -> None:
    before = counter(), counter(CARLA)
    receipt = take(
        now, report("1"), report("2", quantity=5), report("3", phone_number=CARLA, category="VOICE")
    )
    assert counts(receipt) == (3, 3, 0, 0)
    assert counter().used_social_bytes == before[0].used_social_bytes + 105
    assert counter().version == before[0].version + 2
    assert counter(CARLA).used_voice_seconds == before[1].used_voice_seconds + 100
    assert not list(find_differences())


def test_a_report_that_is_neither_counted_nor_refused_is_never_called_applied(
    seeded: None, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("usage.ingestion.apply._write_once", lambda items, at: None)
    with pytest.raises(RuntimeError, match="2 report"):
        take(now, report("1"), report("2"), report("3", phone_number=NOBODY))


def test_the_same_batch_again_is_all_duplicates_and_changes_nothing(seeded: None, now: datetime) -> None:
    batch = [report("1"), report("2"), report("3", phone_number=NOBODY)]
    first, before = take(now, *batch), counter()
    again = take(now + timedelta(minutes=1), *batch)
    assert counts(first) == (3, 2, 0, 1)
    assert counts(again) == (3, 0, 2, 1)
    assert again.rejections == first.rejections
    assert counter().version == before.version


def test_a_batch_of_known_and_new_counts_the_new(seeded: None, now: datetime) -> None:
    take(now, report("2"), report("4"))
    receipt = take(now, *(report(str(number)) for number in range(1, 6)))
    assert counts(receipt) == (5, 3, 2, 0)
    assert not list(find_differences())


def test_a_key_twice_in_a_batch_is_counted_once(seeded: None, now: datetime) -> None:
    receipt = take(now, report("1"), report("1"), report("1", quantity=7))
    assert counts(receipt) == (3, 1, 1, 1)
    assert reasons(receipt) == {2: "event_conflict"}


def test_a_rejected_report_does_not_take_its_key(seeded: None, now: datetime) -> None:
    receipt = take(now, report("1", phone_number=NOBODY), report("1"), report("1", quantity=5), report("1"))
    assert counts(receipt) == (4, 1, 1, 2)
    assert reasons(receipt) == {0: "unknown_line", 2: "event_conflict"}
    UsageCounter.objects.update(used_social_bytes=COUNTER_MAX - 10)
    receipt = take(now, report("2"), report("2"), report("2", quantity=10), report("2"))
    assert reasons(receipt) == {0: "counter_full", 1: "counter_full", 3: "counter_full"}
    assert receipt.applied == 1


@pytest.mark.parametrize(
    "other",
    [
        {"quantity": 5},
        {"category": "SMS"},
        {"phone_number": CARLA},
        {"occurred_at": datetime(2026, 11, 30, tzinfo=UTC)},
    ],
)
def test_the_same_key_with_other_content_is_a_conflict_and_the_first_stays(
    seeded: None, now: datetime, other: dict[str, Any]
) -> None:
    take(now, report("1", occurred_at=now))
    before = counter()
    receipt = take(now, report("1", **{"occurred_at": now, **other}), report("2"))
    assert (counts(receipt), reasons(receipt)) == ((2, 1, 0, 1), {0: "event_conflict"})
    assert counter().version == before.version + 1
    assert not RejectedUsage.objects.exists()


def test_one_bad_report_costs_the_others_nothing_and_each_says_why(seeded: None, now: datetime) -> None:
    Line.objects.filter(phone_number=MARIA).update(status=LineStatus.SUSPENDED)
    Line.objects.create(
        customer=Line.objects.first().customer, phone_number="0955555555", product_type="MOVIL"
    )
    receipt = take(
        now,
        report("1", phone_number=NOBODY),
        report("2"),
        Malformed("Expected `int`", "3"),
        report("4", phone_number=MARIA),
        report("5", phone_number="0955555555"),
        report("6", occurred_at=now + timedelta(hours=1)),
        report("7", occurred_at=now - timedelta(days=400)),
        report("8"),
    )
    assert counts(receipt) == (8, 2, 0, 6)
    assert reasons(receipt) == {
        0: "unknown_line",
        2: "invalid",
        3: "line_suspended",
        4: "no_subscription",
        5: "in_future",
        6: "no_subscription",
    }
    assert [rejection.event_id for rejection in receipt.rejections] == ["1", "3", "4", "5", "6", "7"]


def test_a_clock_that_is_a_little_ahead_is_forgiven(seeded: None, now: datetime) -> None:
    assert take(now, report("1", occurred_at=now + timedelta(minutes=4))).applied == 1


def test_a_counted_report_stays_a_duplicate_when_its_line_is_suspended(seeded: None, now: datetime) -> None:
    take(now, report("1"))
    Line.objects.update(status=LineStatus.SUSPENDED)
    receipt = take(now, report("1"), report("1", quantity=3), report("2"))
    assert counts(receipt) == (3, 0, 1, 2)
    assert reasons(receipt) == {1: "event_conflict", 2: "line_suspended"}


def test_days_follow_the_local_calendar(seeded: None, now: datetime) -> None:
    midnight = datetime(2026, 12, 2, 5, 0, tzinfo=UTC)  # in Guayaquil
    take(
        midnight, report("1", occurred_at=midnight - timedelta(seconds=1)), report("2", occurred_at=midnight)
    )
    days = UsageDay.objects.filter(subscription__line__phone_number=JESUS, day__gte="2026-12-01")
    assert {f"{day.day}": day.used_social_bytes for day in days} == {"2026-12-01": 100, "2026-12-02": 100}


def test_a_counter_takes_what_fits_and_refuses_the_rest(seeded: None, now: datetime) -> None:
    UsageCounter.objects.update(used_social_bytes=COUNTER_MAX - 150)
    receipt = take(now, report("1"), report("2"), report("3", quantity=50), report("4", category="SMS"))
    assert (receipt.applied, reasons(receipt)) == (3, {1: "counter_full"})
    assert counter().used_social_bytes == COUNTER_MAX


def test_a_batch_beyond_64_bits_is_refused_where_it_no_longer_fits(seeded: None, now: datetime) -> None:
    fits = COUNTER_MAX // QUANTITY_MAX - 1  # beside what was used before
    receipt = take(now, *(report(str(number), quantity=QUANTITY_MAX) for number in range(2 * fits)))
    assert receipt.applied == fits
    assert set(reasons(receipt).values()) == {"counter_full"}


def test_usage_of_a_purged_day_is_too_late_unless_its_event_is_still_there(
    seeded: None, now: datetime
) -> None:
    midnight = datetime(2026, 12, 1, 5, 0, tzinfo=UTC)  # in Guayaquil
    still_there = report("1", occurred_at=midnight - timedelta(days=2))
    take(now, still_there)
    UsageCounter.objects.filter(pk=counter().pk).update(purged_before="2026-12-01")
    before = counter()
    receipt = take(
        now,
        still_there,
        report("2", occurred_at=midnight - timedelta(microseconds=1)),
        report("3", occurred_at=midnight),
        report("2", occurred_at=midnight - timedelta(microseconds=1)),
        report("4", phone_number=CARLA, occurred_at=midnight - timedelta(days=2)),
    )
    assert (counts(receipt), reasons(receipt)) == ((5, 2, 1, 2), {1: "too_late", 3: "too_late"})
    assert counter().used_social_bytes == before.used_social_bytes + 100
    assert RejectedUsage.objects.unresolved().get().reason == "too_late"
    assert redrive_usage(rejected=RejectedUsage.objects.all(), at=now).rejected == 1


def test_what_cannot_be_counted_is_kept_once_and_counted_once_when_driven_again(
    seeded: None, now: datetime
) -> None:
    Line.objects.filter(phone_number=JESUS).update(status=LineStatus.SUSPENDED)
    for _ in range(3):
        take(now, report("1"), report("2", phone_number=NOBODY), Malformed("?"))
    waiting = RejectedUsage.objects.unresolved()
    assert {(row.event_id, row.reason) for row in waiting} == {("1", "line_suspended"), ("2", "unknown_line")}

    Line.objects.filter(phone_number=JESUS).update(status=LineStatus.TERMINATED)
    assert redrive_usage(rejected=RejectedUsage.objects.all(), at=now).rejected == 2
    assert waiting.get(event_id="1").reason == "line_terminated"

    Line.objects.filter(phone_number=JESUS).update(status=LineStatus.ACTIVE)
    before = counter().version
    for _ in range(2):
        redrive_usage(rejected=RejectedUsage.objects.all(), at=now)
    assert counter().version == before + 1
    assert [row.event_id for row in waiting.all()] == ["2"]
    assert RejectedUsage.objects.get(event_id="1").resolved_at is not None
    assert take(now, report("1")).duplicates == 1


def test_redriving_what_was_sent_again_meanwhile_counts_nothing(seeded: None, now: datetime) -> None:
    Line.objects.update(status=LineStatus.SUSPENDED)
    take(now, report("1"))
    Line.objects.update(status=LineStatus.ACTIVE)
    take(now, report("1", occurred_at=now))
    before = counter().version
    redriven = redrive_usage(rejected=RejectedUsage.objects.all(), at=now)
    assert (redriven.applied, redriven.duplicates) == (0, 1)
    assert counter().version == before
    assert not RejectedUsage.objects.unresolved().exists()


def test_operators_redrive_by_reason(seeded: None, now: datetime, capsys: pytest.CaptureFixture[str]) -> None:
    begun = Subscription.objects.get(line__phone_number=JESUS).start_at
    Line.objects.filter(phone_number=JESUS).update(status=LineStatus.SUSPENDED)
    take(now, report("1", occurred_at=begun), report("2", phone_number=NOBODY, occurred_at=begun))
    Line.objects.filter(phone_number=JESUS).update(status=LineStatus.ACTIVE)
    call_command("redrive_usage", reason="unknown_line")
    call_command("redrive_usage", reason="line_suspended")
    assert capsys.readouterr().out.splitlines() == [
        "0 counted, 0 already counted, 1 still waiting",
        "1 counted, 0 already counted, 0 still waiting",
    ]


def alerts() -> set[tuple[str, int]]:
    return set(UsageAlert.objects.values_list("resource", "threshold"))


@pytest.mark.parametrize(
    "key",
    [
        "it's",
        'a"b',
        "back\\slash",
        "50 %s",
        "50%",
        "ñandú",
        "𝕏",
        "a;-- b",
        "'); DROP TABLE x; --",
        "ok:/._-1",
    ],
)
def test_a_key_of_any_characters_is_kept_as_it_is(seeded: None, now: datetime, key: str) -> None:
    batch = [report("plain-1"), report(key, source=key), report(f"{key}2")]
    assert counts(take(now, *batch)) == (3, 3, 0, 0)
    assert UsageEvent.objects.filter(source=key, event_id=key).count() == 1
    assert counts(take(now, *batch)) == (3, 0, 3, 0)


def test_each_threshold_is_crossed_once(seeded: None, now: datetime) -> None:
    limit = Subscription.objects.get(line__phone_number=JESUS).limit_bytes
    assert limit == 30 * GIB
    take(now, report("1", quantity=14 * GIB))
    assert alerts() == set()
    take(now, report("2", quantity=GIB), report("3", quantity=1), report("4", category="ENTERTAINMENT"))
    assert alerts() == {("DATA", 50)}
    take(now, report("5", quantity=40 * GIB), report("6"))
    take(now, report("7", quantity=40 * GIB))
    assert alerts() == {("DATA", 50), ("DATA", 80), ("DATA", 100)}
    take(now, report("8", category="VOICE", quantity=600 * 60))
    assert ("VOICE", 100) in alerts()


def test_a_batch_costs_the_same_queries_however_many_reports_and_lines(
    seeded: None, now: datetime, django_assert_num_queries: Any
) -> None:
    # Lines, events, counters with their new state, days; two for the test's savepoint.
    with django_assert_num_queries(6):
        take(now, *(report(str(number)) for number in range(500)))
    with django_assert_num_queries(6):
        take(now, *(report(f"b{n}", phone_number=(JESUS, MARIA, CARLA)[n % 3]) for n in range(500)))


def test_verify_usage_names_what_differs(
    seeded: None, now: datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    take(now, report("1"))
    call_command("verify_usage")
    UsageCounter.objects.filter(pk=counter().pk).update(used_sms=7)
    UsageDay.objects.filter(subscription=counter().pk, day="2026-12-01").delete()
    with pytest.raises(CommandError):
        call_command("verify_usage")
    shown = capsys.readouterr().out
    assert f"subscription {counter().pk}, used_sms: 7, by its events 0" in shown
    assert f"subscription {counter().pk}, 2026-12-01 used_social_bytes: 0, by its events 100" in shown


@pytest.mark.mariadb
def test_ids_that_the_database_holds_for_the_same_are_the_same(seeded: None, now: datetime) -> None:
    assert connection.vendor == "mysql"
    receipt = take(now, report("a"), report("A"), report("ä"), report("a ").normalize())
    assert counts(receipt) == (4, 3, 1, 0)
