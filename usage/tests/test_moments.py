"""A moment has one reading, and the same one through every door."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage.ingestion.formats import read_json
from usage.ingestion.moments import moment_by_format, moment_of, rfc_3339
from usage.ingestion.reports import InvalidReport, UsageReport

pytestmark = pytest.mark.once

GUAYAQUIL = ZoneInfo("America/Guayaquil")
NEW_YORK = ZoneInfo("America/New_York")


def at(hour: int, minute: int = 0, second: int = 0, microsecond: int = 0) -> datetime:
    """On 24 November 2026 in Guayaquil."""
    offset = timezone(timedelta(hours=-5))
    return datetime(2026, 11, 24, hour, minute, second, microsecond, tzinfo=offset)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-24T10:00:00-05:00", at(10)),
        ("2026-11-24T15:00:00Z", at(10)),
        ("2026-11-24t15:00:00z", at(10)),
        ("2026-11-24 10:00:00", at(10)),
        ("2026-11-24 10:00:00 -05:00", at(10)),
        ("2026-11-24 10:00:00 -0500", at(10)),
        ("2026-11-24 10:00:00-05", at(10)),
        ("2026-11-24 15:00:00 UTC", at(10)),
        ("2026-11-24  10:00", at(10)),
        ("2026-11-24 10:00:00,5", at(10, microsecond=500_000)),
        ("2026/11/24 10:00:00", at(10)),
        ("2026.11.24 10:00:00", at(10)),
        ("2026/11/24 9:05", at(9, 5)),
        # With characters that look like those of a keyboard, as JDK 20 and word processors write them.
        ("2026-11-24\u00a010:00:00", at(10)),
        ("2026-11-24\u202f10:00:00", at(10)),
        ("2026-11-24T10:00:00\u221205:00", at(10)),
        ("\u200e2026-11-24 10:00", at(10)),
        # Without separators, as mediation systems write it: never 03:04:00.
        ("20261124003045-0500", at(0, 30, 45)),
        ("20261124153045-0500", at(15, 30, 45)),
        ("20261124053045Z", at(0, 30, 45)),
        ("20261124003045", at(0, 30, 45)),
        ("20261124003045.123", at(0, 30, 45, 123_000)),
        ("20261124003045.1234567-0500", at(0, 30, 45, 123_456)),
        ("20261124T003045", at(0, 30, 45)),
        ("20261124 00:30:45", at(0, 30, 45)),
        ("20261124 0030", at(0, 30)),
        # Since 1970.
        ("1795532400", at(10)),
        ("1795532400.5", at(10, microsecond=500_000)),
        ("1795532400.1234567", at(10, microsecond=123_456)),
        ("1795532400123", at(10, microsecond=123_000)),
        ("1795532400123456", at(10, microsecond=123_456)),
        ("1795532400123456789", at(10, microsecond=123_456)),
        # Finer than a microsecond: cut.
        ("2026-11-24T10:00:00.1234567-05:00", at(10, microsecond=123_456)),
        ("2026-11-24T23:59:59.9999999-05:00", at(23, 59, 59, 999_999)),
        # Leap seconds.
        ("2026-11-24T23:59:60Z", at(18, 59, 59, 999_999)),
        ("2026-11-24 18:59:60", at(18, 59, 59, 999_999)),
        ("20261124185960.5", at(18, 59, 59, 999_999)),
    ],
)
def test_known_forms_are_read(text: str, moment: datetime) -> None:
    assert moment_of(text, GUAYAQUIL) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "when",
        # Two readings: day or month first, hours or years first, morning or evening.
        "05/11/2026 10:00:00",
        "24/11/2026 10:00:00",
        "24-11-2026 10:00:00",
        "24.11.2026 10:00:00",
        "26/11/24 10:00:00",
        "202611240030",
        "261124003045",
        "2026-11-24 10:00:00 PM",
        "2026-11-24 10:00:00 p. m.",
        # No time of day: midnight would be a guess.
        "2026-11-24",
        "20261124",
        "2026-11-24T10",
        # Another character for the T, marks that do not match, other zones.
        "2026-11-24_10:00:00",
        "2026-11-24-10:00:00",
        "2026-11/24 10:00:00",
        "2026-11-24 10:00:00 ECT",
        "2026-11-24 10:00:00 EST",
        # Dates and times that do not exist.
        "2026-02-30 10:00:00",
        "2026-11-24 24:00:00",
        "2026-11-24 10:60:00",
        "20261324003045",
        "2026-11-24T10:00:00+24:00",
        "2026-11-24T10:00:00+05:60",
        # No leap second is there.
        "2026-11-24T12:30:60Z",
        "2026-11-24T23:59:60-05:00",
        "2026-11-24T23:59:61Z",
        # Numbers that are no moments: a phone number, a serial day of Excel, one rounded by Excel, tenths.
        "0969786985",
        "46350.41667",
        "1.7955324E+9",
        "17955324001",
        "179553240012",
        "-1795532400",
        "2026-11-24 10:00:00\x00",
        "٢٠٢٦-11-24T10:00:00Z",
    ],
)
def test_a_text_with_two_readings_or_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidReport):
        moment_of(text, GUAYAQUIL)


def test_a_local_time_needs_its_zone() -> None:
    with pytest.raises(InvalidReport, match="--time-zone"):
        moment_of("2026-11-24 10:00:00")


@pytest.mark.parametrize("text", ["2026-11-01 01:30:00", "2026-03-08 02:30:00", "20261101013000"])
def test_a_local_time_at_which_the_clocks_change_is_refused(text: str) -> None:
    """In New York 01:30 occurs twice on 1 November 2026, and 02:30 not at all on 8 March."""
    with pytest.raises(InvalidReport, match="clocks change"):
        moment_of(text, NEW_YORK)
    assert moment_of("2026-11-01 01:30:00-04:00", NEW_YORK) == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    assert moment_of("2026-11-01 02:30:00", NEW_YORK) == datetime(2026, 11, 1, 7, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "form", "moment"),
    [
        ("24/11/2026 10:00:00", "%d/%m/%Y %H:%M:%S", at(10)),
        ("11/24/26 10:00:00 PM", "%m/%d/%y %I:%M:%S %p", at(22)),
        ("261124003045", "%y%m%d%H%M%S", at(0, 30, 45)),
        ("24-Nov-2026 10:00:00.1234567", "%d-%b-%Y %H:%M:%S.%f", at(10, microsecond=123_456)),
        ("2026-11-24", "%Y-%m-%d", at(0)),
        ("2026-11-24 16:00:00 +0100", "%Y-%m-%d %H:%M:%S %z", at(10)),
        ("1/2/2026 3:04", "%d/%m/%Y %H:%M", datetime(2026, 2, 1, 8, 4, tzinfo=UTC)),
        ("20261124100000-0500", "%Y%m%d%H%M%S%z", at(10)),
        ("20261124100000123", "%Y%m%d%H%M%S%f", at(10, microsecond=123_000)),
        ("26328   100000", "%y%j %H%M%S", at(10)),
        ("24Nov2026 1000", "%d%b%Y %H%M", at(10)),
        # Cisco IOS. `strptime` reads the name of the zone and forgets it.
        ("15:00:00.123 UTC Tue Nov 24 2026", "%H:%M:%S.%f %Z %a %b %d %Y", at(10, microsecond=123_000)),
        ("2026-11-24 15:00:00 GMT", "%Y-%m-%d %H:%M:%S %Z", at(10)),
        ("24/11/2026 10:00:00 p. m.", "%d/%m/%Y %I:%M:%S %p", at(22)),
        ("24/11/2026 10:00:00 a.\u00a0m.", "%d/%m/%Y %I:%M:%S %p", at(10)),
        ("24/11/2026 10:00 P.M.", "%d/%m/%Y %I:%M %p", at(22)),
        ("24/11/2026 12:00am", "%d/%m/%Y %I:%M%p", at(0)),
        ("24/11/2026 18:59:60", "%d/%m/%Y %H:%M:%S", at(18, 59, 59, 999_999)),
        ("24/11/2026 18:59:60.5", "%d/%m/%Y %H:%M:%S.%f", at(18, 59, 59, 999_999)),
        ("20261124235960+0000", "%Y%m%d%H%M%S%z", at(18, 59, 59, 999_999)),
    ],
)
def test_another_form_is_read_as_the_caller_names_it(text: str, form: str, moment: datetime) -> None:
    assert moment_by_format(text, form, GUAYAQUIL) == moment
    with pytest.raises(InvalidReport):
        moment_by_format("2026-11-24T10:00:00", form, GUAYAQUIL)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        # Never 03:00:04, 03:04:05 or 10:03: a digit is missing, and it is unknown which.
        ("202611240304", "%Y%m%d%H%M%S"),
        ("2026112403045", "%Y%m%d%H%M%S"),
        ("2026112430405", "%Y%m%d%H%M%S"),
        ("261124 103", "%y%m%d %H%M"),
        ("1/2/2026 103", "%d/%m/%Y %H%M"),
        ("2632 100000", "%y%j %H%M%S"),
        ("20261124003075123", "%Y%m%d%H%M%S%f"),
        ("20261324100000", "%Y%m%d%H%M%S"),
        # The clocks of other zones are not known by a name.
        ("10:00:00 EST Tue Nov 24 2026", "%H:%M:%S %Z %a %b %d %Y"),
        ("2026-11-24 10:00:00 ", "%Y-%m-%d %H:%M:%S %Z"),
        ("24/11/2026 12:59:60", "%d/%m/%Y %H:%M:%S"),
        ("24/11/2026 18:59:61", "%d/%m/%Y %H:%M:%S"),
        ("24/11/2026 10:00:00 m.", "%d/%m/%Y %I:%M:%S %p"),
        ("24/11/2026 22:00:00 p. m.", "%d/%m/%Y %I:%M:%S %p"),
        ("0000-11-24 10:00:00", "%Y-%m-%d %H:%M:%S"),
    ],
)
def test_a_text_in_the_form_of_the_caller_is_not_guessed_either(text: str, form: str) -> None:
    with pytest.raises(InvalidReport, match=r"--format|exist"):
        moment_by_format(text, form, GUAYAQUIL)


@given(
    st.datetimes(min_value=datetime(2001, 9, 11), max_value=datetime(2060, 1, 1)),
    st.integers(0, 20),
    st.data(),
)
def test_a_compact_text_without_one_of_its_digits_is_refused(
    local: datetime, length: int, data: st.DataObject
) -> None:
    form = data.draw(st.sampled_from(["%Y%m%d%H%M%S", "%y%m%d%H%M", "%d%m%Y%H%M%S", "%Y%j%H%M"]))
    text = f"{local:{form}}"
    moment = moment_by_format(text, form, GUAYAQUIL)
    assert f"{moment:{form}}" == text
    at = length % len(text)
    with pytest.raises(InvalidReport):
        moment_by_format(text[:at] + text[at + 1 :], form, GUAYAQUIL)


@given(
    st.datetimes(min_value=datetime(2001, 9, 11), max_value=datetime(2260, 1, 1)),
    st.integers(0, 999),
    st.integers(-23 * 60, 23 * 60),
)
def test_every_door_reads_the_same_moment(local: datetime, nanoseconds: int, minutes: int) -> None:
    offset = timezone(timedelta(minutes=minutes))
    moment = local.replace(tzinfo=offset)
    hours, minutes = divmod(abs(minutes), 60)
    sign = "-" if offset.utcoffset(None) < timedelta() else "+"
    text = f"{local.isoformat(timespec='microseconds')}{nanoseconds:03}{sign}{hours:02}:{minutes:02}"
    in_json = (
        b'{"phone_number":"0969786985","category":"SMS","quantity":1,"occurred_at":"%s"}' % text.encode()
    )
    [report] = read_json(in_json)
    assert isinstance(report, UsageReport)
    compact = f"{local:%Y%m%d%H%M%S.%f}{nanoseconds:03}{sign}{hours:02}{minutes:02}"
    since_1970 = moment - datetime(1970, 1, 1, tzinfo=UTC)
    seconds = since_1970 // timedelta(seconds=1)
    fraction = f"{local.microsecond:06}{nanoseconds:03}"
    assert (
        report.occurred_at
        == rfc_3339(text)
        == moment_of(text)
        == moment_of(compact)
        == moment_of(f"{seconds}.{fraction}")
        == moment_of(f"{seconds}{fraction}")
        == moment
    )
