from collections.abc import Collection
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage.snapshot import Snapshot, build_snapshot, snapshot_version
from usage.vocabulary import COUNTER_MAX

pytestmark = pytest.mark.once

END = datetime(2026, 12, 23, 5, 16, 2, tzinfo=UTC)
USED = {
    "used_social_bytes": 8705024,
    "used_entertainment_bytes": 6483968,
    "used_system_updates_bytes": 4396032,
    "used_navigation_search_bytes": 4915200,
}


def snapshot(
    *,
    limit_bytes: int = 30 * 2**30,
    used: dict[str, int] = USED,
    zero_rated: Collection[str] = (),
    at: datetime = END,
) -> Snapshot:
    return build_snapshot(
        phone_number="0969786985",
        client_full_name="Jesus Jacome",
        plan_id=1,
        sequence=1,
        limit_bytes=limit_bytes,
        expiration_at=END,
        used=used,
        zero_rated=zero_rated,
        changes=4,
        at=at,
    )


def test_a_snapshot_is_what_the_original_sends() -> None:
    shown = snapshot(at=END - timedelta(days=1))
    assert (shown["total_bytes"], shown["percent"], shown["expired"]) == (24500224, 0.08, False)
    assert shown["breakdown"] == USED


def test_a_moment_is_spoken_in_local_time_with_its_offset() -> None:
    assert snapshot()["expiration_at"] == "2026-12-23T00:16:02-05:00"


def test_a_period_is_over_the_moment_it_expires() -> None:
    assert snapshot(at=END - timedelta(microseconds=1))["expired"] is False
    assert snapshot(at=END)["expired"] is True


def test_overage_passes_a_hundred_percent() -> None:
    assert snapshot(limit_bytes=24500224 // 2)["percent"] == 200.0


def test_without_an_allowance_the_percentage_is_nothing() -> None:
    assert snapshot(limit_bytes=0)["percent"] == 0.0


def test_what_is_free_is_shown_and_takes_nothing_of_the_allowance() -> None:
    free = ("used_social_bytes", "used_system_updates_bytes")
    shown = snapshot(limit_bytes=6483968 + 4915200, zero_rated=free)
    assert (shown["total_bytes"], shown["breakdown"]) == (24500224, USED)
    assert shown["percent"] == 100.0
    assert snapshot(limit_bytes=1, zero_rated=tuple(USED))["percent"] == 0.0


@given(st.lists(st.integers(0, COUNTER_MAX), min_size=4, max_size=4), st.integers(0, 2**63 - 1))
def test_the_total_is_the_sum_of_the_breakdown(amounts: list[int], limit_bytes: int) -> None:
    shown = snapshot(limit_bytes=limit_bytes, used=dict(zip(USED, amounts, strict=True)))
    assert shown["total_bytes"] == sum(amounts)
    assert shown["percent"] >= 0


@given(st.tuples(st.integers(1, 2**21 - 1), st.integers(0, 2**32 - 1)), st.data())
def test_a_later_change_has_a_greater_version_that_javascript_can_hold(
    earlier: tuple[int, int], data: st.DataObject
) -> None:
    later = data.draw(st.tuples(st.integers(1, 2**21 - 1), st.integers(0, 2**32 - 1)))
    assert (snapshot_version(*earlier) < snapshot_version(*later)) == (earlier < later)
    assert snapshot_version(*later) < 2**53
