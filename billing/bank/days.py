"""Days as banks write them. No database, no clock, no settings."""

import re
import unicodedata
from collections.abc import Iterable
from datetime import date, timedelta
from functools import lru_cache

from billing.bank.amounts import straight
from billing.bank.values import RowFault, Unreadable

# A value date may lie some days ahead, over a weekend and holidays. What is later, or earlier than this, is a
# typing error, and would be a payment of a year that no export has.
DAYS_AHEAD = timedelta(days=7)
DAYS_BACK = timedelta(days=5 * 366)

_MONTHS = {
    name: month
    for month, written in enumerate(
        (
            "ene enero jan january",
            "feb febrero february",
            "mar marzo march",
            "abr abril apr april",
            "may mayo",
            "jun junio june",
            "jul julio july",
            "ago agosto aug august",
            "sep septiembre set setiembre sept september",
            "oct octubre october",
            "nov noviembre november",
            "dic diciembre dec december",
        ),
        start=1,
    )
    for name in written.split()
}
_NAME = "(?P<name>[a-z]{3,10})"
# A time of day, or anything else but a second day.
_AFTER = "(?:[ ,t](?!.*[0-9][/-][0-9]{1,2}[/-][0-9]).*)?"
_NUMBERS = re.compile(
    rf"(?P<first>[0-9]{{1,2}})(?P<by>[/. -])(?P<second>[0-9]{{1,2}})(?P=by)"
    rf"(?P<year>20[0-9]{{2}}|[0-9]{{2}}){_AFTER}"
)
_FORMS = (
    re.compile(
        rf"(?P<year>20[0-9]{{2}})(?P<by>[/.-]?)(?P<month>[0-9]{{2}})(?P=by)(?P<day>[0-9]{{2}}){_AFTER}"
    ),
    re.compile(rf"(?P<year>20[0-9]{{2}})[/. -]{_NAME}[/. -](?P<day>[0-9]{{1,2}}){_AFTER}"),
    re.compile(rf"(?P<day>[0-9]{{1,2}})[/. -]?{_NAME}[/. -]?(?P<year>20[0-9]{{2}}|[0-9]{{2}}){_AFTER}"),
    re.compile(rf"{_NAME} (?P<day>[0-9]{{1,2}})(?:st|nd|rd|th)? (?P<year>20[0-9]{{2}}){_AFTER}"),
)
_WEEKDAY = re.compile(r"\A(?:lun|mar|mie|jue|vie|sab|dom|mon|tue|wed|thu|fri|sat|sun)[a-z]*[.,]* +(?=\w)")


@lru_cache(maxsize=1024)
def read_day(text: str, *, month_first: bool = False) -> date:
    """Return the date; a time of day after it is ignored. It begins with the day, the year, or a month's name
    in Spanish or English, or with the month's number if `month_first`. Raise Unreadable."""
    bare = _bare(text)
    for written in (bare, _WEEKDAY.sub("", bare, count=1)):
        if found := _NUMBERS.fullmatch(written):
            pair = (found["first"], found["second"])
            day, month = reversed(pair) if month_first else pair
            return _date(found["year"], month, day)
        for form in _FORMS:
            if found := form.fullmatch(written):
                parts = found.groupdict()
                return _date(parts["year"], parts.get("month") or _MONTHS.get(parts["name"], 0), parts["day"])
    raise Unreadable(RowFault.NO_DAY)


def check_day(day: date, today: date) -> None:
    """Raise Unreadable if no transfer that is imported `today` can be of this day."""
    if not today - DAYS_BACK <= day <= today + DAYS_AHEAD:
        raise Unreadable(RowFault.WRONG_DAY)


def is_day(text: str) -> bool:
    return any(_can_be_read(text, month_first) for month_first in (False, True))


def month_is_first(days: Iterable[str]) -> bool:
    """Return whether the days of one column can only be read with the month first, as in the United States:
    some have a second number above 12, and none a first one."""
    pairs = [
        (int(found["first"]), int(found["second"]))
        for text in days
        if (found := _NUMBERS.fullmatch(_bare(text)))
    ]
    return any(second > 12 for _first, second in pairs) and all(first <= 12 for first, _second in pairs)


def _can_be_read(text: str, month_first: bool) -> bool:
    try:
        read_day(text, month_first=month_first)
    except Unreadable:
        return False
    return True


def _bare(text: str) -> str:
    """Return `28 noviembre 2026` for `28 de Noviembre de 2026`, and `nov 28 2026` for `Nov. 28, 2026`."""
    letters = unicodedata.normalize("NFKD", straight(text).casefold())
    bare = "".join(each for each in letters if not unicodedata.combining(each))
    return re.sub(r"(?<=[a-z])\.(?=[ /-]|\Z)|(?<=[0-9]),(?= [0-9]{4})", "", bare.replace(" de ", " "))


def _date(year: str, month: str | int, day: str) -> date:
    try:
        return date(2000 + int(year) % 100, int(month), int(day))
    except ValueError as error:
        raise Unreadable(RowFault.NO_DAY) from error
