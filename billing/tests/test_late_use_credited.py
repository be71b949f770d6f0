"""Late usage whose charge was credited is charged again only if that is asked for."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from billing.daily import run_day
from billing.models import Invoice, InvoiceSeries
from billing.sales.services import activate_subscription
from billing.settling.crediting import credit_invoice
from billing.tests.builders import fresh, moment, refusal
from billing.verification import find_faults
from customers.models import Line, Plan
from usage.ingestion.apply import apply_usage
from usage.ingestion.reports import UsageReport

D = Decimal
GB = 2**30
SECOND, THIRD, FOURTH = (moment(f"{day} 00:05") for day in ("2027-01-01", "2027-02-01", "2027-03-01"))

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("opened")]


@pytest.fixture
def december(line: Line) -> Invoice:
    """December's bill: 18.00, and 6.00 for 5 GB that November used too late."""
    Line.objects.exclude(pk=line.pk).update(auto_renew=False)
    InvoiceSeries.objects.get_or_create(prefix="001-002")
    activate_subscription(line=fresh(line), plan=Plan.objects.get(code="pospago-20"), at=moment("2026-11-01"))
    use(line, 20, "2026-11-20 10:00", "2026-11-20 10:00")
    run_day(at=moment("2026-12-01 00:05"))
    use(line, 5, "2026-11-21 10:00", "2026-12-02 10:00")
    run_day(at=SECOND)
    invoice = bills(line)[1]
    assert amounts(invoice) == [D("18.00"), D("6.00")]
    return invoice


def use(line: Line, gigabytes: int, occurred: str, reported: str) -> None:
    key = f"{occurred} {reported}"
    apply_usage(
        reports=[UsageReport(line.phone_number, "SOCIAL", gigabytes * GB, "pgw", key, moment(occurred))],
        at=moment(reported),
    )


def bills(line: Line) -> list[Invoice]:
    return list(Invoice.objects.bills().filter(subscription__line=line).order_by("pk"))


def amounts(invoice: Invoice) -> list[Decimal]:
    return [line.amount for line in invoice.lines.order_by("position")]


def credit(invoice: Invoice, *, again: bool = False, **amounts: Any) -> None:
    credit_invoice(invoice=invoice, why="Complaint", at=moment("2027-01-02"), bill_again=again, **amounts)


def last(line: Line, at: datetime = THIRD) -> list[Decimal]:
    run_day(at=at)
    return amounts(bills(line)[-1])


@pytest.mark.parametrize("parts", [False, True])
def test_what_a_credit_note_took_back_does_not_come_again(december: Invoice, line: Line, parts: bool) -> None:
    if parts:
        credit(december, amounts={2: D("6.00")})
    credit(december)
    assert last(line) == [D("18.00")]
    assert list(find_faults()) == []


def test_a_late_line_that_was_credited_alone_does_not_come_again(december: Invoice, line: Line) -> None:
    credit(december, amounts={2: D("6.00")})
    assert last(line) == [D("18.00")]
    assert list(find_faults()) == []


def test_billed_again_it_comes_again(december: Invoice, line: Line) -> None:
    credit(december, again=True)
    run_day(at=moment("2027-01-03"))
    assert amounts(bills(line)[-1]) == [D("18.00"), D("6.00")]
    assert last(line) == [D("18.00")]
    assert list(find_faults()) == []


def test_what_comes_later_still_is_charged_by_itself(december: Invoice, line: Line) -> None:
    credit(december)
    use(line, 2, "2026-11-22 10:00", "2027-01-04 10:00")
    assert last(line) == [D("18.00"), D("2.40")]
    assert list(find_faults()) == []


def test_credited_twice_over_several_bills_each_is_gone_for_good(december: Invoice, line: Line) -> None:
    credit(december)
    use(line, 2, "2026-11-22 10:00", "2027-01-04 10:00")
    run_day(at=THIRD)
    credit(bills(line)[-1])
    assert last(line, FOURTH) == [D("18.00")]
    assert list(find_faults()) == []


def test_the_first_bill_billed_again_after_it_has_all_of_the_usage(december: Invoice, line: Line) -> None:
    """Which is asked for: the period is rated anew with the usage known now. It is on one bill only."""
    november = bills(line)[0]
    assert refusal(lambda: credit(november, again=True)) == "late_use_charged"
    credit(december)
    credit(november, again=True)
    run_day(at=moment("2027-01-03"))
    assert amounts(bills(line)[-1]) == [D("18.00"), D("6.00")]
    use(line, 1, "2026-11-23 10:00", "2027-01-04 10:00")
    assert last(line) == [D("18.00"), D("1.20")]
    assert list(find_faults()) == []


def test_credited_for_good_after_it_was_billed_again(december: Invoice, line: Line) -> None:
    credit(december, again=True)
    run_day(at=moment("2027-01-03"))
    credit(bills(line)[-1])
    assert last(line) == [D("18.00")]
    assert list(find_faults()) == []
