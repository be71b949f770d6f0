"""Read a line's usage, for the API and the live feed. Nothing here counts or writes."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from customers.models import Line, Subscription
from telcox.common.errors import NotFound
from usage.models import UsageDay
from usage.periods import Alert, Period, current_period, watched_period, watched_periods
from usage.snapshot import Snapshot, build_snapshot, snapshot_version
from usage.vocabulary import COUNTER_FIELDS, DETAILS, RejectionReason

NO_LINE = DETAILS[RejectionReason.UNKNOWN_LINE]
NO_PLAN = "No active data plan for this phone_number"


def line_snapshot(*, phone_number: str, at: datetime) -> Snapshot:
    """Return the snapshot of the line's current period. Raise NotFound for a line without a period, or an
    unknown number."""
    period = current_period(phone_number)
    if period is None:
        raise NotFound(NO_PLAN, reason="no_subscription")
    return _snapshot(period, at)


@dataclass(frozen=True, slots=True)
class WatchedLine:
    """State of a line for its watchers: its snapshot, and the alerts of the period up to exactly that
    state."""

    snapshot: Snapshot
    alerts: tuple[Alert, ...]


def watched_line(*, phone_number: str, at: datetime) -> WatchedLine:
    """Return the line's state. Raise NotFound for a line without a period, or an unknown number."""
    watched = watched_period(phone_number)
    if watched is None:
        raise NotFound(NO_PLAN, reason="no_subscription")
    period, alerts = watched
    return WatchedLine(_snapshot(period, at), alerts)


def watched_lines(*, phone_numbers: Collection[str], at: datetime) -> list[WatchedLine]:
    """Return the states of those of these lines that have a period."""
    return [WatchedLine(_snapshot(period, at), alerts) for period, alerts in watched_periods(phone_numbers)]


def line_history(*, phone_number: str, since: date, until: date, by_month: bool) -> dict[str, dict[str, int]]:
    """Return the line's usage by local day (`2026-11-23`) or month (`2026-11`), both ends included, oldest
    first, without days or months that have no usage. Raise NotFound for an unknown number."""
    if not Line.objects.filter(phone_number=phone_number).exists():
        raise NotFound(NO_LINE, reason="unknown_line")
    days = UsageDay.objects.filter(
        subscription__line__phone_number=phone_number, day__gte=since, day__lte=until
    )
    history: dict[str, dict[str, int]] = {}
    for day, *used in days.order_by("day").values_list("day", *COUNTER_FIELDS.values()):
        sums = history.setdefault(
            f"{day:%Y-%m}" if by_month else f"{day}", dict.fromkeys(COUNTER_FIELDS.values(), 0)
        )
        for field, amount in zip(COUNTER_FIELDS.values(), used, strict=True):
            sums[field] += amount
    return history


def line_states(*, phone_numbers: Collection[str], at: datetime) -> dict[str, tuple[int, bool]]:
    """Return `version` and `expired` of each line's snapshot at `at`: if either grows, there is something new
    to show. Lines without a period are left out."""
    current = Subscription.objects.current().filter(line__phone_number__in=phone_numbers)
    rows = current.order_by().values_list(
        "line__phone_number", "sequence", "changes", "usage_counter__version", "expiration_at"
    )
    return {
        phone_number: (snapshot_version(sequence, changes + (version or 0)), expiration_at <= at)
        for phone_number, sequence, changes, version, expiration_at in rows
    }


def _snapshot(period: Period, at: datetime) -> Snapshot:
    return build_snapshot(
        phone_number=period.phone_number,
        client_full_name=period.client_full_name,
        plan_id=period.subscription_id,
        sequence=period.sequence,
        limit_bytes=period.limit_bytes,
        expiration_at=period.expiration_at,
        used=period.used,
        zero_rated=period.zero_rated,
        changes=period.changes,
        at=at,
    )
