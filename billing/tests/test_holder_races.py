"""Changes of a line's holder beside what else happens to the line, each over a connection of its own."""

from collections.abc import Callable
from threading import Barrier
from typing import Any

import pytest

from billing.daily import run_day
from billing.models import Invoice, InvoiceSeries
from billing.sales.holders import change_holder
from billing.tests.builders import fresh, leave_other_lines_alone, moment, periods, sold
from billing.verification import find_faults
from customers.models import Customer, HolderChange, Line
from telcox.common.errors import DomainError
from telcox.testing.threads import in_threads

pytestmark = [
    pytest.mark.mariadb,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("committed"),
]

ENDED, CHANGED, LATER = (moment(f"2026-12-01 00:{minute}") for minute in ("05", "10", "15"))


@pytest.fixture
def line(committed: None, settings: Any) -> Line:
    InvoiceSeries.objects.get_or_create(prefix=settings.INVOICE_SERIES)
    leave_other_lines_alone()
    holder = Line.objects.get(phone_number="0969786985").customer
    return sold(Line.objects.create(customer=holder, phone_number="0955555555", product_type="MOVIL"))


@pytest.fixture
def others(committed: None) -> list[Customer]:
    return [
        Customer.objects.create(dni=dni, full_name=name)
        for dni, name in (("1710034065", "Nueva Titular"), ("0926687856", "Otro Titular"))
    ]


def given_to(line: Line, customer: Customer) -> str:
    """Return why it was refused, or nothing."""
    try:
        change_holder(line=line, customer=customer, why="x", at=CHANGED)
    except DomainError as refusal:
        return refusal.reason
    return ""


def faults(line: Line) -> list[str]:
    return [str(each) for each in find_faults() if line.phone_number in each.of]


def test_beside_the_run_that_bills_the_period_each_gets_what_was_theirs(
    line: Line, others: list[Customer]
) -> None:
    before, start = line.customer, Barrier(2, timeout=60)

    def change() -> None:
        start.wait()
        if given_to(line, others[0]):  # the run was first
            assert given_to(fresh(line), others[0]) == ""

    def run() -> None:
        start.wait()
        run_day(at=ENDED)

    works: list[Callable[[], None]] = [change, run]
    in_threads(lambda work: work(), works, threads=2)
    run_day(at=LATER)
    assert [period.customer for period in periods(line)] == [before, before, others[0]]
    bills = Invoice.objects.filter(subscription__line=line).order_by("subscription__sequence")
    assert [bill.customer for bill in bills] == [before, before]
    assert faults(line) == []


def test_of_two_clerks_one_changes_it_and_the_other_is_told(line: Line, others: list[Customer]) -> None:
    both_have_read = Barrier(2, timeout=60)

    def change(customer: Customer) -> str:
        seen = fresh(line)
        both_have_read.wait()
        return given_to(seen, customer)

    assert sorted(in_threads(change, others, threads=2)) == ["", "changed_meanwhile"]
    assert HolderChange.objects.get(line=line).customer == fresh(line).customer
    assert faults(line) == []
