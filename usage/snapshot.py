"""The one format of a line's usage: REST, live feed, development endpoint and customer page."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TypedDict

from telcox.common.calendar import local_iso


class Breakdown(TypedDict):
    used_social_bytes: int
    used_entertainment_bytes: int
    used_system_updates_bytes: int
    used_navigation_search_bytes: int


class Snapshot(TypedDict):
    type: str
    phone_number: str
    client_full_name: str
    plan_id: int
    limit_bytes: int
    expiration_at: str
    breakdown: Breakdown
    total_bytes: int
    percent: float
    expired: bool
    version: int


def snapshot_version(sequence: int, changes: int) -> int:
    """Return a version that grows with every change of a line, across its renewals, too. `changes` counts the
    events and the increases of allowances within period no. `sequence`.

    JavaScript's numbers represent it exactly for the first two million periods of a line.
    """
    return sequence << 32 | changes


def build_snapshot(
    *,
    phone_number: str,
    client_full_name: str,
    plan_id: int,
    sequence: int,
    limit_bytes: int,
    expiration_at: datetime,
    used: Mapping[str, int],
    zero_rated: Collection[str],
    changes: int,
    at: datetime,
) -> Snapshot:
    """Return the usage of the line's current period, as of `at`.

    `used` has the four data counters in bytes; those that `zero_rated` names are zero-rated. `percent` is the
    share of the allowance without zero-rated data, and passes 100 with overage; without an allowance it is 0.
    """
    breakdown = Breakdown(
        used_social_bytes=used["used_social_bytes"],
        used_entertainment_bytes=used["used_entertainment_bytes"],
        used_system_updates_bytes=used["used_system_updates_bytes"],
        used_navigation_search_bytes=used["used_navigation_search_bytes"],
    )
    total = sum(breakdown.values())  # type: ignore[arg-type]
    drawn = total - sum(used[field] for field in zero_rated)
    return Snapshot(
        type="snapshot",
        phone_number=phone_number,
        client_full_name=client_full_name,
        plan_id=plan_id,
        limit_bytes=limit_bytes,
        expiration_at=local_iso(expiration_at),
        breakdown=breakdown,
        total_bytes=total,
        percent=round(drawn * 100 / limit_bytes, 2) if limit_bytes else 0.0,
        expired=expiration_at <= at,
        version=snapshot_version(sequence, changes),
    )
