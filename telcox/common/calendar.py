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


def spoken(moment: datetime) -> str:
    """ISO 8601 in local time with its offset, as answers carry it."""
    return _local(moment).isoformat()


def _local(moment: datetime) -> datetime:
    """In the operator's zone (TIME_ZONE), whatever zone is active: money depends on it."""
    return timezone.localtime(moment, timezone.get_default_timezone())
