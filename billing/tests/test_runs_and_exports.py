"""A billing run beside the export of its month: of the same documents, and what the difference is."""

from decimal import Decimal
from typing import Any

import pytest

from billing.daily import run_day
from billing.exports import Selection, totals_of
from billing.models import BillingChunk, Invoice
from billing.runs.running import bill_open_chunks, start_run
from billing.sales.services import activate_subscription
from billing.tests.builders import fresh, moment
from customers.models import Customer, Line, Plan
from telcox.testing.office import superuser

D = Decimal

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("opened")]


@pytest.fixture(autouse=True)
def by_the_month(line: Line, settings: Any) -> None:
    settings.BILL_AS_PERIODS_END = False
    Line.objects.exclude(pk=line.pk).update(auto_renew=False)


def sold(line: Line, at: str, plan: str = "movil-30") -> None:
    activate_subscription(line=fresh(line), plan=Plan.objects.get(code=plan), at=moment(at))


def another(number: str) -> Line:
    holder = Customer.objects.create(dni=number, full_name=f"Holder of {number}")
    return Line.objects.create(customer=holder, phone_number=number, product_type="MOVIL")


def run(period: str, at: str) -> None:
    run_day(at=moment(at))
    for _done in bill_open_chunks(run=start_run(period=period, at=moment(at))):
        pass


def of_days(make_plan: Any) -> str:
    make_plan("thirty", price="30.00", validity_days=30)
    return "thirty"


def test_a_period_over_the_end_of_a_month_is_of_the_month_in_which_it_began(
    line: Line, make_plan: Any
) -> None:
    sold(line, "2026-10-20 10:00", of_days(make_plan))
    Line.objects.update(auto_renew=False)
    run("2026-11", "2026-12-01 03:00")
    november, october = totals_of(Selection("2026-11")), totals_of(Selection("2026-10"))
    assert november.run is not None
    assert november.run.total == november.invoices.total
    assert november.run_of_others.total > 0
    assert october.run == october.invoices
    assert october.run is not None
    assert october.run.documents == 1
    assert november.run_of_others.total == october.run.total


def test_calendar_months_are_all_of_the_run_s_month(line: Line) -> None:
    sold(line, "2026-11-01")
    run("2026-11", "2026-12-01 03:00")
    totals = totals_of(Selection("2026-11"))
    assert totals.run == totals.invoices
    assert totals.run_of_others.documents == totals.not_by_run.documents == 0


def test_what_was_left_of_an_earlier_month_is_said_apart(line: Line) -> None:
    sold(line, "2026-10-01")
    run("2026-11", "2026-12-01 03:00")
    totals = totals_of(Selection("2026-11"))
    assert totals.run == totals.invoices
    assert totals.run_of_others == totals_of(Selection("2026-10")).run


def test_what_no_run_billed_is_the_difference(line: Line, settings: Any) -> None:
    sold(line, "2026-11-01")
    other = another("0977777777")
    sold(other, "2026-11-02")
    settings.BILL_AS_PERIODS_END = True
    Line.objects.filter(pk=other.pk).update(auto_renew=False)
    run_day(at=moment("2026-12-01 00:05"))
    settings.BILL_AS_PERIODS_END = False
    assert totals_of(Selection("2026-11")).run is None
    run("2026-12", "2027-01-01 03:00")
    december = totals_of(Selection("2026-12"))
    assert december.run == december.invoices
    november = totals_of(Selection("2026-11"))
    assert november.run is None or november.not_by_run.total == november.invoices.total - november.run.total


def test_a_run_that_billed_two_months_adds_up_over_both(line: Line, make_plan: Any) -> None:
    sold(line, "2026-11-01")
    sold(another("0977777777"), "2026-10-15 10:00", of_days(make_plan))
    run("2026-11", "2026-12-01 03:00")
    chunks = BillingChunk.objects.all()
    months = {each.period for each in Invoice.objects.filter(issued_at=moment("2026-12-01 03:00"))}
    assert {month for chunk in chunks for month in chunk.by_month} == months
    recorded = sum(chunk.total for chunk in chunks)
    by_month = sum(D(sums[-1]) for chunk in chunks for sums in chunk.by_month.values())
    assert recorded == by_month


def test_the_page_says_what_the_difference_is(line: Line, make_plan: Any) -> None:
    sold(line, "2026-10-20 10:00", of_days(make_plan))
    run("2026-11", "2026-12-01 03:00")
    page = superuser().get("/admin/exports/?period=2026-11").content.decode()
    assert "of other months" in page.lower() or "de otros meses" in page.lower()
