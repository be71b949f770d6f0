"""The operator's calendar: stored in UTC, reckoned in the local time zone."""

from datetime import date, datetime, time, timedelta

from django.utils import timezone


def add_days(moment: datetime, days: int) -> datetime:
    """The same local time of day, `days` later: a day in which clocks change is still one day."""
    return _local(moment) + timedelta(days=days)


def local_date(moment: datetime) -> date:
    return _local(moment).date()


def midnight(day: date) -> datetime:
    """When the day begins; what happened before it, by `local_date`, happened on an earlier day."""
    return datetime.combine(day, time.min, timezone.get_default_timezone())


def local_iso(moment: datetime) -> str:
    """ISO 8601 in local time with its offset, as answers carry it."""
    return _local(moment).isoformat()


def _local(moment: datetime) -> datetime:
    """In the operator's zone (TIME_ZONE), whatever zone is active: money depends on it."""
    return timezone.localtime(moment, timezone.get_default_timezone())


class LocalDates:
    """The local dates of many moments, each quarter of an hour reckoned once: no zone's day begins, and no
    zone's clocks change, between two of them (IANA time zones, since 1972)."""

    def __init__(self) -> None:
        self._known: dict[int, date] = {}

    def of(self, moment: datetime) -> date:
        quarter = int(moment.timestamp()) // 900
        known = self._known.get(quarter)
        if known is None:
            known = self._known[quarter] = local_date(moment)
        return known
