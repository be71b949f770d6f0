"""A day that is interrupted, or run in many places: on a real database, by processes that are killed."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from billing.daily import run_day
from billing.models import Invoice, InvoiceSeries
from billing.sales.services import activate_subscription, change_plan
from billing.tests.builders import moment
from billing.tests.outcome import outcome
from billing.wallets import adjust_wallet
from customers.models import Customer, Line, LineEvent, Plan, Subscription
from telcox.common.errors import DomainError
from telcox.common.money import cents
from telcox.testing.databases import manage, manage_and_kill
from telcox.testing.rows import Contents
from telcox.testing.threads import in_threads

LINES = 200
BEGIN, AT = moment("2026-09-01 12:00"), moment("2026-12-10")

pytestmark = [pytest.mark.processes, pytest.mark.mariadb, pytest.mark.django_db(transaction=True)]


@transaction.atomic
def an_operator() -> None:
    """Lines of all kinds, three periods behind; some of the prepaid ones can pay one period, some none."""
    call_command("loaddata", "catalogue", verbosity=0)
    InvoiceSeries.objects.get_or_create(
        prefix="001-001"
    )  # not there any more after another test of this kind
    plans = list(Plan.objects.filter(product_type="MOVIL", on_sale=True).order_by("code"))
    customer = Customer.objects.create(dni="0900000000", full_name="Somebody")
    for number in range(LINES):
        line = Line.objects.create(
            customer=customer,
            phone_number=f"09{number:08d}",
            product_type="MOVIL",
            prepaid=number % 4 == 0,
        )
        plan = plans[number % len(plans)]
        if line.prepaid:
            money = cents(plan.price * (1 + number % 3) * Decimal("1.15") + 1)
            adjust_wallet(line=line, amount=money, reference=f"money-{number}", at=BEGIN)
        activate_subscription(line=line, plan=plan, at=BEGIN + timedelta(hours=number % 48))


@pytest.fixture
def database(settings: Any) -> dict[str, str]:
    """For processes that work on the database of this test."""
    of_test = connection.settings_dict
    address = f"{of_test['USER']}:{of_test['PASSWORD']}@{of_test['HOST']}:{of_test['PORT']}/{of_test['NAME']}"
    return {"DATABASE_URL": f"mysql://{address}"}


def assert_numbers_have_no_gap() -> None:
    numbers = list(Invoice.objects.order_by("number").values_list("number", flat=True))
    assert numbers == list(range(1, len(numbers) + 1))
    assert InvoiceSeries.objects.get(prefix="001-001").last_number == len(numbers)


def test_killed_again_and_again_it_comes_to_the_same(
    database: dict[str, str], django_db_setup: Contents
) -> None:
    an_operator()
    run_day(at=AT)
    undisturbed = outcome()
    django_db_setup.flush()
    an_operator()
    command = ("run_day", "--date", "2026-12-09", "--ahead")
    chosen = random.Random(7)

    def are_issued(enough: int) -> bool:
        return Invoice.objects.count() >= enough

    killed = 0
    for _ in range(8):
        enough = Invoice.objects.count() + chosen.randint(1, 60)
        killed += manage_and_kill(database, *command, when=partial(are_issued, enough))
    assert killed
    with ThreadPoolExecutor() as both:
        list(both.map(lambda _: manage(database, *command), range(2)))
    assert outcome() == undisturbed
    assert_numbers_have_no_gap()


def test_run_in_eight_places_at_once_it_comes_to_the_same() -> None:
    an_operator()
    runs = in_threads(lambda _: run_day(at=AT), range(8), threads=8)
    assert sum(run.begun for run in runs) == Subscription.objects.filter(sequence__gt=1).count()
    assert sum(run.invoices for run in runs) == Invoice.objects.count()
    assert not Subscription.objects.to_bill().ended(AT).exists()
    assert_numbers_have_no_gap()


def test_of_two_changes_at_once_one_wins_and_the_other_is_told(committed: None) -> None:
    line = Line.objects.get(phone_number="0969786985")
    plans = list(Plan.objects.filter(product_type="MOVIL", on_sale=True).exclude(code="movil-30"))

    def change(plan: Plan) -> str:
        try:
            change_plan(line=line, plan=plan, at=moment("2026-12-05"))
        except DomainError as refusal:
            return refusal.reason
        return "changed"

    results = in_threads(change, plans[:4], threads=4)
    assert sorted(results) == ["changed", *["changed_meanwhile"] * 3]
    assert line.subscriptions.count() == 2
    assert LineEvent.objects.filter(line=line, step="CHANGE_PLAN").count() == 1
