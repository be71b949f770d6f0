"""What becomes of an invoice that is not paid: reminders, rung by rung, and the line's suspension."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.daily import DayRun, run_day, work_due
from billing.models import Channel, Invoice, InvoiceStatus, Notice, NoticeKind, NoticeState
from billing.overdue import suspending
from billing.overdue.ladder import parse_ladder
from billing.overdue.reminding import make_reminders, remind_by_hand
from billing.overdue.suspending import suspend_overdue_lines
from billing.sales.services import activate_subscription
from billing.settling.crediting import credit_invoice
from billing.settling.paying import reverse_payment
from billing.tests.builders import fresh, moment, refusal
from billing.tests.overdue import bill, day_plan, days_later, new_line, pay
from customers.models import Customer, Line, LineEvent, LineStatus, Plan, Subscription, Suspension
from customers.services import resume_line, suspend_line
from telcox.common.calendar import local_date
from telcox.testing.office import as_shown, superuser, url

pytestmark = pytest.mark.django_db


@pytest.fixture
def alone(seeded: None, settings: Any) -> None:
    """Nothing else is owed, or renews itself."""
    settings.INVOICE_DUE_DAYS, settings.SUSPEND_AFTER_DAYS = 0, 30
    settings.REMINDER_LADDER = parse_ladder("3:mail,10:mail+sms,20:sms")
    Line.objects.update(auto_renew=False)
    Subscription.objects.update(unbilled=None)


@pytest.fixture
def line(alone: None) -> Line:
    return new_line()


@pytest.fixture
def invoice(line: Line) -> Invoice:
    """115.00."""
    return bill(line)


def said(invoice: Invoice, kind: NoticeKind = NoticeKind.REMINDER) -> list[tuple[int, str]]:
    return list(invoice.notices.filter(kind=kind).order_by("pk").values_list("days", "channel"))


class TestWhenItIsDue:
    @pytest.mark.parametrize(
        ("of_customer", "of_plan", "due_after"),
        [(None, None, 15), (None, 5, 5), (None, 0, 0), (20, 5, 20), (0, 5, 0), (0, None, 0)],
    )
    def test_the_customers_days_come_before_the_plans_and_those_before_the_usual_ones(
        self, line: Line, settings: Any, of_customer: int | None, of_plan: int | None, due_after: int
    ) -> None:
        settings.INVOICE_DUE_DAYS = 15
        Customer.objects.filter(pk=line.customer_id).update(due_days=of_customer)
        Plan.objects.filter(pk=day_plan().pk).update(due_days=of_plan)
        # Half past ten in the evening, when it is the next day already by UTC.
        invoice = bill(line, at=moment("2026-03-01 22:30"))
        assert invoice.due_on == date(2026, 3, 1) + timedelta(days=due_after)

    def test_what_is_issued_by_the_days_run_is_due_by_the_same_days(self, line: Line) -> None:
        Customer.objects.filter(pk=line.customer_id).update(due_days=7)
        activate_subscription(line=fresh(line), plan=day_plan(), at=days_later(-1))
        run_day(at=days_later(0))
        assert Invoice.objects.get(subscription__line=line).due_on == local_date(days_later(7))

    def test_staff_set_the_days_of_a_plan_and_of_a_customer(self, line: Line) -> None:
        boss = superuser()
        for obj, name in ((day_plan(), "due_days"), (line.customer, "due_days")):
            page = as_shown(boss, url(obj))
            assert boss.post(url(obj), {**page, name: "0"}).status_code == 302
            obj.refresh_from_db()
            assert obj.due_days == 0


class TestReminding:
    def test_forty_days_rung_by_rung_whatever_is_run_twice(self, invoice: Invoice, line: Line) -> None:
        days = {(day, time): run_day(at=days_later(day)) for day in range(41) for time in (1, 2)}
        assert [when for when, run in days.items() if run.reminders] == [(3, 1), (10, 1), (20, 1)]
        assert [when for when, run in days.items() if run.suspended] == [(30, 1)]
        assert said(invoice) == [(3, "MAIL"), (10, "MAIL"), (10, "SMS"), (20, "SMS")]
        assert fresh(line).status == LineStatus.SUSPENDED

    def test_what_is_paid_is_said_no_more(self, invoice: Invoice) -> None:
        run_day(at=days_later(5))
        pay(invoice, days_later(6), "15.00")
        run_day(at=days_later(10))
        pay(invoice, days_later(15), "100.00")
        for day in range(16, 41):
            assert run_day(at=days_later(day)) == DayRun()
        assert [days for days, _channel in said(invoice)] == [3, 10, 10]

    def test_run_late_only_the_highest_rung_is_said(self, invoice: Invoice) -> None:
        assert run_day(at=days_later(12)).reminders == 1
        assert run_day(at=days_later(4)).reminders == 0
        assert said(invoice) == [(10, "MAIL"), (10, "SMS")]

    @pytest.mark.parametrize(("days", "reminded"), [(20 + 91, 1), (20 + 92, 0)])
    def test_a_debt_that_is_old_is_not_reminded_of(self, invoice: Invoice, days: int, reminded: int) -> None:
        assert sum(make_reminders(at=days_later(days))) == reminded

    def test_another_ladder_goes_on_from_where_the_other_was(self, invoice: Invoice, settings: Any) -> None:
        run_day(at=days_later(10))
        settings.REMINDER_LADDER = parse_ladder("5:sms,9:mail,15:mail,18:sms")
        for day in range(10, 30):
            run_day(at=days_later(day))
        assert said(invoice) == [(10, "MAIL"), (10, "SMS"), (15, "MAIL"), (18, "SMS")]

    def test_without_a_ladder_nobody_is_reminded(self, invoice: Invoice, settings: Any) -> None:
        settings.REMINDER_LADDER = parse_ladder("")
        assert run_day(at=days_later(29)) == DayRun()

    def test_the_operators_calendar_says_when_a_day_has_passed(self, invoice: Invoice) -> None:
        assert run_day(at=moment("2026-03-03 23:59")).reminders == 0
        assert run_day(at=moment("2026-03-04 00:00")).reminders == 1

    def test_drafts_void_documents_and_what_is_not_due_are_not_said(
        self, invoice: Invoice, line: Line
    ) -> None:
        Invoice.objects.filter(pk=invoice.pk).update(status=InvoiceStatus.VOID)
        assert run_day(at=days_later(40)) == DayRun()

    def test_by_hand_once_a_day_and_channel(self, invoice: Invoice) -> None:
        run_day(at=days_later(3))
        assert remind_by_hand(invoice=invoice, channel=Channel.SMS, at=days_later(12)).days == 12
        again = lambda: remind_by_hand(invoice=invoice, channel=Channel.SMS, at=days_later(12))  # noqa: E731
        assert refusal(again) == "reminded_today"
        # It stands for the rung of ten days.
        assert run_day(at=days_later(13)).reminders == 0
        assert run_day(at=days_later(20)).reminders == 1
        pay(invoice, days_later(21))
        assert (
            refusal(lambda: remind_by_hand(invoice=invoice, channel=Channel.MAIL, at=days_later(22)))
            == "not_overdue"
        )

    def test_a_chunk_more_costs_no_statement_more_for_each_invoice(
        self, invoice: Invoice, line: Line, django_assert_max_num_queries: Any
    ) -> None:
        for number in range(1, 21):
            bill(new_line(number))
        assert work_due(at=days_later(10))["reminders"] == 21
        with django_assert_max_num_queries(25):
            assert run_day(at=days_later(10)).reminders == 21


class TestSuspending:
    @pytest.fixture
    def suspended(self, invoice: Invoice, line: Line) -> Line:
        assert run_day(at=days_later(30)).suspended == 1
        return fresh(line)

    def test_it_is_written_down_and_told_once(self, suspended: Line, invoice: Invoice) -> None:
        suspension, event = Suspension.objects.get(line=suspended), suspended.events.first()
        assert event is not None
        assert (suspension.reason, suspension.start_at) == ("NON_PAYMENT", days_later(30))
        assert (event.step, event.detail, event.by, event.at) == (
            "SUSPEND",
            "NON_PAYMENT",
            "",
            days_later(30),
        )
        assert run_day(at=days_later(31)) == DayRun()
        assert said(invoice, NoticeKind.SUSPENSION) == [(30, "MAIL"), (30, "SMS")]

    def test_a_payment_resumes_it_at_once(self, suspended: Line, invoice: Invoice) -> None:
        pay(invoice, days_later(33), "115.00")
        assert fresh(suspended).status == LineStatus.ACTIVE
        assert Suspension.objects.get(line=suspended).end_at == days_later(33)
        assert run_day(at=days_later(40)) == DayRun()

    def test_a_part_of_it_does_not(self, suspended: Line, invoice: Invoice) -> None:
        pay(invoice, days_later(33), "114.99")
        assert fresh(suspended).status == LineStatus.SUSPENDED

    def test_a_payment_of_before_that_was_entered_late_resumes_it_all_the_same(
        self, suspended: Line, invoice: Invoice
    ) -> None:
        pay(invoice, days_later(25))
        assert fresh(suspended).status == LineStatus.ACTIVE

    def test_what_staff_resume_is_not_suspended_again_for_the_same_invoice(
        self, suspended: Line, invoice: Invoice
    ) -> None:
        resume_line(line=suspended, at=days_later(31), by="ana")
        assert run_day(at=days_later(40)) == DayRun()
        bill(suspended, at=days_later(5))
        assert run_day(at=days_later(50)).suspended == 1

    def test_what_staff_resume_is_not_suspended_for_others_it_was_suspended_for_already(
        self, invoice: Invoice, line: Line
    ) -> None:
        second = bill(line, at=days_later(2))
        run_day(at=days_later(30))
        run_day(at=days_later(32))
        assert said(second, NoticeKind.SUSPENSION) == [(30, "MAIL")]
        assert second.notices.get(kind=NoticeKind.SUSPENSION).state == NoticeState.DROPPED
        resume_line(line=fresh(line), at=days_later(33), by="ana")
        assert run_day(at=days_later(34)).suspended == 0

    def test_it_stays_suspended_until_all_it_was_suspended_for_is_paid(
        self, invoice: Invoice, line: Line
    ) -> None:
        second, young = bill(line, at=days_later(2)), bill(line, at=days_later(25))
        run_day(at=days_later(33))
        pay(invoice, days_later(34))
        assert fresh(line).status == LineStatus.SUSPENDED
        # As of a day on which the second one was not late yet.
        pay(second, days_later(31), "1.00")
        assert fresh(line).status == LineStatus.SUSPENDED
        pay(second, days_later(35), "114.00")
        assert fresh(line).status == LineStatus.ACTIVE
        assert young.outstanding == Decimal("115.00")

    def test_a_credit_note_over_all_of_it_resumes_it(self, suspended: Line, invoice: Invoice) -> None:
        credit_invoice(invoice=invoice, why="Wrong plan", at=days_later(33), by="ana")
        assert fresh(suspended).status == LineStatus.ACTIVE

    def test_a_payment_that_is_taken_back_suspends_it_again(self, suspended: Line, invoice: Invoice) -> None:
        payment = pay(invoice, days_later(31))
        assert fresh(suspended).status == LineStatus.ACTIVE
        reverse_payment(payment=payment, why="No funds", at=days_later(32))
        assert run_day(at=days_later(32)).suspended == 1
        assert run_day(at=days_later(33)).suspended == 0

    def test_killed_in_the_middle_and_run_again_each_line_is_suspended_once(
        self, invoice: Invoice, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(suspending, "LINES_AT_ONCE", 1)
        for number in (1, 2):
            bill(new_line(number))
        assert work_due(at=days_later(30))["suspended"] == 3
        next(suspend_overdue_lines(at=days_later(30)))
        assert LineEvent.objects.filter(step="SUSPEND").count() == 1
        assert run_day(at=days_later(30)).suspended == 2
        assert LineEvent.objects.filter(step="SUSPEND").count() == 3

    def test_lines_that_are_prepaid_gone_out_of_service_or_somebody_elses_now(
        self, invoice: Invoice, line: Line
    ) -> None:
        for change in (
            {"prepaid": True},
            {"status": LineStatus.TERMINATED},
            {"customer": Customer.objects.exclude(pk=line.customer_id).first()},
        ):
            Line.objects.filter(pk=line.pk).update(**change)
            assert run_day(at=days_later(40)).suspended == 0
            line.save()

    def test_one_that_is_out_of_service_by_its_customers_wish_is_suspended_when_it_comes_back(
        self, invoice: Invoice, line: Line
    ) -> None:
        suspend_line(line=fresh(line), reason="CUSTOMER", at=days_later(20))
        assert run_day(at=days_later(31)).suspended == 0
        pay(invoice, days_later(32), "1.00")
        resume_line(line=fresh(line), at=days_later(33))
        assert run_day(at=days_later(34)).suspended == 1

    def test_a_customers_wish_is_not_ended_by_a_payment(self, invoice: Invoice, line: Line) -> None:
        suspend_line(line=fresh(line), reason="CUSTOMER", at=days_later(20))
        pay(invoice, days_later(32))
        assert fresh(line).status == LineStatus.SUSPENDED

    def test_a_line_that_cannot_be_suspended_then_keeps_no_other_from_it(
        self, invoice: Invoice, line: Line, caplog: pytest.LogCaptureFixture
    ) -> None:
        Line.objects.filter(pk=line.pk).update(resumed_at=days_later(60))
        other = new_line(1)
        bill(other)
        assert run_day(at=days_later(30)).suspended == 1
        assert any(record.message.endswith("not suspended: in_the_past") for record in caplog.records)
        assert LineEvent.objects.filter(step="SUSPEND").get().line == other

    def test_without_a_limit_no_line_is_suspended_and_what_staff_suspended_is_resumed_when_nothing_is_overdue(
        self, invoice: Invoice, line: Line, settings: Any
    ) -> None:
        settings.SUSPEND_AFTER_DAYS = 0
        assert run_day(at=days_later(100)).suspended == 0
        suspend_line(line=fresh(line), reason="NON_PAYMENT", at=days_later(101), by="ana")
        pay(invoice, days_later(102))
        assert fresh(line).status == LineStatus.ACTIVE


def test_notices_wait_for_the_sender(invoice: Invoice) -> None:
    run_day(at=days_later(10))
    assert {notice.state for notice in Notice.objects.all()} == {NoticeState.WAITING}
