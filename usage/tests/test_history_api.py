"""What a line used, by day and by month."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from billing.sales.renewal import renew_subscriptions
from customers.models import Customer
from usage.ingestion.reports import UsageReport
from usage.services import take_usage

pytestmark = pytest.mark.django_db

JESUS = "0969786985"
MIDNIGHT = datetime(2026, 12, 1, 5, 0, tzinfo=UTC)  # in Guayaquil: the first of December begins


def path(phone_number: str = JESUS, **query: str) -> str:
    return f"/api/customers/{phone_number}/usage/history?" + "&".join(f"{k}={v}" for k, v in query.items())


@pytest.fixture
def used(seeded: None, open_api: None) -> None:
    """On two days of two months, and in another period."""
    later = MIDNIGHT + timedelta(days=40)
    renew_subscriptions(at=later)
    moments = [MIDNIGHT - timedelta(seconds=1), MIDNIGHT, MIDNIGHT + timedelta(hours=3), later]
    reports = [
        UsageReport(JESUS, "SOCIAL" if n % 2 else "VOICE", 10 + n, occurred_at=at)
        for n, at in enumerate(moments)
    ]
    assert take_usage(reported=reports, at=later).applied == 4


def shown(answer: Any) -> dict[str, dict[str, int]]:
    assert answer.status_code == 200, answer.content
    return {
        item.pop("period"): {name: amount for name, amount in item.items() if amount}
        for item in answer.json()["items"]
    }


def test_days_of_the_local_calendar(used: None, client: Client) -> None:
    answer = client.get(path(**{"from": "2026-11-24", "to": "2027-01-31"}))
    assert shown(answer) == {
        "2026-11-30": {"used_voice_seconds": 10},
        "2026-12-01": {"used_social_bytes": 11, "used_voice_seconds": 12, "total_bytes": 11},
        "2027-01-10": {"used_social_bytes": 13, "total_bytes": 13},
    }
    assert {name: answer.json()[name] for name in ("phone_number", "from", "to", "granularity")} == {
        "phone_number": JESUS,
        "from": "2026-11-24",
        "to": "2027-01-31",
        "granularity": "day",
    }


def test_months(used: None, client: Client) -> None:
    answer = client.get(path(**{"from": "2026-12-01", "to": "2027-01-31", "granularity": "month"}))
    assert shown(answer) == {
        "2026-12": {"used_social_bytes": 11, "used_voice_seconds": 12, "total_bytes": 11},
        "2027-01": {"used_social_bytes": 13, "total_bytes": 13},
    }


def test_without_a_beginning_it_is_thirty_days(used: None, client: Client) -> None:
    answer = client.get(path(to="2026-12-29"))
    assert answer.json()["from"] == "2026-11-30"
    assert set(shown(answer)) == {"2026-11-30", "2026-12-01"}


def test_it_costs_the_same_queries_however_long_it_is(
    used: None, client: Client, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(2):
        client.get(path(to="2026-11-01"))
    with django_assert_num_queries(2):
        client.get(path(**{"from": "2026-11-01", "to": "2027-06-30"}))


@pytest.mark.parametrize(
    "query",
    [
        {"from": "yesterday"},
        {"to": "2026-02-30"},
        {"granularity": "hour"},
        {"from": "2026-12-02", "to": "2026-12-01"},
        {"from": "2020-01-01", "to": "2026-12-01"},
        {"to": "0001-01-01"},
        {"from": "9999-12-31", "to": "9999-12-31"},
        {"from": "a%00b"},
    ],
    ids=str,
)
def test_nonsense_is_refused(used: None, client: Client, query: dict[str, str]) -> None:
    answer = client.get(path(**query))
    assert answer.status_code == 422
    assert answer.json()["errors"]


def test_nobodys_number_is_not_found_and_neither_is_somebody_elses(
    used: None, client: Client, settings: Any
) -> None:
    assert client.get(path("0999999999")).status_code == 404
    settings.API_OPEN = False
    other = Customer.objects.exclude(lines__phone_number=JESUS).first()
    assert other is not None
    other.user = User.objects.create_user("other")
    other.save()
    client.force_login(other.user)
    assert client.get(path()).status_code == 404
    assert client.get(path(other.lines.get().phone_number)).status_code == 200
