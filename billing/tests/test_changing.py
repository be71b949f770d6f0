"""Plans changed, packs bought, lines ended: what becomes of the periods, and what it costs."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from billing.models import Discount, Wallet, WalletEntry
from billing.sales.renewal import renew_subscriptions
from billing.sales.services import (
    activate_subscription,
    buy_pack,
    cancel_plan_change,
    change_plan,
    schedule_end,
    schedule_plan_change,
    terminate_line,
)
from billing.services import draft_invoice
from billing.tests.conftest import moment
from billing.wallets import adjust_wallet
from customers.models import Line, LineEvent, LineStatus, Pack, Plan, PlanChange, SoldPack, Subscription
from customers.services import resume_line, suspend_line
from telcox.common.errors import DomainError
from usage.models import Category, UsageAlert
from usage.services import line_snapshot, record_usage

D = Decimal
GB = 2**30

pytestmark = pytest.mark.django_db

MakePlan = Callable[..., Plan]
MakePack = Callable[..., Pack]


def periods(line: Line) -> list[Subscription]:
    return list(line.subscriptions.order_by("sequence"))


def fresh(line: Line) -> Line:
    return Line.objects.get(pk=line.pk)


def use(line: Line, gigabytes: float, at: datetime) -> None:
    quantity = int(gigabytes * GB)
    record_usage(
        phone_number=line.phone_number, category=Category.SOCIAL, quantity=quantity, source="t", at=at
    )


def balance(line: Line) -> Decimal:
    return Wallet.objects.get(line=line).balance_usd


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(DomainError) as refused:
        call()
    return refused.value.reason


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
            ("2026-10-31", "period_just_begun"),
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
            assert refusal(lambda plan=plan: change_plan(line=sold, plan=plan, at=at)) == reason

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


class TestPacks:
    @pytest.fixture
    def sold(self, line: Line, make_plan: MakePlan) -> Line:
        activate_subscription(line=line, plan=make_plan("small", data_bytes=GB), at=moment("2026-11-01"))
        return fresh(line)

    def test_a_pack_adds_to_the_period_until_it_ends_and_is_on_its_bill(
        self, sold: Line, make_pack: MakePack
    ) -> None:
        pack = make_pack("extra", voice_minutes=30, sms=5)
        buy_pack(line=sold, pack=pack, reference="p-1", at=moment("2026-11-02"))
        renew_subscriptions(at=moment("2026-12-02"))
        first, second = periods(sold)
        assert (first.limit_bytes, first.minutes_limit, first.sms_limit) == (2 * GB, 30, 5)
        assert second.limit_bytes == GB
        bill = draft_invoice(subscription=first, at=moment("2026-12-02"))
        assert [(each.description, each.amount) for each in bill.lines.all()][1] == ("Extra", D("4.00"))

    def test_the_same_reference_buys_once(self, sold: Line, make_pack: MakePack) -> None:
        pack, other = make_pack("extra"), make_pack("other")
        at = moment("2026-11-02")
        first = buy_pack(line=sold, pack=pack, reference="p-1", at=at)
        again = buy_pack(line=sold, pack=pack, reference="p-1", at=at)
        assert (first.repeated, again.repeated, again.pack) == (False, True, first.pack)
        assert refusal(lambda: buy_pack(line=sold, pack=other, reference="p-1", at=at)) == "reference_used"
        assert (SoldPack.objects.count(), periods(sold)[0].limit_bytes) == (1, 2 * GB)

    def test_a_sold_pack_keeps_its_price(self, sold: Line, make_pack: MakePack) -> None:
        pack = make_pack("extra")
        buy_pack(line=sold, pack=pack, reference="p-1", at=moment("2026-11-02"))
        Pack.objects.update(price=99)
        assert draft_invoice(subscription=periods(sold)[0], at=moment("2026-12-02")).subtotal == D("34.00")

    def test_it_does_not_pass_the_spending_limit(self, sold: Line, make_pack: MakePack) -> None:
        Wallet.objects.create(line=sold, balance_limit_usd=7)
        pack = make_pack("extra")
        at = moment("2026-11-02")
        buy_pack(line=sold, pack=pack, reference="p-1", at=at)
        assert refusal(lambda: buy_pack(line=sold, pack=pack, reference="p-2", at=at)) == "spend_limit"
        Subscription.objects.update(overage_beyond_spend_limit=True)
        buy_pack(line=sold, pack=pack, reference="p-2", at=at)

    def test_a_suspended_line_and_one_whose_period_is_over_buy_nothing(
        self, sold: Line, make_pack: MakePack
    ) -> None:
        pack = make_pack("extra")
        buy = lambda at: refusal(lambda: buy_pack(line=sold, pack=pack, reference="p", at=moment(at)))  # noqa: E731
        assert buy("2026-12-02") == "no_running_period"
        suspend_line(line=sold, reason="CUSTOMER", at=moment("2026-11-03"))
        assert buy("2026-11-04") == "line_suspended"
        assert not SoldPack.objects.exists()

    def test_an_allowance_that_grew_is_told_of_again_when_it_is_used_up(
        self, sold: Line, make_pack: MakePack
    ) -> None:
        use(sold, 1, moment("2026-11-02"))
        told = UsageAlert.objects.get(threshold=100)
        buy_pack(line=sold, pack=make_pack("extra"), reference="p-1", at=moment("2026-11-03"))
        use(sold, 1, moment("2026-11-04"))
        again = UsageAlert.objects.get(threshold=100)
        assert (told.crossed_at, again.crossed_at) == (moment("2026-11-02"), moment("2026-11-04"))


class TestPrepaid:
    @pytest.fixture
    def sold(self, prepaid: Line, make_plan: MakePlan) -> Line:
        adjust_wallet(line=prepaid, amount=D(100), reference="money", at=moment("2026-10-31"))
        activate_subscription(line=prepaid, plan=make_plan("small"), at=moment("2026-11-01"))
        return fresh(prepaid)

    def test_a_plan_is_paid_with_its_tax_when_it_is_sold(self, sold: Line) -> None:
        assert balance(sold) == D("65.50")
        entry = WalletEntry.objects.get(subscription=periods(sold)[0])
        assert (entry.kind, entry.amount) == ("CHARGE", D("-34.50"))

    def test_a_wallet_that_is_short_buys_nothing(self, prepaid: Line, make_plan: MakePlan) -> None:
        adjust_wallet(line=prepaid, amount=D("34.49"), reference="money", at=moment("2026-10-31"))
        plan = make_plan("small")
        sell = lambda: activate_subscription(line=prepaid, plan=plan, at=moment("2026-11-01"))  # noqa: E731
        assert refusal(sell) == "insufficient_balance"
        assert (periods(prepaid), balance(prepaid)) == ([], D("34.49"))
        assert not LineEvent.objects.exists()

    def test_a_pack_is_paid_at_once(self, sold: Line, make_pack: MakePack) -> None:
        buy_pack(line=sold, pack=make_pack("extra"), reference="p-1", at=moment("2026-11-02"))
        assert balance(sold) == D("60.90")
        dear = make_pack("dear", price="60.00")
        buy = lambda: buy_pack(line=sold, pack=dear, reference="p-2", at=moment("2026-11-02"))  # noqa: E731
        assert refusal(buy) == "insufficient_balance"
        assert (SoldPack.objects.count(), periods(sold)[0].limit_bytes) == (1, GB)

    def test_changing_the_plan_gives_back_what_was_not_used_up(self, sold: Line, make_plan: MakePlan) -> None:
        large = make_plan("large", price="60.00")
        change_plan(line=sold, plan=large, at=moment("2026-11-11"))
        # 34.50 less ten days of it are 23.00 back; 69.00 for the new one.
        assert balance(sold) == D("100") - D("11.50") - D("69.00")
        kinds = (
            WalletEntry.objects.filter(wallet__line=sold).order_by("position").values_list("kind", "amount")
        )
        assert list(kinds)[2:] == [("REFUND", D("23.00")), ("CHARGE", D("-69.00"))]

    def test_ending_the_line_gives_back_the_rest(self, sold: Line) -> None:
        terminate_line(line=sold, at=moment("2026-11-16"))
        assert balance(sold) == D("100") - D("17.25")

    def test_overage_is_never_charged(self, sold: Line) -> None:
        Subscription.objects.update(overage_price_per_gb=5)
        use(sold, 50, moment("2026-11-02"))
        assert draft_invoice(subscription=periods(sold)[0], at=moment("2026-12-01")).subtotal == D("30.00")


class TestSuspending:
    def test_days_that_the_operator_took_are_not_charged(self, line: Line, make_plan: MakePlan) -> None:
        activate_subscription(line=line, plan=make_plan("small"), at=moment("2026-11-01"))
        for reason, from_, until in (("OPERATOR", "03", "06"), ("CUSTOMER", "10", "20")):
            suspend_line(line=fresh(line), reason=reason, at=moment(f"2026-11-{from_}"))
            resume_line(line=fresh(line), at=moment(f"2026-11-{until}"))
        assert draft_invoice(subscription=periods(line)[0], at=moment("2026-12-01")).subtotal == D("27.00")

    def test_a_contract_goes_on_while_its_line_is_suspended(self, line: Line, make_plan: MakePlan) -> None:
        activate_subscription(line=line, plan=make_plan("small"), at=moment("2026-11-01"))
        suspend_line(line=fresh(line), reason="OPERATOR", at=moment("2026-11-16"))
        renew_subscriptions(at=moment("2026-12-20"))
        bills = [draft_invoice(subscription=p, at=moment("2027-01-01")) for p in periods(line)]
        assert [bill.subtotal for bill in bills] == [D("15.00"), D("0.00")]


class TestEnding:
    @pytest.fixture
    def sold(self, line: Line, make_plan: MakePlan) -> Line:
        activate_subscription(line=line, plan=make_plan("small"), at=moment("2026-11-01"))
        return fresh(line)

    def test_a_terminated_line_is_charged_for_its_days_and_is_gone(
        self, sold: Line, make_plan: MakePlan
    ) -> None:
        schedule_plan_change(line=sold, plan=make_plan("large"), at=moment("2026-11-02"))
        suspend_line(line=fresh(sold), reason="NON_PAYMENT", at=moment("2026-11-05"))
        ended = terminate_line(line=fresh(sold), at=moment("2026-11-11"))
        assert (ended.status, ended.terminated_at) == (LineStatus.TERMINATED, moment("2026-11-11"))
        assert not ended.suspensions.filter(is_open=True).exists()
        assert not PlanChange.objects.pending().exists()
        assert draft_invoice(subscription=periods(sold)[0], at=moment("2026-12-01")).subtotal == D("10.00")
        renew_subscriptions(at=moment("2027-06-01"))
        assert len(periods(sold)) == 1
        assert refusal(lambda: terminate_line(line=ended, at=moment("2026-11-12"))) == "line_terminated"

    def test_one_that_ends_with_its_period_is_not_renewed(self, sold: Line) -> None:
        schedule_end(line=sold, at=moment("2026-11-02"))
        renew_subscriptions(at=moment("2026-12-15"))
        assert len(periods(sold)) == 1


class TestDiscounts:
    def test_those_valid_when_a_period_begins_are_its_own_for_good(
        self, line: Line, make_plan: MakePlan
    ) -> None:
        plan, other = make_plan("small"), make_plan("other")
        day = moment("2026-11-01").date()
        ten = Discount.objects.create(name="Ten", percent=10, plan=plan, valid_from=day)
        Discount.objects.create(
            name="Five", amount=5, customer=line.customer, valid_from=day, valid_until=day
        )
        Discount.objects.create(name="Elsewhere", amount=9, plan=other, valid_from=day)
        Discount.objects.create(name="Later", amount=9, plan=plan, valid_from=day + timedelta(days=1))
        activate_subscription(line=line, plan=plan, at=moment("2026-11-01 12:00"))
        ten.delete()
        renew_subscriptions(at=moment("2026-12-02"))
        bills = [draft_invoice(subscription=p, at=moment("2027-01-01")) for p in periods(line)]
        assert [bill.discount for bill in bills] == [D("8.00"), D("9.00")]


def test_staff_may_take_something_off_one_bill(line: Line, make_plan: MakePlan) -> None:
    sold = activate_subscription(line=line, plan=make_plan("small"), at=moment("2026-11-01"))
    bill = draft_invoice(subscription=sold, at=moment("2026-12-01"), discount=D("4.50"))
    assert (bill.discount, bill.tax, bill.total) == (D("4.50"), D("3.83"), D("29.33"))
    assert bill.lines.get().discount == D("4.50")
