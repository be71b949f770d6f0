"""The length of a plan's full period (cycle).

Calculated in the operator's calendar, so that months of different lengths and daylight saving time neither
overlap periods nor leave gaps.
"""

from datetime import datetime, timedelta

from telcox.common.calendar import at_wall_clock, local_date, midnight, wall_clock


def full_period(
    *, validity_days: int, at: datetime, meant: datetime | None = None
) -> tuple[datetime, datetime]:
    """Return start and end of the full period that contains `at`.

    The period has `validity_days` days from `at`, and ends at the same time of day. If it begins later than
    it was meant to, because clocks were put forward, it ends at the time of day of `meant`, a local time
    without zone. With 0 it is the calendar month, from the midnight of its first day to that of the next
    month's.
    """
    if validity_days:
        return at, at_wall_clock((meant or wall_clock(at)) + timedelta(days=validity_days))
    first = local_date(at).replace(day=1)
    return midnight(first), midnight((first + timedelta(days=31)).replace(day=1))
