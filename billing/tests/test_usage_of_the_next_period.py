"""Usage that is reported before the run that begins its period: it is of the period in which it happened."""

from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.daily import run_day
from billing.invoicing.drafting import draft_invoice
from billing.models import InvoiceLine
from billing.runs.rehearsing import rehearse_period
from billing.sales.orders import order_pack, order_plan
from billing.sales.renewal import renew_due_lines
from billing.sales.services import (
    cancel_end,
    schedule_end,
    schedule_plan_change,
)
from billing.tests.builders import MakePack, MakePlan, fresh, leave_other_lines_alone, moment, periods, sold
from billing.tests.use import EARLY, GB, RUN, assert_books_agree, charged, days, gigabytes, used
from customers.models import Line, Plan, Subscription
from customers.services import resume_line, suspend_line
from usage.ingestion.apply import apply_usage
from usage.ingestion.reports import Result, UsageReport
from usage.models import UsageEvent
from usage.purging import purge_events
from usage.reading import line_snapshot
from usage.verification import find_differences

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("opened")]

D = Decimal


@pytest.fixture(autouse=True)
def alone(opened: None) -> None:
    """Only the lines of the test have periods."""
    leave_other_lines_alone()


class TestTheFirstMinutesOfAPeriod:
    def test_they_are_not_the_overage_of_the_period_before(self, line: Line) -> None:
        sold(line)
        used(line, 20, "2026-11-20 10:00")
        used(line, 2, EARLY)
        run_day(at=RUN)
        assert charged(line) == [[D("18.00")]]
        assert gigabytes(line) == [20, 2]
        assert days(line) == [(1, "11-20", 20), (2, "12-01", 2)]
        assert_books_agree()

    def test_it_is_the_same_when_they_are_reported_after_the_run(self, line: Line) -> None:
        sold(line)
        used(line, 20, "2026-11-20 10:00")
        run_day(at=RUN)
        used(line, 2, EARLY, reported="2026-12-01 00:06")
        assert charged(line) == [[D("18.00")]]
        assert gigabytes(line) == [20, 2]

    def test_what_happened_in_the_last_moment_of_the_period_stays_there(self, line: Line) -> None:
        sold(line)
        used(line, 21, "2026-11-30 23:59:59.999999", reported=EARLY)
        used(line, 2, "2026-12-01 00:00", reported=EARLY)
        run_day(at=RUN)
        assert charged(line) == [[D("18.00"), D("1.20")]]
        assert gigabytes(line) == [21, 2]

    def test_the_snapshot_that_clients_have_is_older_than_that_of_the_new_period(self, line: Line) -> None:
        sold(line)
        used(line, 2, EARLY)
        before = line_snapshot(phone_number=line.phone_number, at=EARLY)
        run_day(at=RUN)
        after = line_snapshot(phone_number=line.phone_number, at=RUN)
        assert after["version"] > before["version"]
        assert (before["total_bytes"], after["total_bytes"]) == (2 * GB, 2 * GB)

    def test_a_resend_is_a_duplicate(self, line: Line) -> None:
        sold(line)
        report = UsageReport(line.phone_number, "SMS", 3, "smsc", "e-1", EARLY)
        apply_usage(reports=[report], at=EARLY)
        run_day(at=RUN)
        assert apply_usage(reports=[report], at=RUN)[0].result is Result.DUPLICATE
        assert UsageEvent.objects.get(source="smsc").subscription == periods(line)[1]


class TestWhenTheRunIsLate:
    def test_ten_hours(self, line: Line) -> None:
        sold(line)
        used(line, 20, "2026-11-20 10:00")
        for hour in range(10):
            used(line, 1, f"2026-12-01 {hour:02d}:30")
        run_day(at=moment("2026-12-01 10:05"))
        assert charged(line) == [[D("18.00")]]
        assert gigabytes(line) == [20, 10]

    def test_two_months(self, line: Line) -> None:
        sold(line)
        for day in ("2026-11-30", "2026-12-01", "2026-12-31", "2027-01-01", "2027-01-20"):
            used(line, 12, f"{day} 12:00")
        run_day(at=moment("2027-01-20 12:05"))
        assert gigabytes(line) == [12, 24, 24]
        assert [period.limit_bytes // GB for period in periods(line)] == [20, 24, 20]  # half of 8 went over
        assert charged(line) == [[D("18.00")], [D("18.00")]]
        assert_books_agree()

    def test_a_plan_of_days_whose_end_is_no_midnight(self, line: Line, make_plan: MakePlan) -> None:
        make_plan("week", validity_days=7, data_bytes=GB, overage_price_per_gb="1.00")
        sold(line, "week", "2026-11-02 10:06")
        used(line, 1, "2026-11-09 10:05:59")
        used(line, 1, "2026-11-09 10:06")
        used(line, 0.5, "2026-11-09 11:00")
        run_day(at=moment("2026-11-09 11:05"))
        assert gigabytes(line) == [1, 1.5]
        assert days(line) == [(1, "11-09", 1), (2, "11-09", 1.5)]
        assert charged(line) == [[D("30.00")]]

    def test_what_is_carried_over_is_not_eaten_by_it(self, line: Line, make_plan: MakePlan) -> None:
        make_plan("roll", validity_days=0, data_bytes=10 * GB, rollover_share=1, rollover_cap=1)
        sold(line, "roll")
        used(line, 4, "2026-11-20 10:00")
        used(line, 3, EARLY)
        run_day(at=RUN)
        assert [period.limit_bytes // GB for period in periods(line)] == [10, 16]
        assert gigabytes(line) == [4, 3]
        assert_books_agree()

    def test_an_order_that_begins_the_period_does_the_same(
        self, line: Line, make_pack: MakePack, make_plan: MakePlan
    ) -> None:
        sold(line)
        used(line, 20, "2026-11-20 10:00")
        used(line, 2, EARLY)
        order_pack(
            line=fresh(line), pack=make_pack("more"), reference="p", dry_run=False, clock=lambda: EARLY
        )
        assert gigabytes(line) == [20, 2]
        run_day(at=RUN)
        assert charged(line) == [[D("18.00")]]

    def test_a_dry_run_of_an_order_moves_nothing(self, line: Line, make_pack: MakePack) -> None:
        sold(line)
        used(line, 2, EARLY)
        order_pack(line=fresh(line), pack=make_pack("more"), reference="p", dry_run=True, clock=lambda: EARLY)
        assert gigabytes(line) == [2]
        assert_books_agree()

    def test_the_plan_that_was_to_begin_gets_it(self, line: Line) -> None:
        sold(line)
        schedule_plan_change(
            line=fresh(line), plan=Plan.objects.get(code="movil-30"), at=moment("2026-11-10 10:00")
        )
        used(line, 21, EARLY)
        run_day(at=RUN)
        assert charged(line) == [[D("18.00")]]
        assert gigabytes(line) == [0, 21]
        assert periods(line)[1].plan.code == "movil-30"

    def test_a_line_that_was_to_end_and_is_kept_after_all(self, line: Line) -> None:
        sold(line)
        schedule_end(line=fresh(line), at=moment("2026-11-10 10:00"))
        used(line, 21, EARLY)
        cancel_end(line=fresh(line), at=moment("2026-12-01 00:03"))
        run_day(at=RUN)
        assert gigabytes(line) == [0, 21]
        assert charged(line) == [[D("18.00")]]

    def test_a_suspended_line_that_is_resumed_before_the_run(self, line: Line) -> None:
        sold(line)
        suspend_line(line=fresh(line), reason="CUSTOMER", at=moment("2026-11-30 10:00"))
        resume_line(line=fresh(line), at=moment("2026-12-01 01:00"))
        used(line, 21, "2026-12-01 01:00")
        run_day(at=moment("2026-12-01 02:00"))
        assert gigabytes(line) == [0, 21]
        assert charged(line) == [[D("18.00")]]


class TestBillsThatAreMadeBeforeTheRun:
    @pytest.fixture
    def over(self, line: Line, settings: Any) -> Line:
        settings.BILL_AS_PERIODS_END = False
        sold(line)
        used(line, 20, "2026-11-20 10:00")
        used(line, 2, EARLY)
        return line

    def test_a_billing_run_begins_the_next_period_first(self, over: Line) -> None:
        call_command("bill_period", "2026-11", "--date=2026-11-30", "--ahead", "--workers=1")
        assert charged(over) == [[D("18.00")]]
        assert gigabytes(over) == [20, 2]
        run_day(at=RUN)
        assert len(periods(over)) == 2
        assert_books_agree()

    def test_its_rehearsal_says_what_it_will_come_to_and_changes_nothing(self, over: Line) -> None:
        *_, rehearsal = rehearse_period(period="2026-11", at=RUN)
        assert (rehearsal.invoices, rehearsal.subtotal) == (1, D("18.00"))
        assert gigabytes(over) == [22]

    def test_a_draft_by_hand(self, over: Line) -> None:
        draft = draft_invoice(subscription=periods(over)[0], at=moment("2026-12-01 00:03"))
        assert draft.subtotal == D("18.00")
        assert gigabytes(over) == [20, 2]


def test_usage_of_a_billed_period_that_comes_later_is_still_late_usage(line: Line) -> None:
    """The version that an invoice was made from is not reached a second time when events go."""
    sold(line)
    used(line, 20, "2026-11-20 10:00")
    for second in range(5):
        used(line, 1, f"2026-12-01 00:02:0{second}")
    run_day(at=RUN)
    used(line, 1, "2026-11-21 10:00", reported="2026-12-02 10:00")
    run_day(at=moment("2027-01-01 00:05"))
    assert charged(line)[1] == [D("18.00"), D("1.20")]
    assert InvoiceLine.objects.get(late_for=periods(line)[0]).amount == D("1.20")


def test_purged_usage_never_has_to_move(line: Line) -> None:
    """What happened after the end of a line's last period is kept until its period is there."""
    sold(line)
    used(line, 1, "2026-11-20 10:00")
    used(line, 2, EARLY)
    every = Subscription.objects.filter(line=line)
    list(purge_events(of=every, before=moment("2026-12-20").date(), at=moment("2027-02-01")))
    assert UsageEvent.objects.filter(subscription__line=line).count() == 1
    run_day(at=moment("2027-02-01 00:05"))
    assert gigabytes(line)[:2] == [1, 2]
    assert_books_agree()


def test_verify_usage_names_what_is_in_the_wrong_period(line: Line) -> None:
    sold(line)
    used(line, 2, EARLY)
    run_day(at=RUN)
    first, second = periods(line)
    UsageEvent.objects.filter(subscription=second).update(subscription=first)
    assert "events of after its end" in [found.where for found in find_differences()]


def test_many_lines_are_moved_by_the_statements_of_one(line: Line) -> None:
    def asked(at: str) -> int:
        with CaptureQueriesContext(connection) as statements:
            assert sum(renew_due_lines(at=moment(at))) == Line.objects.filter(auto_renew=True).count()
        return len(statements)

    sold(line)
    used(line, 1, EARLY)
    of_one = asked("2026-12-01 00:05")
    for number in range(10):
        other = Line.objects.create(
            customer=line.customer, phone_number=f"09555556{number:02d}", product_type="MOVIL"
        )
        sold(other, at="2026-12-15 00:00")
        used(other, 1, "2027-01-01 00:02")
    used(line, 1, "2027-01-01 00:02")
    assert asked("2027-01-01 00:05") <= of_one + 1
    assert not list(find_differences())


def test_an_order_of_another_plan_right_after_the_end_gets_it(line: Line) -> None:
    sold(line)
    used(line, 2, EARLY)
    order_plan(
        line=fresh(line),
        plan=Plan.objects.get(code="movil-30"),
        at_period_end=False,
        dry_run=False,
        clock=lambda: moment("2026-12-01 00:03"),
    )
    assert gigabytes(line) == [0, 2, 0]
    assert [period.plan.code for period in periods(line)] == ["pospago-20", "pospago-20", "movil-30"]
