"""The operator's calendar: moments are stored in UTC, days are calculated in the local time zone
(TIME_ZONE)."""

from datetime import UTC, date, datetime, time, timedelta

from django.utils import timezone


def add_days(moment: datetime, days: int) -> datetime:
    """Return the same local time of day, `days` later, also across a change to or from daylight saving
    time."""
    return at_wall_clock(wall_clock(moment) + timedelta(days=days))


def wall_clock(moment: datetime) -> datetime:
    """Return what a local clock shows at this moment: a time without zone."""
    return _local(moment).replace(tzinfo=None, fold=0)


def at_wall_clock(shown: datetime) -> datetime:
    """Return the moment at which a local clock shows this, in UTC. If it shows it twice, because clocks are
    put back, the first; if never, because they are put forward, as much later as they are: 03:30 for 02:30.

    In UTC, since Python finds a local time that comes twice unequal to the same moment of any other zone
    (PEP 495).
    """
    return shown.replace(tzinfo=timezone.get_default_timezone(), fold=0).astimezone(UTC)


def skipped_time(moment: datetime) -> datetime | None:
    """Return the local time that no clock showed, and for which `at_wall_clock` gives this moment instead:
    02:30 for 03:30 where clocks were put forward an hour at 02:00. None at all other moments."""
    now, before = _local(moment).utcoffset(), _local(moment - timedelta(hours=3)).utcoffset()
    assert now is not None
    assert before is not None
    skipped = wall_clock(moment) - (now - before)
    return skipped if now > before and wall_clock(at_wall_clock(skipped)) != skipped else None


def local_date(moment: datetime) -> date:
    return _local(moment).date()


def midnight(day: date) -> datetime:
    """Return the start of the local day."""
    return datetime.combine(day, time.min, timezone.get_default_timezone())


def end_of_day(day: date) -> datetime:
    """Return the last moment of the local day."""
    # Subtracted in UTC: where clocks are put back at midnight, the last hour comes twice.
    return _local(midnight(day + timedelta(days=1)).astimezone(UTC) - timedelta(microseconds=1))


def due_until(at: datetime) -> datetime:
    """Return the moment up to which everything is due as of `at`: `at` itself, but for the last moment of a
    local day the midnight that follows, because what ends with a day is over at its end."""
    day = local_date(at)
    is_end = at.astimezone(UTC) == end_of_day(day).astimezone(UTC)
    return midnight(day + timedelta(days=1)) if is_end else at


def whole_second(moment: datetime) -> datetime:
    """Return the start of the moment's second. Service that begins is dated so, because many networks stamp
    usage to the second, without the fraction."""
    return moment.replace(microsecond=0)


def local_iso(moment: datetime) -> str:
    """Return the moment in ISO 8601, in local time with its offset, as answers have it."""
    return _local(moment).isoformat()


def _local(moment: datetime) -> datetime:
    """Convert to the operator's zone (TIME_ZONE), whatever zone is active, since money depends on it."""
    return timezone.localtime(moment, timezone.get_default_timezone())


class LocalDates:
    """Local dates of many moments, calculated once for each quarter of an hour. In no zone does a day begin,
    or the offset change, within a quarter (IANA time zones, since 1972)."""

    def __init__(self) -> None:
        self._known: dict[int, date] = {}

    def of(self, moment: datetime) -> date:
        quarter = int(moment.timestamp()) // 900
        known = self._known.get(quarter)
        if known is None:
            known = self._known[quarter] = local_date(moment)
        return known
