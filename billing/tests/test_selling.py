"""Packs, prepaid lines, suspensions, ends and discounts: what becomes of the periods, and what it costs."""

from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
from django.test import Client

from billing.invoicing.drafting import draft_invoice
from billing.models import Discount, Wallet, WalletEntry
from billing.sales.renewal import renew_subscriptions
from billing.sales.services import (
    activate_subscription,
    agree_spend_limit,
    buy_pack,
    cancel_end,
    change_plan,
    schedule_end,
    schedule_plan_change,
    terminate_line,
)
from billing.tests.builders import MakePack, MakePlan, balance, fresh, moment, periods, refusal, use
from billing.wallets import adjust_wallet
from customers.models import Line, LineEvent, LineStatus, Pack, PlanChange, SoldPack, Subscription
from customers.services import resume_line, suspend_line
from usage.models import UsageAlert

D = Decimal
GB = 2**30

pytestmark = pytest.mark.django_db


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
        Wallet.objects.create(line=sold)
        pack = make_pack("extra")
        at = moment("2026-11-02")
        agree_spend_limit(line=sold, limit=D(7), at=at)
        buy_pack(line=sold, pack=pack, reference="p-1", at=at)
        assert refusal(lambda: buy_pack(line=sold, pack=pack, reference="p-2", at=at)) == "spend_limit"
        Subscription.objects.update(overage_beyond_spend_limit=True)
        buy_pack(line=sold, pack=pack, reference="p-2", at=at)

    @pytest.mark.parametrize(("limit", "refused"), [("8.00", None), ("7.99", "spend_limit")])
    def test_packs_may_cost_exactly_the_spending_limit(
        self, sold: Line, make_pack: MakePack, limit: str, refused: str | None
    ) -> None:
        Wallet.objects.create(line=sold)
        pack, at = make_pack("extra", price="4.00"), moment("2026-11-02")
        agree_spend_limit(line=sold, limit=D(limit), at=at)
        buy_pack(line=sold, pack=pack, reference="p-1", at=at)
        buy = partial(buy_pack, line=sold, pack=pack, reference="p-2", at=at)
        if refused:
            assert refusal(buy) == refused
        else:
            assert not buy().repeated

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

    def test_what_is_used_up_is_not_given_back(self, sold: Line, make_plan: MakePlan) -> None:
        Subscription.objects.filter(line=sold).update(data_bytes=30 * GB, limit_bytes=30 * GB)
        use(sold, 27, moment("2026-11-02"))
        terminate_line(line=sold, at=moment("2026-11-03"))
        assert balance(sold) == D("100") - D("31.05")

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

    def test_a_planned_end_can_be_called_off(self, sold: Line) -> None:
        schedule_end(line=sold, at=moment("2026-11-02"))
        cancel_end(line=fresh(sold), at=moment("2026-11-03"))
        assert refusal(lambda: cancel_end(line=fresh(sold), at=moment("2026-11-04"))) == "no_planned_end"
        renew_subscriptions(at=moment("2026-12-15"))
        assert len(periods(sold)) == 2

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


def test_no_reference_from_outside_can_be_one_of_ours(client: Client, open_api: None, prepaid: Line) -> None:
    """Else somebody could take the one that the next period will be paid under, and it could not be."""
    for path, body in (
        ("top-ups", {"amount": 5.0, "reference": "period 1 1"}),
        ("packs", {"pack": "x", "reference": "left of period 1"}),
    ):
        address = f"/api/customers/{prepaid.phone_number}/{path}"
        assert client.post(address, body, content_type="application/json").status_code == 422
