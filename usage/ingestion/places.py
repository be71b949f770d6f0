"""Find the period that a report belongs to, and whether its line was in service at that time."""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter

from django.conf import settings
from django.db import connection

from customers.models import Line, LineStatus, Subscription
from telcox.common.database.bulk import chunks, plain_literals
from usage.ingestion.values import Place
from usage.vocabulary import ZERO_RATED, RejectionReason

_ALLOWANCES = ("limit_bytes", "minutes_limit", "sms_limit")


@dataclass(slots=True)
class _Service:
    """Times in which a line was out of service: from `terminated_at` on, and in the intervals `suspended`, of
    which the last may be open."""

    status: str
    terminated_at: datetime | None
    suspended: list[tuple[datetime, datetime | None]] = field(default_factory=list)

    def refusal(self, occurred_at: datetime) -> RejectionReason | None:
        """Return why usage at that time is rejected, or None. A line that is out of service without a
        recorded start counts as always out of service."""
        if self.status == LineStatus.TERMINATED and (
            self.terminated_at is None or self.terminated_at <= occurred_at
        ):
            return RejectionReason.LINE_TERMINATED
        if self.status == LineStatus.SUSPENDED and all(end_at for _, end_at in self.suspended):
            return RejectionReason.LINE_SUSPENDED
        for start_at, end_at in self.suspended:
            if start_at <= occurred_at and (end_at is None or occurred_at < end_at):
                return RejectionReason.LINE_SUSPENDED
        return None


@dataclass(slots=True)
class _Line:
    """Line, with the `only` period to which its reports can belong. If there may be several, `periods` has
    them in order, each with its start: all of them or, if `reaches_back` (a period had started before all of
    the reports), those that had not expired before all of the reports. `service` is set if some usage may
    have happened while the line was out of service."""

    line_id: int
    only: Place | None
    reaches_back: bool
    periods: Sequence[tuple[datetime, Place]] = ()
    service: _Service | None = None


class Places:
    """Lines of some reports, read at once: the period and state of each number at each time."""

    def __init__(self, happened: Iterable[tuple[str, datetime]], at: datetime) -> None:
        self._latest = at + timedelta(seconds=settings.USAGE_FUTURE_SECONDS)
        earliest, phone_numbers = at, set()
        for phone_number, occurred_at in happened:
            phone_numbers.add(phone_number)
            if occurred_at < earliest:
                earliest = occurred_at
        self._lines = _lines(phone_numbers, earliest)

    def of(self, phone_number: str, occurred_at: datetime) -> Place | RejectionReason:
        """Return the last period that had started at that time, or the reason to reject the usage. Usage
        after a period has expired and before the next has started belongs to it, as in the original."""
        line = self._lines.get(phone_number)
        if line is None:
            return RejectionReason.UNKNOWN_LINE
        if line.only is None and not line.periods:
            return RejectionReason.NO_SUBSCRIPTION
        if line.service is not None and (refusal := line.service.refusal(occurred_at)):
            return refusal
        if occurred_at > self._latest:
            return RejectionReason.IN_FUTURE
        if line.only is not None:
            return line.only
        position = bisect_right(line.periods, occurred_at, key=itemgetter(0))
        return line.periods[position - 1][1] if position else RejectionReason.NO_SUBSCRIPTION


# Hand-written SQL, because the ORM needs more time to compile an IN of a thousand values than the database to
# answer it. It reads only periods that had not expired before all of the reports: usually one row of a line,
# however long its past, from a covering index (subscription_of_usage). The third column is true if the line
# may have been out of service at the time of a report: it is not active, or was resumed after the first of
# them.
_LINES = f"""
    SELECT line.phone_number, line.id, line.status <> '{LineStatus.ACTIVE.value}' OR line.resumed_at > %s,
           period.start_at <= %s, period.id, {", ".join(f"period.{column}" for column in _ALLOWANCES)},
           {" + ".join(f"{1 << bit} * period.{column}" for bit, column in enumerate(ZERO_RATED.values()))}
    FROM customers_line line
    LEFT JOIN customers_subscription period ON period.line_id = line.id AND period.expiration_at > %s
    WHERE line.phone_number IN ({{}})"""  # noqa: S608


def _lines(phone_numbers: Collection[str], earliest: datetime) -> dict[str, _Line]:
    """Return the lines by number. No report is from before `earliest`."""
    lines: dict[str, _Line] = {}
    interrupted = []
    since = connection.ops.adapt_datetimefield_value(earliest)
    with connection.cursor() as cursor:
        for chunk in chunks(list(phone_numbers)):
            cursor.execute(_LINES.format(plain_literals(chunk)), [since, since, since])
            for phone_number, line_id, out_of_service, begun, *period in cursor.fetchall():
                line = lines.get(phone_number)
                if line is None:
                    line = _Line(line_id, Place(*period) if begun else None, bool(begun))
                    lines[phone_number] = line
                    if out_of_service:
                        interrupted.append(line)
                else:
                    line.only = None
                    line.reaches_back |= bool(begun)
    several = [line for line in lines.values() if line.only is None]
    _read_periods([line for line in several if line.reaches_back], since=earliest)
    # For these lines, some usage may be from before all periods read so far: it may belong to an older,
    # expired one, so all periods are read.
    _read_periods([line for line in several if not line.reaches_back])
    _read_service(interrupted)
    return lines


def _read_periods(lines: Iterable[_Line], *, since: datetime | None = None) -> None:
    """Set `periods` of these lines: all periods, or those that had not expired at `since`."""
    by_id = {line.line_id: line for line in lines}
    columns = ("line_id", "start_at", "id", *_ALLOWANCES, *ZERO_RATED.values())
    for line_ids in chunks(list(by_id)):
        periods = Subscription.objects.filter(line__in=line_ids)
        if since:
            periods = periods.filter(expiration_at__gt=since)
        # Ordered by start and not by `sequence`, so that the covering index has all columns of the query.
        rows = periods.order_by("line_id", "start_at").values_list(*columns)
        for line_id, of_line in groupby(rows, key=itemgetter(0)):
            by_id[line_id].periods = [
                (
                    start_at,
                    Place(key, data, minutes, sms, sum(is_free << bit for bit, is_free in enumerate(free))),
                )
                for _, start_at, key, data, minutes, sms, *free in of_line
            ]


def _read_service(lines: Iterable[_Line]) -> None:
    by_id = {line.line_id: line for line in lines}
    for line_ids in chunks(list(by_id)):
        rows = Line.objects.filter(pk__in=line_ids).order_by()
        columns = ("pk", "status", "terminated_at", "suspensions__start_at", "suspensions__end_at")
        for line_id, status, terminated_at, start_at, end_at in rows.values_list(*columns):
            line = by_id[line_id]
            service = line.service = line.service or _Service(status, terminated_at)
            if start_at:
                service.suspended.append((start_at, end_at))
