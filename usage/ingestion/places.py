"""Which period a report belongs to."""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from customers.models import LineStatus, Subscription
from telcox.common.bulk import chunks, marks
from usage.models import RejectionReason

_OUT_OF_SERVICE = {
    LineStatus.SUSPENDED.value: RejectionReason.LINE_SUSPENDED,
    LineStatus.TERMINATED.value: RejectionReason.LINE_TERMINATED,
}


@dataclass(slots=True)
class Place:
    """A period that usage is counted to, with its allowances (bytes, minutes, messages)."""

    subscription_id: int
    limit_bytes: int
    minutes_limit: int
    sms_limit: int


@dataclass(slots=True)
class _Line:
    """A line's last period, None if it never had one. Where something reported of it happened before that
    began, all its periods, from the first, each with when it began."""

    line_id: int
    status: str
    last: Place | None
    begun: list[tuple[datetime, Place]] = field(default_factory=list)


class Places:
    """The lines of some reports, read at once: what happened when, on which number."""

    def __init__(self, happened: Iterable[tuple[str, datetime]], at: datetime) -> None:
        self._latest = at + timedelta(seconds=settings.USAGE_FUTURE_SECONDS)
        earliest, phone_numbers = at, set()
        for phone_number, occurred_at in happened:
            phone_numbers.add(phone_number)
            earliest = min(earliest, occurred_at)
        self._lines = _lines(phone_numbers, earliest)

    def of(self, phone_number: str, occurred_at: datetime) -> Place | RejectionReason:
        """The last period that had begun: what happened after a period ran out and before the next began
        still belongs to it, as in the original."""
        line = self._lines.get(phone_number)
        if line is None:
            return RejectionReason.UNKNOWN_LINE
        if line.last is None:
            return RejectionReason.NO_SUBSCRIPTION
        if line.status in _OUT_OF_SERVICE:
            return _OUT_OF_SERVICE[line.status]
        if occurred_at > self._latest:
            return RejectionReason.IN_FUTURE
        if not line.begun:
            return line.last
        position = bisect_right(line.begun, occurred_at, key=lambda period: period[0])
        return line.begun[position - 1][1] if position else RejectionReason.NO_SUBSCRIPTION


# By hand, because compiling a thousand-fold IN costs the ORM more than the database needs to answer it.
_LINES = """
    SELECT line.phone_number, line.id, line.status, period.start_at <= %s,
           period.id, period.limit_bytes, period.minutes_limit, period.sms_limit
    FROM customers_line line
    LEFT JOIN customers_subscription period ON period.line_id = line.id AND NOT EXISTS (
        SELECT 1 FROM customers_subscription later
        WHERE later.line_id = line.id AND later.sequence > period.sequence
    )
    WHERE line.phone_number IN {}"""


def _lines(phone_numbers: Collection[str], earliest: datetime) -> dict[str, _Line]:
    """By number. `earliest` is before everything that was reported of them."""
    lines, late = {}, {}
    since = connection.ops.adapt_datetimefield_value(earliest)
    with connection.cursor() as cursor:
        for chunk in chunks(list(phone_numbers)):
            cursor.execute(_LINES.format(marks(len(chunk))), [since, *chunk])
            for phone_number, line_id, status, begun_before_all, *period in cursor.fetchall():
                line = lines[phone_number] = _Line(line_id, status, Place(*period) if period[0] else None)
                if line.last and not begun_before_all:
                    late[line_id] = line
    _read_begun(late)
    return lines


def _read_begun(lines: Mapping[int, _Line]) -> None:
    for line_ids in chunks(list(lines)):
        rows = (
            Subscription.objects.filter(line__in=line_ids)
            .order_by("line", "sequence")
            .values_list("line_id", "start_at", "id", "limit_bytes", "minutes_limit", "sms_limit")
        )
        for line_id, start_at, *period in rows:
            lines[line_id].begun.append((start_at, Place(*period)))
