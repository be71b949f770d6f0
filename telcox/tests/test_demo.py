"""The first look: what `make run` prepares and prints."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from customers.models import Customer, Subscription
from telcox.backoffice.demo import seed_demo
from usage.models import UsageCounter, UsageEvent

pytestmark = pytest.mark.django_db

JESUS = "0969786985"
SEED = {
    "used_social_bytes": 2**20,
    "used_entertainment_bytes": 2**21,
    "used_system_updates_bytes": 0,
    "used_navigation_search_bytes": 2**19,
}


def test_the_seed_is_the_originals_line_also_years_after_the_fixtures_were_written(
    open_api: None, client: Client
) -> None:
    assert seed_demo(at=timezone.now() + timedelta(days=1000))
    snapshot = client.get(f"/api/customers/{JESUS}/usage").json()
    summary = client.get(f"/api/customers/{JESUS}/summary").json()
    assert snapshot["breakdown"] == SEED
    assert snapshot["expired"] is False
    assert (summary["balance_usd"], summary["minutes_remaining"]) == (12.75, 320)


def test_counters_are_the_sums_of_the_events_they_came_from() -> None:
    seed_demo(at=timezone.now() + timedelta(days=1000))
    for counter in UsageCounter.objects.all():
        events = UsageEvent.objects.filter(subscription=counter.subscription)
        assert counter.version == events.count()
        assert counter.total_bytes + counter.used_voice_seconds == sum(event.quantity for event in events)


def test_the_login_works_and_a_second_look_keeps_the_data(
    client: Client, capsys: pytest.CaptureFixture[str], settings
) -> None:
    settings.DEBUG = True
    call_command("demo", port=8123)
    assert "http://127.0.0.1:8123/admin/   back-office: demo / demo" in capsys.readouterr().out
    assert client.login(username="demo", password="demo")
    UsageCounter.objects.update(used_sms=7)
    call_command("demo")
    assert set(UsageCounter.objects.values_list("used_sms", flat=True)) == {7}


def test_in_production_the_password_is_nobodys_guess(
    client: Client, capsys: pytest.CaptureFixture[str], settings
) -> None:
    settings.DEBUG = settings.API_OPEN = False
    call_command("demo")
    out = capsys.readouterr().out
    assert not client.login(username="demo", password="demo")
    password = out.split("back-office: demo / ")[1].split()[0]
    assert client.login(username="demo", password=password)
    assert "Authorization: Token " in out
    call_command("demo")
    assert "(printed when it was created)" in capsys.readouterr().out


def test_a_database_with_customers_of_its_own_is_given_no_login_and_no_seed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Customer.objects.create(dni="1", full_name="Real Person")
    call_command("demo")
    assert not User.objects.exists()
    assert not Subscription.objects.exists()
    assert "demo /" not in capsys.readouterr().out
