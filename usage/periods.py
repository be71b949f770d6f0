"""Read a line's current period, with its line, customer, usage and alerts."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import QuerySet

from customers.models import Subscription
from telcox.common.database.prepared import PreparedQuery, Row
from usage.vocabulary import DATA_FIELDS, ZERO_RATED


@dataclass(frozen=True, slots=True)
class Period:
    """The last period of a line. `used` has the data counters in bytes, `zero_rated` names the categories
    that are zero-rated, and `changes` counts the changes of counters and allowances."""

    subscription_id: int
    line_id: int
    phone_number: str
    client_full_name: str
    sequence: int
    limit_bytes: int
    expiration_at: datetime
    used: dict[str, int]
    zero_rated: tuple[str, ...]
    changes: int


class Alert(NamedTuple):
    """A UsageAlert of a period: the subscription `plan_id` (its name in a snapshot) used `threshold` percent
    of a resource. With another `crossed_at` it is another alert."""

    plan_id: int
    resource: str
    threshold: int
    crossed_at: datetime


_COLUMNS = (
    "id",
    "line_id",
    "line__phone_number",
    "line__customer__full_name",
    "sequence",
    "limit_bytes",
    "expiration_at",
    "changes",
    "usage_counter__version",
    *(f"usage_counter__{field}" for field in DATA_FIELDS),
    *ZERO_RATED.values(),
)


@PreparedQuery
def _current_period(phone_number: Any) -> QuerySet[Subscription, Row]:
    current = Subscription.objects.current().filter(line__phone_number=phone_number)
    return current.order_by().values(*_COLUMNS)


def current_period(phone_number: str) -> Period | None:
    """Return the line's current period; None for a line without periods, and for an unknown number."""
    row = _current_period.first(phone_number=phone_number)
    return _period(row) if row else None


# Alerts are joined and not read by another query: one statement reads alerts and counters as of the same
# moment, so that no alert is sent before the state that it belongs to, or is missing from it.
_WITH_ALERTS = (
    *_COLUMNS,
    "usage_alerts__resource",
    "usage_alerts__threshold",
    "usage_alerts__crossed_at",
)

Watched = tuple[Period, tuple[Alert, ...]]


@PreparedQuery
def _watched_period(phone_number: Any) -> QuerySet[Subscription, Row]:
    current = Subscription.objects.current().filter(line__phone_number=phone_number)
    return current.order_by().values(*_WITH_ALERTS)


def watched_period(phone_number: str) -> Watched | None:
    """Return the current period and its alerts; None as in `current_period`."""
    return next(iter(_watched(_watched_period(phone_number=phone_number))), None)


def watched_periods(phone_numbers: Collection[str]) -> list[Watched]:
    """Return the current periods of many lines at once, in no order."""
    current = Subscription.objects.current().filter(line__phone_number__in=phone_numbers)
    return _watched(current.order_by().values(*_WITH_ALERTS))


def _watched(rows: Iterable[Row]) -> list[Watched]:
    """Group the rows by period: a period has one row for each alert, and one row if it has none."""
    periods: dict[int, Period] = {}
    alerts: defaultdict[int, list[Alert]] = defaultdict(list)
    for row in rows:
        key, resource = row["id"], row["usage_alerts__resource"]
        if key not in periods:
            periods[key] = _period(row)
        if resource:
            alert = Alert(key, resource, row["usage_alerts__threshold"], row["usage_alerts__crossed_at"])
            alerts[key].append(alert)
    return [(period, tuple(alerts.get(key, ()))) for key, period in periods.items()]


def _period(row: Row) -> Period:
    return Period(
        subscription_id=row["id"],
        line_id=row["line_id"],
        phone_number=row["line__phone_number"],
        client_full_name=row["line__customer__full_name"],
        sequence=row["sequence"],
        limit_bytes=row["limit_bytes"],
        expiration_at=row["expiration_at"],
        used={field: row[f"usage_counter__{field}"] or 0 for field in DATA_FIELDS},
        zero_rated=tuple(used for used, free in ZERO_RATED.items() if row[free]),
        changes=row["changes"] + (row["usage_counter__version"] or 0),
    )
