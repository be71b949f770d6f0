"""A line's current period, with its line, its customer and what was used of it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from customers.models import Subscription
from telcox.common.prepared import PreparedQuery, Row
from usage.models import DATA_FIELDS


@dataclass(frozen=True, slots=True)
class Period:
    """The last period of a line. `used` has the data counters in bytes, `changes` counts their changes."""

    subscription_id: int
    line_id: int
    line_status: str
    phone_number: str
    client_full_name: str
    sequence: int
    limit_bytes: int
    expiration_at: datetime
    used: dict[str, int]
    changes: int


_COLUMNS = (
    "id",
    "line_id",
    "line__status",
    "line__phone_number",
    "line__customer__full_name",
    "sequence",
    "limit_bytes",
    "expiration_at",
    "usage_counter__version",
    *(f"usage_counter__{field}" for field in DATA_FIELDS),
)


@PreparedQuery
def _last_periods(phone_number: Any) -> QuerySet[Subscription, Row]:
    return (
        Subscription.objects.filter(line__phone_number=phone_number)
        .order_by("-sequence")
        .values(*_COLUMNS)[:1]
    )


def current_period(phone_number: str) -> Period | None:
    """None for a line that never had one, and for a number that is no line's."""
    row = _last_periods.first(phone_number=phone_number)
    return _period(row) if row else None


def current_periods(phone_numbers: Collection[str]) -> list[Period]:
    """Those of many lines at once, in no order."""
    rows = Subscription.objects.current().filter(line__phone_number__in=phone_numbers).values(*_COLUMNS)
    return [_period(row) for row in rows]


def _period(row: Row) -> Period:
    return Period(
        subscription_id=row["id"],
        line_id=row["line_id"],
        line_status=row["line__status"],
        phone_number=row["line__phone_number"],
        client_full_name=row["line__customer__full_name"],
        sequence=row["sequence"],
        limit_bytes=row["limit_bytes"],
        expiration_at=row["expiration_at"],
        used={field: row[f"usage_counter__{field}"] or 0 for field in DATA_FIELDS},
        changes=row["usage_counter__version"] or 0,
    )
