"""Usage that was counted and happened after a plan was changed or a line had ended; and what alerts of it."""

from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command

from billing.daily import run_day
from billing.sales.orders import order_pack
from billing.sales.services import (
    activate_subscription,
    change_plan,
    schedule_end,
    terminate_line,
)
from billing.tests.builders import MakePack, MakePlan, fresh, leave_other_lines_alone, moment, periods, sold
from billing.tests.lines import fund
from billing.tests.use import EARLY, GB, RUN, alerts, assert_books_agree, charged, gigabytes, used
from customers.models import Line, Plan
from usage.ingestion.reports import Result, UsageReport
from usage.models import RejectedUsage, UsageEvent
from usage.services import redrive_usage, take_usage
from usage.verification import find_differences

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("opened")]

D = Decimal


@pytest.fixture(autouse=True)
def alone(opened: None) -> None:
    """Only the lines of the test have periods."""
    leave_other_lines_alone()


class TestAlerts:
    def test_they_are_those_that_there_would_have_been(self, line: Line) -> None:
        sold(line)
        used(line, 12, "2026-11-20 10:00")
        used(line, 13, EARLY)
        assert alerts(line) == [(1, 50), (1, 80), (1, 100)]
        run_day(at=RUN)
        assert alerts(line) == [(1, 50), (2, 50)]

    def test_a_late_report_that_crossed_a_threshold_did_so(self, line: Line) -> None:
        sold(line)
        used(line, 3, EARLY)
        used(line, 12, "2026-11-20 10:00", reported="2026-12-01 00:03")
        run_day(at=RUN)
        assert alerts(line) == [(1, 50)]

    def test_one_of_a_smaller_allowance_stays(self, line: Line, make_pack: MakePack) -> None:
        sold(line)
        used(line, 10, "2026-11-20 10:00")
        pack = make_pack("more", data_bytes=10 * GB)
        order_pack(
            line=fresh(line), pack=pack, reference="p", dry_run=False, clock=lambda: moment("2026-11-21")
        )
        used(line, 4, EARLY)
        run_day(at=RUN)
        assert alerts(line) == [(1, 50)]  # of 20 GB; of 30 it would take 15


class TestALineThatEnds:
    """It has no next period: what happened after its end is rejected, whenever it is reported."""

    def test_with_its_period_before_a_late_run(self, line: Line) -> None:
        sold(line)
        schedule_end(line=fresh(line), at=moment("2026-11-10 10:00"))
        used(line, 20, "2026-11-20 10:00")
        used(line, 2, EARLY)
        run_day(at=RUN)
        assert charged(line) == [[D("18.00")]]
        assert gigabytes(line) == [20]
        assert [row.reason for row in RejectedUsage.objects.all()] == ["line_terminated"]
        assert used(line, 2, EARLY, reported=RUN) is Result.REJECTED
        assert_books_agree()

    def test_a_bill_that_is_made_before_the_run_ends_it_first(self, line: Line, settings: Any) -> None:
        settings.BILL_AS_PERIODS_END = False
        sold(line)
        schedule_end(line=fresh(line), at=moment("2026-11-10 10:00"))
        used(line, 22, EARLY)
        call_command("bill_period", "2026-11", "--date=2026-11-30", "--ahead", "--workers=1")
        assert charged(line) == [[D("18.00")]]
        assert fresh(line).terminated_at == moment("2026-12-01 00:00")

    def test_now_with_a_network_whose_clock_is_fast(self, line: Line) -> None:
        sold(line)
        used(line, 30, "2026-11-10 10:00:20", reported="2026-11-10 10:00")
        terminate_line(line=fresh(line), at=moment("2026-11-10 10:00:05"))
        run_day(at=RUN)
        assert charged(line) == [[D("5.40")]]  # nine of thirty days
        assert not list(find_differences())

    def test_a_resend_is_kept_once(self, line: Line) -> None:
        sold(line)
        schedule_end(line=fresh(line), at=moment("2026-11-10 10:00"))
        report = UsageReport(line.phone_number, "SMS", 1, "smsc", "e", EARLY)
        take_usage(reported=[report], at=EARLY)
        run_day(at=RUN)
        take_usage(reported=[report], at=RUN)
        assert redrive_usage(rejected=RejectedUsage.objects.all(), at=RUN).rejected == 1
        assert RejectedUsage.objects.get().reason == "line_terminated"
        assert not UsageEvent.objects.filter(source="smsc").exists()


class TestAPlanThatIsChangedNow:
    """A network's clock may be some seconds fast."""

    CHANGED = moment("2026-11-10 10:00:00.400000")

    def test_what_happened_after_the_change_is_of_the_new_plan(self, line: Line) -> None:
        sold(line)
        used(line, 1, "2026-11-10 09:59:59")
        used(line, 2, "2026-11-10 10:00:20", reported="2026-11-10 10:00:00.300000")
        change_plan(line=fresh(line), plan=Plan.objects.get(code="movil-30"), at=self.CHANGED)
        assert gigabytes(line) == [1, 2]
        assert_books_agree()

    def test_it_does_not_count_for_the_price_of_the_old_one(self, prepaid: Line) -> None:
        """All of the old period's allowance would be used up, and nothing of it given back."""
        fund(prepaid, "100.00")
        sold(prepaid, "prepago-8", "2026-11-08 10:00")
        used(prepaid, 8, "2026-11-10 10:00:20", reported="2026-11-10 10:00", category="ENTERTAINMENT")
        sale = change_plan(line=fresh(prepaid), plan=Plan.objects.get(code="movil-30"), at=self.CHANGED)
        assert sale.bills[0].rated.subtotal == D("1.07")  # two of fifteen days of 8.00

    def test_nor_does_it_take_from_what_goes_over(self, line: Line, make_plan: MakePlan) -> None:
        make_plan("roll", validity_days=0, data_bytes=30 * GB, rollover_share=1, rollover_cap=1)
        sold(line, "roll")
        used(line, 2, "2026-11-10 10:00:20", reported="2026-11-10 10:00")
        change_plan(line=fresh(line), plan=Plan.objects.get(code="pospago-20"), at=self.CHANGED)
        assert periods(line)[1].carried_in_bytes == 9 * GB  # nine of thirty days

    def test_a_plan_that_is_sold_after_a_gap(self, line: Line) -> None:
        sold(line, "movil-30")
        Line.objects.filter(pk=line.pk).update(auto_renew=False)
        expired = periods(line)[0].expiration_at
        used(line, 1, expired)
        again = moment("2027-01-15 10:00:00.400000")
        used(line, 2, "2027-01-15 10:00:20", reported="2027-01-15 10:00")
        activate_subscription(line=fresh(line), plan=Plan.objects.get(code="pospago-20"), at=again)
        assert gigabytes(line) == [1, 2]
        assert not list(find_differences())
