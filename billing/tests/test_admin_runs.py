"""Billing runs and bills set aside, as staff's browsers ask for them."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from billing.admin.runs import format_duration
from billing.daily import run_day
from billing.models import BillingRun, Invoice, ParkedBill, RunState
from billing.runs.running import bill_open_chunks, start_run
from billing.sales.services import activate_subscription
from billing.tasks import bill_run
from billing.tests.builders import MakePlan, moment, use
from customers.models import Line, Subscription
from telcox.testing.office import new, rows, somebody_of, take, told, url

AT = moment("2026-11-02 12:00")

pytestmark = pytest.mark.django_db


@pytest.fixture
def clerk(seeded: None) -> Client:
    return somebody_of("Facturación")


@pytest.fixture
def used_much(clerk: Client, line: Line, make_plan: MakePlan) -> Subscription:
    """The only period there is to bill: October, for more than 500 dollars."""
    Subscription.objects.update(unbilled=None)
    plan = make_plan("monthly", validity_days=0, overage_price_per_gb="2.00")
    period = activate_subscription(line=line, plan=plan, at=moment("2026-10-01"))
    use(line, 300, moment("2026-10-02"))
    return period


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The tasks that would be done in the background."""
    tasks: list[Any] = []
    monkeypatch.setattr("billing.admin.runs.in_background", lambda task, *given: tasks.append((task, *given)))
    return tasks


def add(clerk: Client, period: str = "2026-10") -> BillingRun:
    clerk.post(new(BillingRun), {"period": period})
    return BillingRun.objects.get()


def test_a_run_is_rehearsed_started_stopped_and_resumed(
    clerk: Client, used_much: Subscription, sent: list[Any]
) -> None:
    run = add(clerk)
    assert run.state == RunState.NEW
    take(clerk, run, "rehearse")
    [(task, key)] = sent
    task(key)
    page = clerk.get(url(run)).content.decode()
    assert used_much.line.phone_number in page
    assert "data-refresh" not in page
    for step, state in (("start", "RUNNING"), ("stop", "STOPPED"), ("resume", "RUNNING")):
        take(clerk, run, step)
        run.refresh_from_db()
        assert run.state == state
        assert ("data-refresh" in clerk.get(url(run)).content.decode()) == (state == "RUNNING")
    assert sent[1:] == [(bill_run, run.pk)] * 2
    for _ in bill_open_chunks(run=run):
        pass
    run.refresh_from_db()
    assert (run.state, run.started_by, run.parked.count()) == (RunState.DONE, "Facturación", 1)


def test_who_starts_it_a_second_time_is_told_by_whom_and_how_far(
    clerk: Client, used_much: Subscription, sent: list[Any]
) -> None:
    run = add(clerk)
    start_run(period="2026-10", at=AT, by="ana")
    *_, message = told(take(clerk, run, "start"))
    assert "2026-10 is already being billed: started by ana on" in message
    assert message.endswith("0 of 1 done")
    assert not sent


def test_a_period_that_is_none_is_told_at_the_form(clerk: Client) -> None:
    for period in ("2026-13", "2999-01", ""):
        clerk.post(new(BillingRun), {"period": period})
    assert not BillingRun.objects.exists()


def test_what_changes_of_the_page_is_asked_for_alone(clerk: Client, used_much: Subscription) -> None:
    run = add(clerk)
    address = reverse("admin:billing_billingrun_progress", args=[run.pk])
    start_run(period="2026-10", at=AT)
    assert "0 / 1" in clerk.get(address).content.decode()
    for _ in bill_open_chunks(run=run):
        pass
    page = clerk.get(address).content.decode()
    assert "1 / 1" in page
    assert "data-refresh" not in page
    assert somebody_of("Atención al cliente").get(address).status_code == 403
    assert clerk.get(reverse("admin:billing_billingrun_progress", args=[0])).status_code == 404


def test_a_bill_set_aside_is_looked_at_and_billed(clerk: Client, used_much: Subscription) -> None:
    run_day(at=AT)
    parked = ParkedBill.objects.get()
    assert used_much.line.phone_number in clerk.get(rows(ParkedBill) + "?waiting=yes").content.decode()
    assert url(used_much) in clerk.get(url(parked)).content.decode()
    [refused] = told(take(clerk, parked, "bill"))
    assert refused == "More than 500 dollars"
    assert not Invoice.objects.filter(subscription=used_much).exists()
    take(clerk, parked, "approve")
    assert Invoice.objects.get(subscription=used_much).total > 500
    assert used_much.line.phone_number not in clerk.get(rows(ParkedBill) + "?waiting=yes").content.decode()


def test_one_that_is_released_is_left_to_the_next_run(clerk: Client, used_much: Subscription) -> None:
    run_day(at=AT)
    take(clerk, ParkedBill.objects.get(), "release")
    assert not ParkedBill.objects.waiting().exists()
    assert used_much.line.phone_number in clerk.get(rows(ParkedBill) + "?waiting=no").content.decode()


def test_time_is_told_as_people_tell_it() -> None:
    assert [format_duration(each) for each in (0.4, 59.6, 125, 7_260)] == [
        "0 s",
        "1 min 0 s",
        "2 min 5 s",
        "2 h 1 min",
    ]
