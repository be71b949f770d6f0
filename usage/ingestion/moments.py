"""Read moments (a date, a time, its offset) as networks write them. Pure.

A moment lies in the microsecond in which it began: finer digits are cut and never rounded, so that
23:59:59.9999999 stays on its day. A leap second is the last microsecond before it, because neither Python nor
the databases can hold one.

A text is read only if its form has one reading. 05/11/2026 could be May or November, and 202611240030 could
begin with the year 2026 or with the year 20: such texts are refused, and the caller has to name the form.
"""

import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from telcox.common.characters import plain_characters
from usage.ingestion.reports import InvalidReport

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# RFC 3339, section 5.6, with the freedoms that its notes give (a blank instead of T, small letters), and the
# offset without a colon, which has the same one reading.
_RFC_3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:?\d\d)", re.ASCII
)
_OFFSET = r"\s*([Zz]|UTC|GMT|[+-]\d\d(?::?\d\d)?)?"
# The form that most files have, read fast. Python's own reader, which cuts fractions, would take any
# character for the T, and `10:00:300Z`.
_USUAL = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d(?::?[0-5]\d)?)?", re.ASCII)
# ISO 8601 in the extended format, also with slashes or dots, without leading zeros, and without seconds.
_EXTENDED = re.compile(
    r"(\d{4})(?P<mark>[-/.])(\d\d?)(?P=mark)(\d\d?)(?:[Tt]|\s+)(\d\d?):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?"
    + _OFFSET,
    re.ASCII,
)
# ISO 8601 in the basic format. Seconds may only be missing if the time is set apart from the date.
_BASIC = re.compile(
    r"(\d{4})(\d\d)(\d\d)(?:(?:[Tt]|\s+)(\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?"
    r"|(\d\d)(\d\d)(\d\d)(?:[.,](\d+))?)" + _OFFSET,
    re.ASCII,
)
# Seconds since 1970 have ten digits from 2001 to 2286; milliseconds, microseconds and nanoseconds have three
# more each.
_SINCE_1970 = re.compile(r"([1-9]\d{9}(?:\d{3}|\d{6}|\d{9})?)(?:\.(\d+))?", re.ASCII)
_FINER_THAN_MICROSECONDS = re.compile(r"([.,]\d{6})\d+", re.ASCII)
# Directives of `strptime` for numbers, with all of their digits.
_DIGITS = {
    "%Y": r"\d{4}",
    "%y": r"\d\d",
    "%j": r"\d{3}",
    "%m": "(?:0[1-9]|1[0-2])",
    "%d": r"(?:0[1-9]|[12]\d|3[01])",
    "%H": r"(?:[01]\d|2[0-3])",
    "%I": "(?:0[1-9]|1[0-2])",
    "%M": r"[0-5]\d",
    "%S": r"(?:[0-5]\d|60)",
    "%f": r"\d{1,6}",
}
_DIRECTIVE = re.compile(r"(%.)", re.DOTALL)
# Spanish programs write `p. m.`, with a blank that does not break.
_HALF_OF_DAY = re.compile(r"\b([AP])\.?\s?M\b\.?", re.IGNORECASE)
_UTC = re.compile(r"\b(?:UTC|GMT|Z)\b")

_EXPECTED = (
    "Expected a time with one reading, such as 2026-11-24T10:00:00-05:00 (another form: --format)"
    " - at `$.occurred_at`"
)
_NO_OFFSET = "Expected a time with its offset (or --time-zone) - at `$.occurred_at`"
_CLOCK_CHANGE = (
    "At this local time the clocks change: it occurs twice or not at all. Write it with its offset"
    " - at `$.occurred_at`"
)
_NO_SUCH_TIME = "Expected a date and time that exist - at `$.occurred_at`"


def rfc_3339(text: str) -> datetime:
    """Return the moment of a date-time by RFC 3339, which has its offset. Raise InvalidReport."""
    if (found := _RFC_3339.fullmatch(text)) is None:
        raise InvalidReport("Invalid RFC3339 encoded datetime - at `$.occurred_at`")
    *parts, fraction, offset = found.groups()
    return _moment(parts, fraction, _zone(offset))


def moment_of(text: str, zone: ZoneInfo | None = None) -> datetime:
    """Return the moment of a text in one of the known forms; `zone` is that of times without an offset.

    Known: ISO 8601, extended or basic, also with slashes or dots between year, month and day; and seconds,
    milliseconds, microseconds or nanoseconds since 1970. Raise InvalidReport.
    """
    if _USUAL.fullmatch(text):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            pass  # a leap second, perhaps
        else:
            return moment if moment.tzinfo else _localized(moment, zone)
    text = plain_characters(text)
    if found := _EXTENDED.fullmatch(text):
        year, _, month, day, hour, minute, second, fraction, offset = found.groups()
    elif found := _BASIC.fullmatch(text):
        year, month, day, *times, offset = found.groups()
        hour, minute, second, fraction = times[:4] if times[0] else times[4:]
    elif found := _SINCE_1970.fullmatch(text):
        return _since_1970(found[1], found[2] or "")
    else:
        raise InvalidReport(_EXPECTED)
    return _moment((year, month, day, hour, minute, second or "0"), fraction, _zone(offset) or zone)


def moment_by_format(text: str, form: str, zone: ZoneInfo | None = None) -> datetime:
    """Return the moment of a text in the form of `strptime`, which would guess in two cases. Numbers with
    nothing between them have all of their digits: `%H%M%S` does not take `0304` for 03:00:04. And `%Z` is UTC
    or GMT: `strptime` forgets the name of the zone. Raise InvalidReport.
    """
    text, digits = _FINER_THAN_MICROSECONDS.sub(r"\1", text), _all_digits(form)
    if "%p" in form:
        text = _HALF_OF_DAY.sub(r"\1M", text)
    if "%Z" in form:
        text, form = _UTC.sub("+0000", text), form.replace("%Z", "%z")
    try:
        if digits is not None and not digits.fullmatch(text):
            raise ValueError("a number without all of its digits")
        try:
            moment = datetime.strptime(text, form)
        except ValueError:
            return _leap_second(text, form, zone)
    except ValueError as error:
        raise InvalidReport("Expected a time in the form of --format - at `$.occurred_at`") from error
    return moment if moment.tzinfo else _localized(moment, zone)


@lru_cache
def _all_digits(form: str) -> re.Pattern[str] | None:
    """Return what matches texts in which the numbers of the form that touch each other have all of their
    digits; None if no numbers touch each other."""
    parts = [part for part in _DIRECTIVE.split(form) if part]
    numbers = [part in _DIGITS for part in parts]
    touching = [
        is_number and True in (*numbers[max(at - 1, 0) : at], *numbers[at + 1 : at + 2])
        for at, is_number in enumerate(numbers)
    ]
    if True not in touching:
        return None
    return re.compile(
        "".join(
            _DIGITS[part]
            if touches
            else ".+?"
            if _DIRECTIVE.fullmatch(part)
            else re.sub(r"(?:\\\s)+", r"\\s+", re.escape(part))
            for part, touches in zip(parts, touching, strict=True)
        ),
        re.ASCII,
    )


def _leap_second(text: str, form: str, zone: tzinfo | None) -> datetime:
    """Return the moment of a leap second, which only `time` can read. Raise ValueError."""
    read = time.strptime(text, form)
    if read.tm_sec != 60:
        raise ValueError("not a time")
    if read.tm_gmtoff is not None:
        zone = timezone(timedelta(seconds=read.tm_gmtoff))
    return _moment(read[:6], None, zone)


def _moment(parts: Sequence[str | int], fraction: str | None, zone: tzinfo | None) -> datetime:
    year, month, day, hour, minute, second = map(int, parts)
    microsecond = int(fraction[:6].ljust(6, "0")) if fraction else 0
    leaps = second == 60
    if leaps:
        second, microsecond = 59, 999_999
    try:
        local = datetime(year, month, day, hour, minute, second, microsecond)
    except ValueError as error:
        raise InvalidReport(_NO_SUCH_TIME) from error
    moment = _localized(local, zone)
    if leaps and not _ends_day(local, moment):
        raise InvalidReport(_NO_SUCH_TIME)
    return moment


def _ends_day(local: datetime, moment: datetime) -> bool:
    """Return whether the next second begins a day in UTC, as after a leap second (RFC 3339, section 5.7)."""
    offset = moment.utcoffset()
    assert offset is not None
    of_day = timedelta(hours=local.hour, minutes=local.minute, seconds=local.second + 1)
    return (of_day - offset) % timedelta(days=1) == timedelta(0)


def _localized(moment: datetime, zone: tzinfo | None) -> datetime:
    """Return a local time in its zone. Raise InvalidReport if the clocks change then (PEP 495), because it is
    unknown which of the two offsets is meant."""
    if zone is None:
        raise InvalidReport(_NO_OFFSET)
    localized = moment.replace(tzinfo=zone)
    if isinstance(zone, ZoneInfo) and localized.utcoffset() != localized.replace(fold=1).utcoffset():
        raise InvalidReport(_CLOCK_CHANGE)
    return localized


def _zone(offset: str | None) -> tzinfo | None:
    if not offset:
        return None
    if offset[0] not in "+-":
        return UTC
    digits = offset[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 23 or minutes > 59:
        raise InvalidReport(_NO_SUCH_TIME)
    distance = timedelta(hours=hours, minutes=minutes)
    return timezone(-distance if offset[0] == "-" else distance)


def _since_1970(whole: str, fraction: str) -> datetime:
    # Ten digits are seconds: six more are microseconds.
    return _EPOCH + int((whole + fraction).ljust(16, "0")[:16]) * _MICROSECOND
