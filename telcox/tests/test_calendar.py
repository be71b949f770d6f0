"""The operator's calendar, wherever the operator is."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telcox.common.calendar import LocalDates, local_date

pytestmark = pytest.mark.once

# Whole, half and quarter hours; daylight saving of one hour and of half an hour; a day that was left out.
ZONES = [
    "America/Guayaquil",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Europe/Madrid",
    "Pacific/Apia",
    "America/St_Johns",
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    zone=st.sampled_from(ZONES),
    moments=st.lists(
        st.datetimes(datetime(1972, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC)), min_size=1
    ),
)
def test_many_local_dates_are_those_of_each_moment(
    monkeypatch: Any, zone: str, moments: list[datetime]
) -> None:
    monkeypatch.setattr("django.utils.timezone.get_default_timezone", lambda: ZoneInfo(zone))
    dates = LocalDates()
    assert [dates.of(moment) for moment in moments] == [local_date(moment) for moment in moments]
    nearby = [moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0) for moment in moments]
    assert [dates.of(moment) for moment in nearby] == [local_date(moment) for moment in nearby]
