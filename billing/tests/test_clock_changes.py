"""Plans of days keep their local time of day where clocks change."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import override_settings
from hypothesis import example, given
from hypothesis import strategies as st

from billing.sales.renewal import renew_subscriptions
from billing.sales.services import activate_subscription, schedule_plan_change
from billing.tests.builders import MakePlan, fresh, periods
from billing.verification import find_faults
from customers.models import Line
from telcox.common.calendar import (
    add_days,
    at_wall_clock,
    due_until,
    end_of_day,
    local_date,
    midnight,
    skipped_time,
    wall_clock,
)

ZONES = ["America/Guayaquil", "Europe/Madrid", "America/Santiago", "Australia/Lord_Howe", "America/Havana"]
RUN_AT = datetime(2028, 5, 1, tzinfo=UTC)


@pytest.fixture
def begun(seeded: None, line: Line, make_plan: MakePlan, settings: Any) -> Callable[..., list[str]]:
    """Sells a plan of so many days; returns when its periods begin, on the local clock."""
    Line.objects.exclude(pk=line.pk).update(auto_renew=False)

    def sell(zone: str, days: int, first: str, until: str) -> list[str]:
        settings.TIME_ZONE = zone
        plan = make_plan(f"{days}-days", validity_days=days)
        at = datetime.fromisoformat(first).replace(tzinfo=ZoneInfo(zone))
        activate_subscription(line=fresh(line), plan=plan, at=at)
        renew_subscriptions(at=datetime.fromisoformat(until).replace(tzinfo=ZoneInfo(zone)))
        assert not [fault for fault in find_faults() if line.phone_number in fault.of]
        found = periods(line)
        assert all(before.expiration_at == after.start_at for before, after in pairwise(found))
        return [f"{wall_clock(period.start_at):%m-%d %H:%M}" for period in found]

    return sell


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("zone", "days", "first", "until", "starts"),
    [
        # 02:30 is not on 29 March: clocks go from 02:00 to 03:00.
        ("Europe/Madrid", 7, "2026-03-22T02:30", "2026-04-13T00:00",
         ["03-22 02:30", "03-29 03:30", "04-05 02:30", "04-12 02:30"]),
        ("Europe/Madrid", 1, "2026-03-28T02:30", "2026-03-31T00:00",
         ["03-28 02:30", "03-29 03:30", "03-30 02:30"]),
        ("Europe/Madrid", 364, "2025-03-30T01:59", "2027-03-29T00:00",
         ["03-30 01:59", "03-29 01:59", "03-28 01:59"]),
        # 02:30 is twice on 25 October: the first counts.
        ("Europe/Madrid", 7, "2026-10-18T02:30", "2026-11-02T00:00",
         ["10-18 02:30", "10-25 02:30", "11-01 02:30"]),
        # Midnight itself is skipped.
        ("America/Santiago", 7, "2026-08-30T00:00", "2026-09-14T00:00",
         ["08-30 00:00", "09-06 01:00", "09-13 00:00"]),
        # By half an hour.
        ("Australia/Lord_Howe", 7, "2026-09-27T02:15", "2026-10-12T00:00",
         ["09-27 02:15", "10-04 02:45", "10-11 02:15"]),
        ("America/Guayaquil", 7, "2026-03-22T02:30", "2026-04-06T00:00",
         ["03-22 02:30", "03-29 02:30", "04-05 02:30"]),
    ],
)  # fmt: skip
def test_periods_begin_at_the_time_of_day_of_the_first_or_if_there_is_none_right_after(
    begun: Callable[..., list[str]], zone: str, days: int, first: str, until: str, starts: list[str]
) -> None:
    assert begun(zone, days, first, until) == starts


@pytest.mark.django_db
def test_two_periods_in_a_row_whose_time_is_skipped(
    begun: Callable[..., list[str]], line: Line, make_plan: MakePlan
) -> None:
    """52 weeks after the day on which clocks go forward they often do so again."""
    begun("Europe/Madrid", 7, "2026-03-22T02:30", "2026-03-23T00:00")
    zone = ZoneInfo("Europe/Madrid")
    year, week = make_plan("year", validity_days=364), make_plan("another-week", validity_days=7)
    schedule_plan_change(line=fresh(line), plan=year, at=datetime(2026, 3, 23, tzinfo=zone))
    renew_subscriptions(at=datetime(2026, 3, 30, tzinfo=zone))
    renew_subscriptions(at=datetime(2027, 3, 29, tzinfo=zone))
    schedule_plan_change(line=fresh(line), plan=week, at=datetime(2027, 3, 30, tzinfo=zone))
    renew_subscriptions(at=datetime(2028, 4, 5, tzinfo=zone))
    starts = [f"{wall_clock(period.start_at):%Y-%m-%d %H:%M}" for period in periods(line)]
    assert starts == [
        "2026-03-22 02:30",
        "2026-03-29 03:30",
        "2027-03-28 03:30",
        "2028-03-26 03:30",
        "2028-04-02 02:30",
    ]


moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))


@given(at=moments, days=st.integers(1, 400), zone=st.sampled_from(ZONES))
@example(at=datetime(2026, 3, 22, 1, 30, tzinfo=UTC), days=7, zone="Europe/Madrid")
def test_days_later_a_clock_shows_the_same_time_or_skips_it(at: datetime, days: int, zone: str) -> None:
    with override_settings(TIME_ZONE=zone):
        later, shown = add_days(at, days), wall_clock(at) + timedelta(days=days)
        assert wall_clock(later) == shown or skipped_time(later) == shown
        assert at_wall_clock(wall_clock(later)).astimezone(UTC) <= later.astimezone(UTC)


@given(at=moments, zone=st.sampled_from(ZONES))
def test_a_day_ends_where_the_next_begins(at: datetime, zone: str) -> None:
    with override_settings(TIME_ZONE=zone):
        day = local_date(at)
        last = end_of_day(day)
        assert local_date(last) == day
        assert due_until(last).astimezone(UTC) - last.astimezone(UTC) == timedelta(microseconds=1)
        assert local_date(due_until(last)) == day + timedelta(days=1)
        assert due_until(at) == at or at == last


def test_a_day_that_ends_in_an_hour_that_comes_twice_ends_with_the_second(settings: Any) -> None:
    settings.TIME_ZONE = "America/Santiago"  # clocks go back at the end of 4 April 2026
    length = midnight(date(2026, 4, 5)).astimezone(UTC) - midnight(date(2026, 4, 4)).astimezone(UTC)
    assert length == timedelta(hours=25)
    assert end_of_day(date(2026, 4, 4)).astimezone(UTC) == datetime(
        2026, 4, 5, 3, 59, 59, 999_999, tzinfo=UTC
    )
