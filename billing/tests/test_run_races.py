"""Two who start a run at once, and a run billed in many places: on a real database."""

import os
import subprocess
import sys
from threading import Barrier
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models import QuerySet

from billing.models import BillingRun, Invoice, ParkedBill, RunState
from billing.runs.figures import figures_of
from billing.runs.running import bill_open_chunks, is_under_way, start_run
from billing.tests.builders import moment
from billing.tests.months import an_operator
from customers.models import Subscription
from telcox.common.database import retrying
from telcox.common.database.batches import in_chunks
from telcox.common.errors import DomainError
from telcox.testing.processes import ROOT, wait_until
from telcox.testing.threads import in_threads

pytestmark = [pytest.mark.mariadb, pytest.mark.django_db(transaction=True)]

AT = moment("2020-02-01 04:00")
LINES = 300


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> None:
    an_operator(lines=LINES, months_each=1)
    monkeypatch.setattr("billing.runs.running.in_chunks", small_chunks)


def small_chunks(periods: Any, key: str) -> Any:
    return in_chunks(periods, key, 20)


def start(by: str) -> str:
    try:
        start_run(period="2020-01", at=AT, by=by)
    except DomainError as refusal:
        return refusal.reason
    except (IntegrityError, OperationalError):  # without the lock: the same chunks twice, or a deadlock
        return "collided"
    return "started"


def test_of_many_who_start_it_at_once_one_does_and_the_others_are_told(lines: None) -> None:
    results = in_threads(start, [f"person {number}" for number in range(8)], threads=8)
    assert sorted(results) == [*["run_under_way"] * 7, "started"]


def test_control_without_the_lock_several_plan_it(lines: None, monkeypatch: pytest.MonkeyPatch) -> None:
    BillingRun.objects.create(period="2020-01")
    all_have_looked = Barrier(8, timeout=60)

    def looked(run: BillingRun) -> bool:
        under_way = is_under_way(run)
        all_have_looked.wait()
        return under_way

    monkeypatch.setattr(QuerySet, "select_for_update", lambda self, **_: self)
    monkeypatch.setattr("billing.runs.running.is_under_way", looked)
    monkeypatch.setattr(retrying, "PATIENCE", -1.0)
    results = in_threads(start, [f"person {number}" for number in range(8)], threads=8)
    assert results.count("run_under_way") == 0


def test_billed_in_eight_places_at_once_each_period_has_one_invoice(lines: None) -> None:
    run = start_run(period="2020-01", at=AT)
    done = in_threads(lambda _: sum(chunk.size for chunk in bill_open_chunks(run=run)), range(8), threads=8)
    run.refresh_from_db()
    assert (run.state, sum(done)) == (RunState.DONE, LINES)
    figures = figures_of(run)
    assert figures.invoices == Invoice.objects.count() == LINES - ParkedBill.objects.count()
    assert figures.parked == ParkedBill.objects.count() > 0
    assert not Subscription.objects.to_bill().exclude(parked__is_open=True).exists()
    numbers = list(Invoice.objects.order_by("number").values_list("number", flat=True))
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.processes
def test_of_two_commands_at_once_one_runs_and_the_other_is_told() -> None:
    an_operator(lines=50, months_each=1)
    Subscription.objects.update(discounts=[])  # none is broken
    of_test = connection.settings_dict
    address = f"{of_test['USER']}:{of_test['PASSWORD']}@{of_test['HOST']}:{of_test['PORT']}/{of_test['NAME']}"
    env = {**os.environ, "DATABASE_URL": f"mysql://{address}", "BILLING_SUSPICIOUS_USD": "0"}
    command = [sys.executable, "manage.py", "bill_period", "2020-01", "--workers", "2"]
    with transaction.atomic():
        list(Subscription.objects.select_for_update())  # the first gets no further than this
        both = [
            subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for _ in range(2)
        ]
        wait_until(lambda: any(each.poll() is not None for each in both), 60, "one of them is told")
    said = {each.wait(60): each.communicate() for each in both}
    assert said.keys() == {0, 1}
    assert b"(manage.py)" in said[1][1]
    assert b"50 invoice(s)" in said[0][0]
    assert Invoice.objects.count() == 50
