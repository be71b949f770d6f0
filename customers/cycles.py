"""The length of a plan's full period (cycle).

Calculated in the operator's calendar, so that months of different lengths and daylight saving time neither
overlap periods nor leave gaps.
"""

from datetime import datetime, timedelta

from telcox.common.calendar import add_days, local_date, midnight


def full_period(*, validity_days: int, at: datetime) -> tuple[datetime, datetime]:
    """Return start and end of the full period that contains `at`.

    The period has `validity_days` days from `at`, and ends at the same time of day. With 0 it is the calendar
    month, from the midnight of its first day to that of the next month's.
    """
    if validity_days:
        return at, add_days(at, validity_days)
    first = local_date(at).replace(day=1)
    return midnight(first), midnight((first + timedelta(days=31)).replace(day=1))
