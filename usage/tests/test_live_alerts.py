"""Alerts of the live feed, over real sockets: who is told that an allowance is used up so far, and when."""

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from websockets.sync.client import ClientConnection

from telcox.testing.clients import next_frame, watch_with_small_buffer
from telcox.testing.embedded import CARLA, JESUS, Embedded, frames_until_quiet, serve

pytestmark = pytest.mark.processes

GIB = 2**30
# What their plans allow.
CARLA_BYTES, CARLA_SMS, CARLA_MINUTES = 5 * GIB, 50, 100


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: Any, django_db_blocker: Any
) -> Iterator[Embedded]:
    with django_db_blocker.unblock():
        yield from serve(tmp_path_factory.mktemp("alerts"), LIVE_STALLED_SECONDS="300")


@pytest.fixture
def embedded(server: Embedded) -> Embedded:
    """Carla's period has just begun."""
    server.renew(CARLA)
    return server


def frames_of(socket: ClientConnection, *, states: int = 0, alerts: int = 0) -> list[dict[str, Any]]:
    """Wait for so many, and return them with whatever else comes within a second."""
    frames: list[dict[str, Any]] = []
    while sum(frame["type"] == "snapshot" for frame in frames) < states or len(told(frames)) < alerts:
        frames.append(next_frame(socket))
    return [*frames, *frames_until_quiet(socket, 1.0)]


def told(frames: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(frame["resource"], frame["threshold"]) for frame in frames if frame["type"] == "alert"]


def test_all_who_watch_are_told_once_and_after_the_state_that_shows_it(embedded: Embedded) -> None:
    with embedded.watch(CARLA) as one, embedded.watch(CARLA) as other:
        first = next_frame(one)
        assert next_frame(other) == first
        crossing = embedded.report(CARLA, CARLA_BYTES // 2)
        told_of = {watcher: (next_frame(watcher), next_frame(watcher)) for watcher in (one, other)}
        after = embedded.report(CARLA)
        for watcher, (snapshot, alert) in told_of.items():
            rest = frames_of(watcher, states=1)
            assert snapshot == crossing
            assert alert.keys() == {
                "type",
                "phone_number",
                "plan_id",
                "resource",
                "threshold",
                "crossed_at",
            }
            assert (alert["type"], alert["phone_number"]) == ("alert", CARLA)
            assert (alert["plan_id"], alert["resource"], alert["threshold"]) == (first["plan_id"], "DATA", 50)
            assert datetime.fromisoformat(alert["crossed_at"]).utcoffset() is not None
            assert rest == [after]


def test_thresholds_that_are_crossed_at_once_are_told_in_their_order(embedded: Embedded) -> None:
    with embedded.watch(CARLA) as socket:
        next_frame(socket)
        crossing = embedded.report(CARLA, 2 * CARLA_BYTES)
        snapshot, *alerts = frames_of(socket, states=1, alerts=3)
        assert snapshot == crossing
        assert told(alerts) == [("DATA", 50), ("DATA", 80), ("DATA", 100)]


def test_minutes_and_messages_have_alerts_too(embedded: Embedded) -> None:
    with embedded.watch(CARLA) as socket:
        next_frame(socket)
        embedded.report_all((CARLA, "VOICE", CARLA_MINUTES * 60 * 4 // 5), (CARLA, "SMS", CARLA_SMS))
        frames = frames_of(socket, states=1, alerts=5)
        assert sorted(told(frames)) == [
            ("SMS", 50),
            ("SMS", 80),
            ("SMS", 100),
            ("VOICE", 50),
            ("VOICE", 80),
        ]


def test_a_page_that_is_opened_again_is_not_told_again(embedded: Embedded) -> None:
    embedded.report(CARLA, CARLA_BYTES // 2)
    with embedded.watch(CARLA) as socket:
        next_frame(socket)
        seen = embedded.report(CARLA)
        assert frames_of(socket, states=1) == [seen]
        crossing = embedded.report(CARLA, CARLA_BYTES // 3)
        snapshot, *alerts = frames_of(socket, states=1, alerts=1)
        assert snapshot == crossing
        assert told(alerts) == [("DATA", 80)]


def test_what_no_message_told_is_found_with_its_alert_by_comparing(embedded: Embedded) -> None:
    count_elsewhere = (
        "from django.utils import timezone; from usage.services import record_usage;"
        f"record_usage(phone_number='{CARLA}', category='SOCIAL', quantity={CARLA_BYTES}, source='x',"
        " at=timezone.now())"
    )
    with embedded.watch(CARLA) as socket:
        next_frame(socket)
        embedded.shell(count_elsewhere)
        snapshot, *alerts = frames_of(socket, states=1, alerts=3)
        assert snapshot["percent"] >= 100
        assert told(alerts) == [("DATA", 50), ("DATA", 80), ("DATA", 100)]


def test_the_next_period_is_told_of_anew(embedded: Embedded) -> None:
    with embedded.watch(CARLA) as socket:
        old = next_frame(socket)["plan_id"]
        embedded.report(CARLA, CARLA_BYTES)
        embedded.renew(CARLA)
        embedded.report(CARLA, CARLA_BYTES // 2)
        alerts = [frame for frame in frames_of(socket, alerts=4) if frame["type"] == "alert"]
        assert [(alert["plan_id"] == old, alert["threshold"]) for alert in alerts] == [
            (True, 50),
            (True, 80),
            (True, 100),
            (False, 50),
        ]


def test_after_a_pack_the_same_threshold_is_told_again(embedded: Embedded) -> None:
    buy = (
        "from customers.models import Subscription; from django.db.models import F;"
        f"Subscription.objects.current().filter(line__phone_number='{CARLA}')"
        f".update(limit_bytes=F('limit_bytes') + {CARLA_BYTES}, changes=F('changes') + 1)"
    )
    with embedded.watch(CARLA) as socket:
        first = next_frame(socket)
        embedded.report(CARLA, CARLA_BYTES * 3 // 4)
        half, alert = frames_of(socket, states=1, alerts=1)
        assert told([alert]) == [("DATA", 50)]
        embedded.shell(buy)
        bought = next_frame(socket)
        assert bought["limit_bytes"] == 2 * first["limit_bytes"]
        assert (half["percent"], bought["percent"]) == (75, 37.5)
        crossing = embedded.report(CARLA, CARLA_BYTES // 2)
        snapshot, again = frames_of(socket, states=1, alerts=1)
        assert snapshot == crossing
        assert told([again]) == [("DATA", 50)]
        assert datetime.fromisoformat(again["crossed_at"]) > datetime.fromisoformat(alert["crossed_at"])
        versions = [frame["version"] for frame in (first, half, bought, crossing)]
        assert versions == sorted(set(versions))
    with embedded.watch(CARLA) as opened_again:
        assert next_frame(opened_again) == crossing
        assert frames_of(opened_again) == []


def test_a_reader_that_is_behind_skips_states_and_misses_no_alert(embedded: Embedded) -> None:
    steps = 500
    with watch_with_small_buffer(embedded.port, f"phone_number={CARLA}") as slow:
        next_frame(slow)
        for _ in range(steps):
            final = embedded.report(CARLA, CARLA_BYTES // steps + 1)
        frames: list[Any] = []
        while not frames or frames[-1] != final:
            frames.append(next_frame(slow))
        missing = 3 - len(told(frames))
        frames += frames_of(slow, alerts=missing)
    states = [frame for frame in frames if frame["type"] == "snapshot"]
    assert states[-1] == final
    assert len(states) < steps * 0.9
    assert told(frames) == [("DATA", 50), ("DATA", 80), ("DATA", 100)]
    assert_no_alert_before_its_state(frames)


def assert_no_alert_before_its_state(frames: list[dict[str, Any]]) -> None:
    for before, alert in pairwise(frames):
        if alert["type"] == "alert" and before["type"] == "snapshot":
            assert before["percent"] >= alert["threshold"], json.dumps([before, alert])


def test_a_line_nobody_reports_of_is_told_nothing(embedded: Embedded) -> None:
    with embedded.watch(JESUS) as socket:
        next_frame(socket)
        embedded.report(CARLA, CARLA_BYTES)
        assert frames_of(socket) == []
