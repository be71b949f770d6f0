"""How long a plan's full period is. Reckoned in the operator's calendar, so that neither months of any length
nor clocks that change make two periods of one, or leave a gap."""

from datetime import datetime, timedelta

from telcox.common.calendar import add_days, local_date, midnight


def full_period(*, validity_days: int, at: datetime) -> tuple[datetime, datetime]:
    """From when until when: so many days from `at` on, at the same time of day; or, with 0, the month that
    `at` is in, from the midnight of its first day to that of the next month's."""
    if validity_days:
        return at, add_days(at, validity_days)
    first = local_date(at).replace(day=1)
    return midnight(first), midnight((first + timedelta(days=31)).replace(day=1))
