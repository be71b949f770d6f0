"""Which period a report belongs to."""

from bisect import bisect_right
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import itemgetter

from django.conf import settings
from django.db import connection

from customers.models import LineStatus, Subscription
from telcox.common.bulk import chunks, plain_literals
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
    """A line, and the `only` period that anything reported of it can belong to; where there may be others,
    its `periods`, from the first, each with when it began: all of them or, if it `reaches_back`, those from
    before everything that was reported."""

    line_id: int
    status: str
    only: Place | None
    reaches_back: bool
    periods: list[tuple[datetime, Place]] = field(default_factory=list)


class Places:
    """The lines of some reports, read at once: what happened when, on which number."""

    def __init__(self, happened: Iterable[tuple[str, datetime]], at: datetime) -> None:
        self._latest = at + timedelta(seconds=settings.USAGE_FUTURE_SECONDS)
        earliest, phone_numbers = at, set()
        for phone_number, occurred_at in happened:
            phone_numbers.add(phone_number)
            if occurred_at < earliest:
                earliest = occurred_at
        self._lines = _lines(phone_numbers, earliest)

    def of(self, phone_number: str, occurred_at: datetime) -> Place | RejectionReason:
        """The last period that had begun: what happened after a period ran out and before the next began
        still belongs to it, as in the original."""
        line = self._lines.get(phone_number)
        if line is None:
            return RejectionReason.UNKNOWN_LINE
        if line.only is None and not line.periods:
            return RejectionReason.NO_SUBSCRIPTION
        if line.status in _OUT_OF_SERVICE:
            return _OUT_OF_SERVICE[line.status]
        if occurred_at > self._latest:
            return RejectionReason.IN_FUTURE
        if line.only is not None:
            return line.only
        position = bisect_right(line.periods, occurred_at, key=itemgetter(0))
        return line.periods[position - 1][1] if position else RejectionReason.NO_SUBSCRIPTION


# By hand, because compiling a thousand-fold IN costs the ORM more than the database needs to answer it. Only
# periods that had not run out before everything that was reported: of a line's long past one row as a rule,
# found and read in an index of its own (subscription_of_usage).
_LINES = """
    SELECT line.phone_number, line.id, line.status, period.start_at <= %s,
           period.id, period.limit_bytes, period.minutes_limit, period.sms_limit
    FROM customers_line line
    LEFT JOIN customers_subscription period ON period.line_id = line.id AND period.expiration_at > %s
    WHERE line.phone_number IN ({})"""


def _lines(phone_numbers: Collection[str], earliest: datetime) -> dict[str, _Line]:
    """By number. `earliest` is before everything that was reported of them."""
    lines: dict[str, _Line] = {}
    since = connection.ops.adapt_datetimefield_value(earliest)
    with connection.cursor() as cursor:
        for chunk in chunks(list(phone_numbers)):
            cursor.execute(_LINES.format(plain_literals(chunk)), [since, since])
            for phone_number, line_id, status, begun, *period in cursor.fetchall():
                line = lines.get(phone_number)
                if line is None:
                    lines[phone_number] = _Line(
                        line_id, status, Place(*period) if begun else None, bool(begun)
                    )
                else:
                    line.only = None
                    line.reaches_back |= bool(begun)
    several = [line for line in lines.values() if line.only is None]
    _read_periods([line for line in several if line.reaches_back], since=earliest)
    # Something happened before all of those: perhaps in a gap after an older one.
    _read_periods([line for line in several if not line.reaches_back])
    return lines


def _read_periods(lines: Iterable[_Line], *, since: datetime | None = None) -> None:
    """All that these lines ever had, or had not run out at `since`."""
    by_id = {line.line_id: line for line in lines}
    for line_ids in chunks(list(by_id)):
        periods = Subscription.objects.filter(line__in=line_ids)
        if since:
            periods = periods.filter(expiration_at__gt=since)
        rows = periods.order_by("line", "sequence").values_list(
            "line_id", "start_at", "id", "limit_bytes", "minutes_limit", "sms_limit"
        )
        for line_id, start_at, *period in rows:
            by_id[line_id].periods.append((start_at, Place(*period)))
