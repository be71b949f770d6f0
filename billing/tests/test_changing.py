"""Plans by the month, and plans changed: what becomes of the periods, and what it costs."""

from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest

from billing.invoicing.drafting import draft_invoice
from billing.sales.renewal import renew_subscriptions
from billing.sales.services import (
    activate_subscription,
    buy_pack,
    cancel_plan_change,
    change_plan,
    schedule_plan_change,
)
from billing.tests.builders import MakePack, MakePlan, fresh, moment, periods, refusal, use
from customers.models import Line, LineEvent, Plan, PlanChange
from usage.reading import line_snapshot
from usage.services import record_usage
from usage.vocabulary import Category

D = Decimal
GB = 2**30

pytestmark = pytest.mark.django_db


class TestMonths:
    def test_who_comes_in_mid_month_pays_and_gets_the_rest_of_it(
        self, line: Line, make_plan: MakePlan
    ) -> None:
        plan = make_plan("month", validity_days=0, data_bytes=30 * GB)
        first = activate_subscription(line=line, plan=plan, at=moment("2026-11-21 15:00"))
        assert (first.expiration_at, first.cycle_start_at) == (moment("2026-12-01"), moment("2026-11-01"))
        assert first.limit_bytes == 10 * GB
        bill = draft_invoice(subscription=first, at=moment("2026-12-01"))
        assert (bill.subtotal, bill.period) == (D("10.00"), "2026-11")
        assert bill.lines.get().description == "Month, 21/11/2026 – 30/11/2026 (10 de 30 días)"

    def test_months_follow_the_calendar_over_leap_years_and_year_ends(
        self, line: Line, make_plan: MakePlan
    ) -> None:
        plan = make_plan("month", validity_days=0)
        activate_subscription(line=line, plan=plan, at=moment("2027-12-31 23:59"))
        renew_subscriptions(at=moment("2028-04-01"))
        starts = [period.start_at for period in periods(line)]
        assert starts == [
            moment("2027-12-31 23:59"),
            *(moment(f"2028-0{month}-01") for month in (1, 2, 3, 4)),
        ]
        february = periods(line)[2]
        assert february.expiration_at - february.start_at == timedelta(days=29)


class TestChangingNow:
    @pytest.fixture
    def small(self, make_plan: MakePlan) -> Plan:
        return make_plan("small", price="30.00", data_bytes=30 * GB, overage_price_per_gb="1")

    @pytest.fixture
    def large(self, make_plan: MakePlan) -> Plan:
        return make_plan("large", price="60.00", data_bytes=90 * GB)

    @pytest.fixture
    def sold(self, line: Line, small: Plan) -> Line:
        activate_subscription(line=line, plan=small, at=moment("2026-11-01 10:00"))
        return fresh(line)

    def test_each_plan_is_paid_and_gives_its_allowance_for_its_days(self, sold: Line, large: Plan) -> None:
        sale = change_plan(line=sold, plan=large, at=moment("2026-11-11 18:00"))
        old, new = periods(sold)
        assert (old.expiration_at, new.start_at) == (moment("2026-11-11 18:00"),) * 2
        assert (old.limit_bytes, new.limit_bytes) == (10 * GB, 90 * GB)
        assert [bill.rated.subtotal for bill in sale.bills] == [D("10.00"), D("60.00")]
        assert new.expiration_at == moment("2026-12-11 18:00")
        assert (old.is_last, new.is_last, new.renewed_from_id) == (None, True, old.pk)

    def test_the_invoice_says_what_the_change_said(self, sold: Line, large: Plan) -> None:
        use(sold, 12.5, moment("2026-11-05"))
        sale = change_plan(line=sold, plan=large, at=moment("2026-11-11 18:00"))
        drafts = [draft_invoice(subscription=p, at=moment("2026-12-12")) for p in periods(sold)]
        assert [draft.total for draft in drafts] == [bill.rated.total for bill in sale.bills]
        assert drafts[0].subtotal == D("12.50")  # 10 of 30 days, and 2.5 GB beyond a third of the allowance

    def test_usage_goes_to_the_period_it_happened_in(self, sold: Line, large: Plan) -> None:
        change_plan(line=sold, plan=large, at=moment("2026-11-11 18:00"))
        late = moment("2026-11-11 17:59")
        record_usage(
            phone_number=sold.phone_number, category=Category.SMS, quantity=1, source="t",
            at=moment("2026-11-12"), occurred_at=late,
        )  # fmt: skip
        old, new = periods(sold)
        assert (old.usage_counter.used_sms, hasattr(new, "usage_counter")) == (1, False)

    def test_changing_there_and_back_on_one_day_costs_nothing_but_its_days(
        self, sold: Line, small: Plan, large: Plan
    ) -> None:
        change_plan(line=sold, plan=large, at=moment("2026-11-11 08:00"))
        sale = change_plan(line=fresh(sold), plan=small, at=moment("2026-11-11 20:00"))
        assert [bill.rated.subtotal for bill in sale.bills] == [D("0.00"), D("30.00")]
        assert periods(sold)[1].limit_bytes == 0

    def test_what_is_left_of_packs_goes_along_and_of_the_plan_what_it_says(
        self, line: Line, make_plan: MakePlan, make_pack: MakePack, large: Plan
    ) -> None:
        plan = make_plan("rolling", data_bytes=30 * GB, rollover_share="0.5")
        activate_subscription(line=line, plan=plan, at=moment("2026-11-01"))
        buy_pack(line=line, pack=make_pack("extra"), reference="p-1", at=moment("2026-11-02"))
        use(line, 6, moment("2026-11-03"))
        change_plan(line=fresh(line), plan=large, at=moment("2026-11-11"))
        old, new = periods(line)
        # 10 GB and a pack of 1 GB; 6 GB used: half of 4 GB, and the whole pack.
        assert new.limit_bytes == 90 * GB + 2 * GB + GB
        assert old.limit_bytes == 11 * GB

    def test_what_is_left_of_packs_outlives_any_number_of_changes(
        self, sold: Line, small: Plan, large: Plan, make_pack: MakePack
    ) -> None:
        buy_pack(line=sold, pack=make_pack("extra"), reference="p-1", at=moment("2026-11-02"))
        for day, plan in ((3, large), (4, small), (5, large)):
            change_plan(line=fresh(sold), plan=plan, at=moment(f"2026-11-0{day}"))
        assert periods(sold)[-1].limit_bytes == 91 * GB
        bills = [draft_invoice(subscription=p, at=moment("2026-12-20")) for p in periods(sold)]
        assert sum(bill.subtotal for bill in bills) == D("30") * 2 / 30 + D("60") / 30 + D("30") / 30 + 60 + 4

    def test_late_usage_cannot_use_again_what_was_carried_over(self, line: Line, make_plan: MakePlan) -> None:
        plan = make_plan(
            "rolling", data_bytes=30 * GB, rollover_share="1", overage_price_per_gb="2", validity_days=0
        )
        activate_subscription(line=line, plan=plan, at=moment("2026-11-01"))
        use(line, 10, moment("2026-11-10"))
        renew_subscriptions(at=moment("2026-12-01"))
        record_usage(
            phone_number=line.phone_number, category=Category.SOCIAL, quantity=3 * GB, source="t",
            at=moment("2026-12-01 08:00"), occurred_at=moment("2026-11-30"),
        )  # fmt: skip
        november, december = periods(line)
        assert december.limit_bytes == 50 * GB
        assert draft_invoice(subscription=november, at=moment("2026-12-02")).subtotal == D("36.00")

    @pytest.mark.parametrize(
        ("at", "reason"),
        [
            ("2026-11-01 10:00", "period_just_begun"),
            ("2026-10-31", "no_running_period"),
            ("2026-12-01 10:00", "no_running_period"),
        ],
    )
    def test_only_a_running_period_is_changed(self, sold: Line, large: Plan, at: str, reason: str) -> None:
        assert refusal(lambda: change_plan(line=sold, plan=large, at=moment(at))) == reason
        assert len(periods(sold)) == 1

    def test_the_same_plan_one_off_sale_and_one_of_another_kind_are_refused(
        self, sold: Line, small: Plan, make_plan: MakePlan
    ) -> None:
        at = moment("2026-11-11")
        fixed = make_plan("fixed", product_type="FIJO")
        over = make_plan("over", on_sale_until=moment("2026-11-10").date())
        to_come = make_plan("to-come", on_sale_from=moment("2026-11-12").date())
        for plan, reason in (
            (small, "same_plan"),
            (fixed, "plan_of_other_product_type"),
            (over, "plan_not_on_sale"),
            (to_come, "plan_not_on_sale"),
        ):
            assert refusal(partial(change_plan, line=sold, plan=plan, at=at)) == reason

    def test_who_decides_on_a_state_that_is_gone_is_told(
        self, sold: Line, large: Plan, make_plan: MakePlan
    ) -> None:
        one, other = fresh(sold), fresh(sold)
        change_plan(line=one, plan=large, at=moment("2026-11-11"))
        third = make_plan("third")
        assert refusal(lambda: change_plan(line=other, plan=third, at=moment("2026-11-12"))) == (
            "changed_meanwhile"
        )
        assert LineEvent.objects.filter(line=sold, step="CHANGE_PLAN").count() == 1

    def test_a_period_that_was_billed_is_not_cut(self, sold: Line, large: Plan) -> None:
        draft_invoice(subscription=periods(sold)[0], at=moment("2026-11-05"))
        assert refusal(lambda: change_plan(line=sold, plan=large, at=moment("2026-11-11"))) == (
            "already_invoiced"
        )

    def test_the_line_shows_its_new_plan_at_once(self, sold: Line, large: Plan) -> None:
        before = line_snapshot(phone_number=sold.phone_number, at=moment("2026-11-11"))
        change_plan(line=sold, plan=large, at=moment("2026-11-11"))
        after = line_snapshot(phone_number=sold.phone_number, at=moment("2026-11-11"))
        assert after["version"] > before["version"]
        assert after["limit_bytes"] == 90 * GB


class TestChangingAtPeriodEnd:
    @pytest.fixture
    def sold(self, line: Line, make_plan: MakePlan) -> Line:
        activate_subscription(line=line, plan=make_plan("small"), at=moment("2026-11-01 10:00"))
        return fresh(line)

    def test_the_next_period_is_of_the_new_plan(self, sold: Line, make_plan: MakePlan) -> None:
        large = make_plan("large", price="60.00")
        sale = schedule_plan_change(line=sold, plan=large, at=moment("2026-11-05"))
        assert [bill.rated.subtotal for bill in sale.bills] == [D("30.00"), D("60.00")]
        assert len(periods(sold)) == 1
        renew_subscriptions(at=moment("2027-01-15"))
        assert [period.plan_name for period in periods(sold)] == ["Small", "Large", "Large"]
        change = PlanChange.objects.get()
        assert (change.is_pending, change.done_at) == (None, moment("2027-01-15"))

    def test_a_later_wish_replaces_an_earlier_one(self, sold: Line, make_plan: MakePlan) -> None:
        schedule_plan_change(line=sold, plan=make_plan("one"), at=moment("2026-11-05"))
        schedule_plan_change(line=fresh(sold), plan=make_plan("two"), at=moment("2026-11-06"))
        renew_subscriptions(at=moment("2026-12-02"))
        assert [period.plan_name for period in periods(sold)] == ["Small", "Two"]

    def test_it_can_be_called_off_and_a_change_at_once_calls_it_off(
        self, sold: Line, make_plan: MakePlan
    ) -> None:
        one, two = make_plan("one"), make_plan("two")
        schedule_plan_change(line=sold, plan=one, at=moment("2026-11-05"))
        cancel_plan_change(line=fresh(sold), at=moment("2026-11-06"))
        assert refusal(lambda: cancel_plan_change(line=fresh(sold), at=moment("2026-11-06"))) == (
            "no_pending_change"
        )
        schedule_plan_change(line=fresh(sold), plan=one, at=moment("2026-11-07"))
        change_plan(line=fresh(sold), plan=two, at=moment("2026-11-08"))
        renew_subscriptions(at=moment("2026-12-09"))
        assert [period.plan_name for period in periods(sold)] == ["Small", "Two", "Two"]
