"""Which period a report belongs to."""

from bisect import bisect_right
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from customers.models import LineStatus, Subscription
from telcox.common.bulk import chunks, marks, moment_from_database
from usage.models import RejectionReason

_OUT_OF_SERVICE = {
    LineStatus.SUSPENDED.value: RejectionReason.LINE_SUSPENDED,
    LineStatus.TERMINATED.value: RejectionReason.LINE_TERMINATED,
}


@dataclass(slots=True)
class Place:
    """A period that usage is counted to, with its allowances (bytes, minutes, messages)."""

    subscription_id: int
    start_at: datetime
    limit_bytes: int
    minutes_limit: int
    sms_limit: int


@dataclass(slots=True)
class LinePlaces:
    """A line's current period, None if it never had one; and those before, once they were asked for."""

    line_id: int
    status: str
    current: Place | None
    earlier: list[Place] = field(default_factory=list)


class Places:
    """The lines of some reports, read at once."""

    def __init__(self, phone_numbers: Collection[str], at: datetime) -> None:
        self._latest = at + timedelta(seconds=settings.USAGE_FUTURE_SECONDS)
        self._lines = _lines(phone_numbers)

    def line_id(self, phone_number: str) -> int | None:
        line = self._lines.get(phone_number)
        return line.line_id if line else None

    def read_earlier(self, reports: Iterable[tuple[str, datetime]]) -> None:
        """Once, before `of`: the earlier periods of those lines of which something is late."""
        late = {
            line.line_id: line
            for phone_number, occurred_at in reports
            if (line := self._lines.get(phone_number))
            and line.current
            and occurred_at < line.current.start_at
        }
        if not late:
            return
        rows = (
            Subscription.objects.filter(line__in=list(late))
            .order_by("line", "sequence")
            .values_list("line_id", "id", "start_at", "limit_bytes", "minutes_limit", "sms_limit")
        )
        for line_id, *period in rows:
            late[line_id].earlier.append(Place(*period))

    def of(self, phone_number: str, occurred_at: datetime) -> Place | RejectionReason:
        """The last period that had begun: what happened after a period ran out and before the next began
        still belongs to it, as in the original."""
        line = self._lines.get(phone_number)
        if line is None:
            return RejectionReason.UNKNOWN_LINE
        if line.current is None:
            return RejectionReason.NO_SUBSCRIPTION
        if line.status in _OUT_OF_SERVICE:
            return _OUT_OF_SERVICE[line.status]
        if occurred_at >= line.current.start_at:
            return line.current if occurred_at <= self._latest else RejectionReason.IN_FUTURE
        begun = bisect_right(line.earlier, occurred_at, key=lambda place: place.start_at)
        return line.earlier[begun - 1] if begun else RejectionReason.NO_SUBSCRIPTION


# By hand, because compiling a thousand-fold IN costs the ORM more than the database needs to answer it.
_LINES = """
    SELECT line.phone_number, line.id, line.status,
           period.id, period.start_at, period.limit_bytes, period.minutes_limit, period.sms_limit
    FROM customers_line line
    LEFT JOIN customers_subscription period ON period.line_id = line.id AND NOT EXISTS (
        SELECT 1 FROM customers_subscription later
        WHERE later.line_id = line.id AND later.sequence > period.sequence
    )
    WHERE line.phone_number IN {}"""


def _lines(phone_numbers: Collection[str]) -> dict[str, LinePlaces]:
    lines = {}
    with connection.cursor() as cursor:
        for chunk in chunks(list(phone_numbers)):
            cursor.execute(_LINES.format(marks(len(chunk))), chunk)
            for phone_number, line_id, status, *period in cursor.fetchall():
                lines[phone_number] = LinePlaces(line_id, status, _place(*period))
    return lines


def _place(subscription_id: int | None, start_at: object, *limits: int) -> Place | None:
    if subscription_id is None:
        return None
    return Place(subscription_id, moment_from_database(start_at), *limits)
