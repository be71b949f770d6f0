"""The operator's calendar: moments are stored in UTC, days are calculated in the local time zone
(TIME_ZONE)."""

from datetime import date, datetime, time, timedelta

from django.utils import timezone


def add_days(moment: datetime, days: int) -> datetime:
    """Return the same local time of day, `days` later, also across a change to or from daylight saving
    time."""
    return _local(moment) + timedelta(days=days)


def local_date(moment: datetime) -> date:
    return _local(moment).date()


def midnight(day: date) -> datetime:
    """Return the start of the local day."""
    return datetime.combine(day, time.min, timezone.get_default_timezone())


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
