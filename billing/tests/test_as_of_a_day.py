"""`--date D` is D everywhere: what ends with the day is over, and what is made of it is dated with it."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.core.management import call_command

from billing.daily import run_day
from billing.models import BillingRun, Invoice, Notice, NoticeKind, Payment, TaxRate
from billing.overdue.ladder import parse_ladder
from billing.sales.services import schedule_end
from billing.tests.builders import MakePlan, fresh, leave_other_lines_alone, moment, periods, sold
from billing.tests.lines import fund
from customers.models import Line, LineEvent, LineStatus, Suspension
from customers.services import suspend_line
from telcox.common.calendar import local_date

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("opened")]

D = Decimal
# Everything is entered later, when the days are long over.
ENTERED = moment("2027-04-10 09:00")


@pytest.fixture(autouse=True)
def later(opened: None) -> Any:
    leave_other_lines_alone()
    Invoice.objects.filter(status__in=("ISSUED", "OVERDUE")).update(due_on=None)
    with time_machine.travel(ENTERED, tick=False):
        yield


def as_of(day: str, command: str = "run_day", *more: str) -> None:
    call_command(command, *more, f"--date={day}", "--workers=1")


def bill(line: Line) -> Invoice:
    return Invoice.objects.filter(subscription__line=line).order_by("pk")[0]


def test_a_month_is_billed_on_its_last_day_and_dated_with_it(line: Line, settings: Any) -> None:
    settings.INVOICE_DUE_DAYS = 15
    sold(line)
    as_of("2026-11-30")
    invoice = bill(line)
    assert invoice.issued_at is not None
    assert local_date(invoice.issued_at) == date(2026, 11, 30)
    assert invoice.due_on == date(2026, 12, 15)
    assert periods(line)[1].start_at == moment("2026-12-01 00:00")


def test_the_day_before_it_is_not_billed(line: Line) -> None:
    sold(line)
    as_of("2026-11-29")
    assert not Invoice.objects.filter(subscription__line=line).exists()
    assert len(periods(line)) == 1


def test_what_ends_on_the_day_after_is_not_due(line: Line, make_plan: MakePlan) -> None:
    make_plan("week", validity_days=7)
    sold(line, "week", "2026-11-02 00:01")
    as_of("2026-11-08")
    assert len(periods(line)) == 1
    as_of("2026-11-09")
    assert [period.start_at for period in periods(line)[1:]] == [moment("2026-11-09 00:01")]
    assert local_date(bill(line).issued_at) == date(2026, 11, 9)  # type: ignore[arg-type]


def test_days_overdue_are_counted_to_the_day(line: Line, settings: Any) -> None:
    settings.INVOICE_DUE_DAYS, settings.REMINDER_LADDER = 0, parse_ladder("3:mail")
    sold(line)
    as_of("2026-11-30")  # due on the same day
    as_of("2026-12-02")
    assert not Notice.objects.filter(invoice=bill(line), kind=NoticeKind.REMINDER).exists()
    as_of("2026-12-03")
    reminder = Notice.objects.get(invoice=bill(line), kind=NoticeKind.REMINDER)
    assert (reminder.days, local_date(reminder.created_at)) == (3, date(2026, 12, 3))


def test_a_suspension_is_of_the_day_and_says_how_many_days(line: Line, settings: Any) -> None:
    settings.INVOICE_DUE_DAYS, settings.SUSPEND_AFTER_DAYS, settings.REMINDER_LADDER = 0, 10, ()
    sold(line)
    as_of("2026-11-30")
    as_of("2026-12-09")
    assert fresh(line).status == LineStatus.ACTIVE
    as_of("2026-12-10")
    suspension = Suspension.objects.get(line=line)
    assert local_date(suspension.start_at) == date(2026, 12, 10)
    notice = Notice.objects.filter(invoice=bill(line), kind=NoticeKind.SUSPENSION)[0]
    assert notice.days == 10
    assert local_date(LineEvent.objects.filter(line=line, step="SUSPEND").get().at) == date(2026, 12, 10)


def test_a_line_that_ends_with_its_period_ends_with_the_day(line: Line) -> None:
    sold(line)
    schedule_end(line=fresh(line), at=moment("2026-11-10"))
    as_of("2026-11-30")
    assert fresh(line).terminated_at == moment("2026-12-01 00:00")


def test_the_tax_is_that_of_the_day(line: Line) -> None:
    TaxRate.objects.create(valid_from=date(2026, 12, 1), rate=D("0.18"))
    sold(line)
    as_of("2026-11-30")
    assert bill(line).tax_rate == D("0.15")


def test_a_day_of_a_suspension_by_the_operator_is_lost_to_its_end(line: Line) -> None:
    sold(line)
    suspend_line(line=fresh(line), reason="OPERATOR", at=moment("2026-11-30 08:00"))
    as_of("2026-11-30")
    assert bill(line).subtotal == D("17.40")  # 29 of 30 days


def test_a_wallet_s_payment_is_of_the_day(prepaid: Line, make_plan: MakePlan) -> None:
    make_plan("small", price="10.00", validity_days=0)
    fund(prepaid, "100.00")
    sold(prepaid, "small")
    as_of("2026-11-30")
    payment = Payment.objects.get(invoice=bill(prepaid))
    assert local_date(payment.paid_at) == date(2026, 11, 30)
    assert periods(prepaid)[1].start_at == moment("2026-12-01 00:00")


def test_a_billing_run_as_of_a_day_is_dated_with_it(line: Line, settings: Any) -> None:
    settings.BILL_AS_PERIODS_END = False
    sold(line)
    as_of("2026-11-30", "bill_period", "2026-11")
    assert local_date(bill(line).issued_at) == date(2026, 11, 30)  # type: ignore[arg-type]
    assert local_date(BillingRun.objects.get().at) == date(2026, 11, 30)  # type: ignore[arg-type]


def test_periods_are_begun_as_of_the_end_of_the_day(line: Line) -> None:
    sold(line)
    as_of("2026-11-30", "renew_subscriptions")
    assert [period.start_at for period in periods(line)[1:]] == [moment("2026-12-01 00:00")]


def test_today_goes_as_far_as_it_has_come(line: Line) -> None:
    sold(line, at="2027-04-01 00:00")
    as_of("2027-04-10")
    assert len(periods(line)) == 1
    run_day(at=datetime.fromisoformat("2027-05-01T00:00:00-05:00"))
    assert len(periods(line)) == 2
