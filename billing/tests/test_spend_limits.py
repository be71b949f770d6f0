"""What packs and overage may cost together in a period is what was agreed in it, however late its bill is."""

from decimal import Decimal

import pytest

from billing.daily import run_day
from billing.models import Invoice, Wallet
from billing.sales.holders import change_holder
from billing.sales.services import agree_spend_limit, change_plan
from billing.tests.builders import (
    MakePlan,
    fresh,
    leave_other_lines_alone,
    moment,
    periods,
    sold,
    use,
)
from billing.tests.lines import fund
from customers.models import Customer, Line

D = Decimal
FIRST = moment("2026-12-01 00:05")

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("opened")]


@pytest.fixture
def alone(opened: None) -> None:
    leave_other_lines_alone()


@pytest.fixture(autouse=True)
def used(alone: None, line: Line) -> None:
    """20 GB beyond the allowance, 1.20 dollars each."""
    Wallet.objects.create(line=line, balance_limit_usd=D("5.00"))
    sold(line)
    use(line, 40, moment("2026-11-20"))


def overage(line: Line) -> Decimal:
    run_day(at=FIRST)
    invoice = Invoice.objects.get(subscription=periods(line)[0])
    return invoice.lines.get(unit="GB").amount


@pytest.mark.parametrize("limit", ["100.00", "1.00", "0"])
def test_a_limit_that_is_agreed_after_the_period_does_not_count(line: Line, limit: str) -> None:
    agree_spend_limit(line=line, limit=D(limit), at=moment("2026-12-01 00:02"))
    assert overage(line) == D("5.00")
    assert periods(line)[1].spend_limit == D(limit)


def test_nor_does_one_that_was_written_past_the_service(line: Line) -> None:
    Wallet.objects.filter(line=line).update(balance_limit_usd=D("100.00"))
    assert overage(line) == D("5.00")


@pytest.mark.parametrize(("limit", "amount"), [("13.00", "13.00"), ("0", "24.00"), ("1.30", "1.30")])
def test_one_that_is_agreed_while_the_period_runs_does(line: Line, limit: str, amount: str) -> None:
    agree_spend_limit(line=line, limit=D(limit), at=moment("2026-11-25"))
    assert overage(line) == D(amount)


def test_both_parts_of_a_period_that_is_cut_have_it(line: Line, make_plan: MakePlan) -> None:
    change_plan(line=fresh(line), plan=make_plan("other"), at=moment("2026-11-25"))
    change_holder(
        line=fresh(line), customer=Customer.objects.exclude(pk=line.customer_id)[0], why="x",
        at=moment("2026-11-27"),
    )  # fmt: skip
    assert [period.spend_limit for period in periods(line)] == [D("5.00")] * 3


def test_a_prepaid_period_has_none(line: Line) -> None:
    prepaid = Line.objects.create(
        customer=line.customer, phone_number="0955555556", product_type="MOVIL", prepaid=True
    )
    fund(prepaid, "50.00")
    agree_spend_limit(line=prepaid, limit=D("5.00"), at=moment("2026-10-01"))
    sold(prepaid, "prepago-8")
    assert periods(prepaid)[0].spend_limit == 0
