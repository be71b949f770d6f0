"""The clock: what a day brings, whenever, however often and wherever it is run."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from billing.daily import DayRun, day_run, run_day, work_due
from billing.models import Invoice, InvoiceStatus, Payment, PaymentMethod, TaxRate, Wallet, WalletEntry
from billing.sales.renewal import top_up_and_renew
from billing.sales.services import activate_subscription, schedule_end
from billing.tests.builders import fresh, leave_other_lines_alone, moment
from billing.tests.outcome import outcome
from billing.wallets import adjust_wallet
from customers.catalogue import revise_plan
from customers.cycles import full_period
from customers.models import Line, LineEvent, LineStatus, Plan, Subscription
from customers.services import resume_line, suspend_line
from telcox.common.calendar import local_date

D = Decimal
MakePlan = Callable[..., Plan]

pytestmark = pytest.mark.django_db


def periods(line: Line) -> list[Subscription]:
    return list(line.subscriptions.order_by("sequence"))


@pytest.fixture
def alone(seeded: None) -> None:
    """Only the lines of the test have periods."""
    leave_other_lines_alone()


class TestTwoYears:
    """Day by day from before a leap year to after its end."""

    @pytest.mark.parametrize("zone", ["America/Guayaquil", "Europe/Madrid", "America/Santiago"])
    def test_periods_adjoin_and_months_are_months_wherever_clocks_change(
        self, alone: None, line: Line, make_plan: MakePlan, settings: Any, zone: str
    ) -> None:
        settings.TIME_ZONE = zone
        monthly, weekly = make_plan("monthly", validity_days=0), make_plan("weekly", validity_days=7)
        other = Line.objects.create(customer=line.customer, phone_number="0955555556", product_type="MOVIL")
        begin = datetime(2023, 3, 15, 23, 30, tzinfo=ZoneInfo(zone))
        activate_subscription(line=line, plan=monthly, at=begin)
        activate_subscription(line=other, plan=weekly, at=begin)
        for days in range(0, 740, 5):  # never on the day it is due, as a rule
            run_day(at=begin + timedelta(days=days, hours=3))
        months, weeks = periods(line), periods(other)
        for before, after in [*pairwise(months), *pairwise(weeks)]:
            assert before.expiration_at == after.start_at
        assert [local_date(period.start_at) for period in months[1:]] == [
            date(2023 + month // 12, month % 12 + 1, 1) for month in range(3, 3 + len(months) - 1)
        ]
        assert len(months) == 25
        assert {(local_date(p.expiration_at) - local_date(p.start_at)).days for p in weeks} == {7}
        assert sum(invoice.subtotal for invoice in Invoice.objects.filter(subscription__line=line)) == (
            # 17 of March's 31 days, and the months that are over.
            D("16.45") + 30 * (len(months) - 2)
        )

    def test_the_tax_of_each_bill_is_that_of_the_day_its_period_ends(
        self, alone: None, line: Line, make_plan: MakePlan
    ) -> None:
        assert TaxRate.objects.count() == 2
        activate_subscription(line=line, plan=make_plan("monthly", validity_days=0), at=moment("2024-02-01"))
        run_day(at=moment("2024-06-10"))
        taxes = (
            Invoice.objects.filter(subscription__line=line)
            .order_by("period")
            .values_list("period", "tax_rate")
        )
        assert list(taxes) == [
            ("2024-02", D("0.12")),
            ("2024-03", D("0.12")),
            ("2024-04", D("0.15")),
            ("2024-05", D("0.15")),
        ]


@given(
    begin=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),
    days=st.integers(0, 400),
    zone=st.sampled_from(["America/Guayaquil", "Europe/Madrid", "America/Santiago", "Australia/Lord_Howe"]),
)
def test_a_full_period_holds_its_moment_and_the_next_begins_where_it_ends(
    begin: datetime, days: int, zone: str
) -> None:
    with override_settings(TIME_ZONE=zone):
        at = begin.replace(tzinfo=ZoneInfo("UTC"))
        start, end = full_period(validity_days=days, at=at)
        assert start <= at < end
        assert full_period(validity_days=days, at=end)[0] == end
        assert (local_date(end) - local_date(start)).days == (days or (end - start + timedelta(hours=3)).days)


class TestRunning:
    @pytest.fixture
    def sold(self, alone: None, line: Line, make_plan: MakePlan) -> Line:
        activate_subscription(line=line, plan=make_plan("monthly", validity_days=0), at=moment("2026-11-01"))
        return fresh(line)

    def test_a_day_renews_ends_and_bills_what_is_due(self, sold: Line, make_plan: MakePlan) -> None:
        leaving = Line.objects.create(customer=sold.customer, phone_number="0955555556", product_type="MOVIL")
        activate_subscription(
            line=leaving, plan=make_plan("weekly", validity_days=7), at=moment("2026-11-24")
        )
        schedule_end(line=fresh(leaving), at=moment("2026-11-25"))
        assert run_day(at=moment("2026-12-01")) == DayRun(
            begun=1, ended=1, invoices=2, total=D("69.00"), parked=0
        )
        gone = fresh(leaving)
        assert (gone.status, gone.terminated_at) == (LineStatus.TERMINATED, moment("2026-12-01"))
        assert Invoice.objects.filter(subscription__line=sold).get().status == InvoiceStatus.ISSUED

    def test_each_transaction_is_a_step_and_their_sum_is_the_run(self, sold: Line) -> None:
        due = work_due(at=moment("2026-12-01"))
        steps = list(day_run(at=moment("2026-12-01")))
        assert steps == [DayRun(begun=1), DayRun(invoices=1, total=D("34.50"))]
        assert sum(steps, DayRun()).done() == due

    def test_run_twice_it_does_nothing_more(self, sold: Line) -> None:
        run_day(at=moment("2026-12-05"))
        before = outcome()
        assert run_day(at=moment("2026-12-05")) == DayRun()
        assert run_day(at=moment("2026-12-04")) == DayRun()
        assert outcome() == before

    def test_late_it_comes_to_the_same_as_day_by_day(self, sold: Line, make_plan: MakePlan) -> None:
        """Even though the plan's price was edited in between: a period has the price of when it begins."""
        plan = Plan.objects.get(code="monthly")
        plan.price = D("50.00")
        revise_plan(plan=plan, at=moment("2027-01-15"))
        run_day(at=moment("2027-04-02"))
        assert [period.price for period in periods(sold)] == [
            D(p) for p in ("30", "30", "30", "50", "50", "50")
        ]
        bills = Invoice.objects.filter(subscription__line=sold).order_by("period")
        assert [bill.subtotal for bill in bills] == [D(p) for p in ("30", "30", "30", "50", "50")]

    def test_one_that_cannot_be_billed_keeps_no_other_from_it(
        self, sold: Line, make_plan: MakePlan, caplog: pytest.LogCaptureFixture
    ) -> None:
        old = Line.objects.create(customer=sold.customer, phone_number="0955555556", product_type="MOVIL")
        activate_subscription(line=old, plan=make_plan("weekly", validity_days=7), at=moment("2024-01-01"))
        Line.objects.filter(pk=old.pk).update(auto_renew=False)
        TaxRate.objects.filter(valid_from__lt=date(2024, 4, 1)).delete()
        run = run_day(at=moment("2026-12-01"))
        assert (run.invoices, run.parked) == (1, 1)
        [refused] = [record for record in caplog.records if "not billed" in record.message]
        assert refused.message.endswith("no_tax_rate")
        assert "0955555556" not in refused.message

    def test_a_line_that_cannot_be_renewed_keeps_no_other_from_it(
        self, sold: Line, make_plan: MakePlan, caplog: pytest.LogCaptureFixture
    ) -> None:
        broken = Line.objects.create(
            customer=sold.customer, phone_number="0955555556", product_type="MOVIL", prepaid=True
        )
        adjust_wallet(line=broken, amount=D(100), reference="money", at=moment("2026-10-01"))
        activate_subscription(line=broken, plan=make_plan("weekly", validity_days=7), at=moment("2026-11-01"))
        Wallet.objects.filter(line=broken).update(balance_usd=99)
        run = run_day(at=moment("2026-12-01"))
        assert (run.begun, len(periods(broken))) == (1, 1)
        assert any(record.message.endswith("not renewed: wallet_inconsistent") for record in caplog.records)

    def test_an_invoice_of_nothing_is_owed_by_nobody(self, sold: Line) -> None:
        suspend_line(line=sold, reason="OPERATOR", at=moment("2026-11-01"))
        run_day(at=moment("2026-12-01"))
        invoice = Invoice.objects.get(subscription__line=sold)
        assert (invoice.total, invoice.status) == (D("0.00"), InvoiceStatus.PAID)


class TestPrepaid:
    @pytest.fixture
    def sold(self, alone: None, prepaid: Line, make_plan: MakePlan) -> Line:
        adjust_wallet(line=prepaid, amount=D(70), reference="money", at=moment("2026-10-31"))
        activate_subscription(line=prepaid, plan=make_plan("small"), at=moment("2026-11-01 10:00"))
        return fresh(prepaid)

    def test_it_renews_as_long_as_there_is_money_and_again_once_there_is(self, sold: Line) -> None:
        run_day(at=moment("2026-12-05"))
        assert len(periods(sold)) == 2
        for day in ("2027-01-01", "2027-01-02"):
            run_day(at=moment(day))
        assert len(periods(sold)) == 2
        refused = LineEvent.objects.filter(line=sold, step="RENEWAL_REFUSED")
        assert [event.at for event in refused] == [moment("2027-01-01")]
        top_up_and_renew(
            line=sold, amount=D("34.00"), method=PaymentMethod.TARJETA, reference="more", staff=True,
            at=moment("2027-01-10 09:00"),
        )  # fmt: skip
        # Nobody pays for the days without.
        assert periods(sold)[2].start_at == moment("2027-01-10 09:00")

    def test_its_bill_is_paid_by_its_wallet_to_the_cent(self, sold: Line) -> None:
        suspend_line(line=sold, reason="OPERATOR", at=moment("2026-11-03"))
        resume_line(line=fresh(sold), at=moment("2026-11-06"))
        run_day(at=moment("2026-12-05"))
        first = periods(sold)[0]
        invoice, payment = (
            Invoice.objects.get(subscription=first),
            Payment.objects.get(invoice__subscription=first),
        )
        assert (invoice.total, invoice.status) == (D("31.05"), InvoiceStatus.PAID)
        assert (payment.amount, payment.payment_method) == (D("31.05"), "MONEDEROS DIGITALES")
        spent = WalletEntry.objects.filter(subscription=first).values_list("amount", flat=True)
        assert list(spent.order_by("position")) == [D("-34.50"), D("3.45")]

    def test_a_suspended_line_buys_nothing_and_begins_again_when_it_is_resumed(self, sold: Line) -> None:
        suspend_line(line=sold, reason="CUSTOMER", at=moment("2026-11-20"))
        run_day(at=moment("2026-12-10"))
        assert len(periods(sold)) == 1
        resume_line(line=fresh(sold), at=moment("2026-12-11 12:00"))
        run_day(at=moment("2026-12-12"))
        assert periods(sold)[1].start_at == moment("2026-12-11 12:00")


class TestTheCommand:
    def test_it_runs_for_any_day_and_says_what_it_did(
        self, alone: None, line: Line, make_plan: MakePlan, capsys: pytest.CaptureFixture[str], settings: Any
    ) -> None:
        settings.DEBUG = True
        activate_subscription(line=line, plan=make_plan("monthly", validity_days=0), at=moment("2126-11-05"))
        call_command("run_day", "--date=2126-11-29")
        call_command("run_day", "--date=2126-11-30")
        nothing_overdue = "0 reminder(s) queued, 0 line(s) suspended"
        assert capsys.readouterr().out.splitlines() == [
            "As of 2126-11-29T23:59:59.999999-05:00: "
            f"0 period(s) started, 0 line(s) ended, 0 invoice(s) issued totalling 0, {nothing_overdue}",
            "As of 2126-11-30T23:59:59.999999-05:00: "
            f"1 period(s) started, 0 line(s) ended, 1 invoice(s) issued totalling 29.90, {nothing_overdue}",
        ]

    def test_in_production_a_day_to_come_is_asked_for_twice(self, db: Any, settings: Any) -> None:
        settings.DEBUG = False
        with pytest.raises(CommandError, match="--ahead"):
            call_command("run_day", "--date=2126-11-30")
        call_command("run_day", "--date=2126-11-30", "--ahead")

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("2126-02-30", "is not a date"),
            ("tomorrow", "is not a date"),
            ("0001-01-01", "is outside the supported years"),
        ],
    )
    def test_what_is_no_day_is_refused(self, db: Any, text: str, why: str) -> None:
        with pytest.raises(CommandError, match=f"{text} {why}"):
            call_command("run_day", f"--date={text}")
