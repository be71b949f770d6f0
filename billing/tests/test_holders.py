"""The holder of a line in a period gets its bill, its late usage and its credit, and no later holder does."""

from decimal import Decimal
from typing import Any

import pytest

from billing.daily import run_day
from billing.invoicing.drafting import draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.invoicing.releasing import bill_parked
from billing.models import Discount, Invoice, Notice, ParkedBill, Wallet
from billing.sales.holders import change_holder
from billing.sales.renewal import renew_line
from billing.sales.revising import revise_terms
from billing.sales.services import (
    buy_pack,
    schedule_end,
    schedule_plan_change,
    terminate_line,
)
from billing.settling.crediting import credit_invoice
from billing.settling.paying import receive_payment, reverse_payment
from billing.tests.builders import (
    MakePack,
    MakePlan,
    balance,
    fresh,
    leave_other_lines_alone,
    moment,
    periods,
    refusal,
    sold,
    use,
)
from billing.verification import find_faults
from billing.wallets import adjust_wallet
from customers.models import Customer, HolderChange, Line, LineEvent, PlanChange, Subscription
from customers.services import suspend_line
from telcox.common.errors import DomainError, Unprocessable
from usage.models import UsageEvent
from usage.services import record_usage
from usage.verification import find_differences

D = Decimal
GB = 2**30
BEGIN, CHANGED = "2026-11-01 00:00", moment("2026-11-16 12:00")
FIRST, SECOND = moment("2026-12-01 00:05"), moment("2027-01-01 00:05")

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("opened")]


@pytest.fixture(autouse=True)
def alone(opened: None) -> None:
    leave_other_lines_alone()


@pytest.fixture
def other(seeded: None) -> Customer:
    return Customer.objects.create(dni="1710034065", full_name="Nueva Titular", email="nueva@example.com")


def given_to(line: Line, customer: Customer, at: Any = CHANGED, **how: Any) -> Line:
    change_holder(line=fresh(line), customer=customer, why="Cesión del contrato", at=at, by="ana", **how)
    return fresh(line)


def bills(line: Line) -> list[Invoice]:
    return list(Invoice.objects.filter(subscription__line=line, kind="INVOICE").order_by("pk"))


def charges(invoice: Invoice) -> list[Decimal]:
    return [each.amount for each in invoice.lines.order_by("position")]


def faults() -> list[str]:
    """Faults that `leave_other_lines_alone` does not make."""
    found = [str(each) for each in (*find_faults(), *find_differences())]
    return [each for each in found if "marked as billed, but has no invoice" not in each]


class TestTheStep:
    def test_each_pays_the_days_that_were_theirs(self, line: Line, other: Customer) -> None:
        before = sold(line, at=BEGIN).customer
        use(line, 4, moment("2026-11-10 10:00"))
        given_to(line, other)
        use(line, 3, moment("2026-11-20 10:00"))
        run_day(at=FIRST)
        # 15 days of 30 each: the day of the change is the new holder's.
        assert [(bill.customer, charges(bill)) for bill in bills(line)] == [
            (before, [D("9.00")]),
            (other, [D("9.00")]),
        ]
        assert [bill.customer_name for bill in bills(line)] == [before.full_name, "Nueva Titular"]
        assert faults() == []

    def test_it_stands_in_the_history_of_the_line(self, line: Line, other: Customer) -> None:
        before = sold(line, at=BEGIN).customer
        given_to(line, other)
        change = HolderChange.objects.get()
        assert (change.previous, change.customer, change.at) == (before, other, CHANGED)
        assert (change.by, change.why, change.balance) == ("ana", "Cesión del contrato", 0)
        assert LineEvent.objects.filter(line=line, step="CHANGE_HOLDER", at=CHANGED, by="ana").count() == 1

    def test_usage_of_after_it_that_came_before_it_is_the_new_holder_s(
        self, line: Line, other: Customer
    ) -> None:
        sold(line, at=BEGIN)
        use(line, 1, moment("2026-11-16 12:30"))
        given_to(line, other)
        assert UsageEvent.objects.get(source="t").subscription == periods(line)[1]
        assert faults() == []

    def test_nothing_goes_over(
        self, line: Line, other: Customer, make_plan: MakePlan, make_pack: MakePack
    ) -> None:
        make_plan("rolling", validity_days=0, data_bytes=10 * GB, rollover_share="1")
        Discount.objects.create(name="Amigos", percent=50, customer=line.customer, valid_from="2026-01-01")
        sold(line, "rolling", BEGIN)
        buy_pack(line=fresh(line), pack=make_pack("extra"), reference="p", at=moment("2026-11-15"))
        schedule_plan_change(line=fresh(line), plan=make_plan("next", validity_days=0), at=CHANGED)
        given_to(line, other)
        _first, second = periods(line)
        assert (second.limit_bytes, second.carried_in_bytes, second.discounts) == (5 * GB, 0, [])
        assert second.packs.count() == 0
        assert PlanChange.objects.pending().count() == 0
        run_day(at=FIRST)
        assert [charges(bill)[-1] for bill in bills(line)] == [D("4.00"), D("15.00")]
        assert periods(line)[2].plan.code == "rolling"
        assert faults() == []

    def test_a_scheduled_end_is_called_off(self, line: Line, other: Customer) -> None:
        sold(line, at=BEGIN)
        schedule_end(line=fresh(line), at=moment("2026-11-10"))
        assert not given_to(line, other).ends_with_period

    def test_twice_in_a_period_and_back_to_the_first(self, line: Line, other: Customer) -> None:
        before = sold(line, at=BEGIN).customer
        given_to(line, other)
        given_to(line, before, moment("2026-11-21"))
        run_day(at=FIRST)
        assert [bill.customer for bill in bills(line)] == [before, other, before]
        assert sum(bill.subtotal for bill in bills(line)) == D("18.00")
        assert faults() == []

    def test_a_run_that_is_late_bills_the_ended_period_first(self, line: Line, other: Customer) -> None:
        before = sold(line, at=BEGIN).customer
        given_to(line, other, moment("2026-12-02 10:00"))
        run_day(at=moment("2026-12-02 11:00"))
        run_day(at=SECOND)
        assert [bill.customer for bill in bills(line)] == [before, before, other]
        assert [charges(bill) for bill in bills(line)] == [[D("18.00")], [D("0.58")], [D("17.42")]]
        assert faults() == []

    def test_at_the_very_end_of_a_period_it_waits_for_a_minute(self, line: Line, other: Customer) -> None:
        sold(line, at=BEGIN)
        at = moment("2026-12-01 00:00")
        assert refusal(lambda: given_to(line, other, at)) == "period_just_begun"
        assert given_to(line, other, moment("2026-12-01 00:01")).customer == other

    def test_a_line_without_a_period(self, line: Line, other: Customer) -> None:
        assert given_to(line, other).customer == other
        assert faults() == []
        sold(line, at="2026-11-20 00:00")
        assert periods(line)[0].customer == other


class TestLater:
    def test_the_bill_of_an_ended_period_is_who_held_it_s(
        self, line: Line, other: Customer, settings: Any
    ) -> None:
        """With bills by the month, the period before may be billed weeks after the change."""
        settings.BILL_AS_PERIODS_END = False
        before = sold(line, at=BEGIN).customer
        renew_line(line=fresh(line), at=FIRST)
        given_to(line, other, moment("2026-12-20"))
        for period in periods(line):
            draft = draft_invoice(subscription=period, at=SECOND)
            issue_invoice(invoice=draft, at=SECOND)
        assert [bill.customer for bill in bills(line)] == [before, before, other]
        assert faults() == []

    def test_a_bill_that_is_billed_again(self, line: Line, other: Customer) -> None:
        before = sold(line, at=BEGIN).customer
        run_day(at=FIRST)
        given_to(line, other, moment("2026-12-10"))
        credit_invoice(invoice=bills(line)[0], why="x", at=moment("2026-12-11"), bill_again=True)
        run_day(at=moment("2026-12-11 01:00"))
        again = Invoice.objects.in_force().get(subscription=periods(line)[0])
        assert (again.customer, again.customer_dni) == (before, before.dni)
        assert faults() == []

    def test_a_paid_bill_that_is_credited(self, line: Line, other: Customer) -> None:
        """The wallet is the new holder's, so the money is handed back."""
        before = sold(line, at=BEGIN).customer
        Wallet.objects.create(line=line)
        run_day(at=FIRST)
        [invoice] = bills(line)
        pay: dict[str, Any] = {"amount": invoice.total, "payment_method": "EFECTIVO", "reference": "C-1"}
        payment = receive_payment(invoice=invoice, **pay, at=moment("2026-12-05")).payment
        given_to(line, other, moment("2026-12-10"))
        at = moment("2026-12-11")
        assert refusal(lambda: credit_invoice(invoice=invoice, why="x", at=at)) == "no_wallet"
        reverse_payment(payment=payment, why="handed back", at=at)
        note = credit_invoice(invoice=invoice, why="x", at=at)
        assert (note.customer, note.total, balance(line)) == (before, invoice.total, 0)
        assert faults() == []

    def test_a_bill_that_was_set_aside(self, line: Line, other: Customer, make_plan: MakePlan) -> None:
        make_plan("dear", price="600.00", validity_days=0)
        before = sold(line, "dear", BEGIN).customer
        run_day(at=FIRST)
        parked = ParkedBill.objects.get(is_open=True)
        given_to(line, other, moment("2026-12-10"))
        invoice = bill_parked(parked=parked, approved=True, at=moment("2026-12-11"), by="ana")
        assert invoice is not None
        assert invoice.customer == before

    def test_late_usage_is_charged_to_who_used_it_or_to_nobody(self, line: Line, other: Customer) -> None:
        sold(line, at=BEGIN)
        use(line, 20, moment("2026-11-10"))
        run_day(at=FIRST)
        given_to(line, other, moment("2026-12-10"))
        run_day(at=moment("2026-12-10 01:00"))
        late: dict[str, Any] = {"phone_number": line.phone_number, "category": "SOCIAL", "source": "t"}
        record_usage(**late, quantity=9 * GB, occurred_at=moment("2026-11-20"), at=moment("2026-12-12"))
        run_day(at=SECOND)
        assert [bill.customer == other for bill in bills(line)] == [False, False, True]
        assert not Invoice.objects.filter(lines__late_for__isnull=False).exists()

    def test_the_mail_goes_to_who_held_it(self, line: Line, other: Customer, settings: Any) -> None:
        settings.MAIL_DOCUMENTS = True
        before = sold(line, at=BEGIN).customer
        Customer.objects.filter(pk=before.pk).update(email="antes@example.com")
        given_to(line, other)
        run_day(at=FIRST)
        mails = Notice.objects.filter(channel="MAIL").values_list("invoice__customer__email", flat=True)
        assert sorted(mails) == ["antes@example.com", "nueva@example.com"]

    def test_a_discount_that_was_entered_late_is_the_period_s_holder_s(
        self, line: Line, other: Customer
    ) -> None:
        sold(line, at=BEGIN)
        given_to(line, other)
        Discount.objects.create(name="Nueva", percent=50, customer=other, valid_from="2026-01-01")
        first, second = periods(fresh(line))
        revise: dict[str, Any] = {
            "discounts_as_entered": True,
            "why": "x",
            "at": moment("2026-11-20"),
            "by": "ana",
        }
        assert refusal(lambda: revise_terms(subscription=first, **revise)) == "nothing_revised"
        revise_terms(subscription=second, **revise)
        assert periods(line)[1].discounts[0]["name"] == "Nueva"


class TestMoney:
    def test_money_on_the_wallet_goes_to_nobody_silently(self, line: Line, other: Customer) -> None:
        sold(line, at=BEGIN)
        Wallet.objects.create(line=line)
        adjust_wallet(line=line, amount=D("12.50"), reference="a", at=moment("2026-11-02"))
        assert refusal(lambda: given_to(line, other)) == "wallet_not_empty"
        assert fresh(line).customer != other
        assert len(periods(line)) == 1
        given_to(line, other, with_balance=True)
        assert HolderChange.objects.get().balance == balance(line) == D("12.50")

    def test_a_wallet_that_owes_is_settled_first(self, line: Line, other: Customer) -> None:
        sold(line, at=BEGIN)
        Wallet.objects.create(line=line, balance_limit_usd=20)
        adjust_wallet(line=line, amount=D("-5.00"), reference="a", at=moment("2026-11-02"))
        assert refusal(lambda: given_to(line, other, with_balance=True)) == "wallet_owes"

    def test_a_prepaid_line_gives_back_what_is_left_and_pays_the_new_period(
        self, prepaid: Line, other: Customer
    ) -> None:
        Wallet.objects.create(line=prepaid)
        adjust_wallet(line=prepaid, amount=D("50.00"), reference="a", at=moment("2026-10-01"))
        before = sold(prepaid, "prepago-8", "2026-11-01 10:00").customer
        paid = D("50.00") - balance(prepaid)
        change_holder(
            line=fresh(prepaid), customer=other, why="x", at=moment("2026-11-06 10:00"), with_balance=True
        )
        run_day(at=moment("2026-12-15"))
        first, second, *_ = bills(prepaid)
        assert (first.customer, second.customer) == (before, other)
        assert first.total < paid
        assert second.total == paid
        assert faults() == []

    def test_a_prepaid_line_that_cannot_pay_is_not_changed(self, prepaid: Line, other: Customer) -> None:
        Wallet.objects.create(line=prepaid)
        adjust_wallet(line=prepaid, amount=D("9.20"), reference="a", at=moment("2026-10-01"))
        sold(prepaid, "prepago-8", "2026-11-01 10:00")
        at = moment("2026-11-06 10:00")
        assert refusal(lambda: given_to(prepaid, other, at, with_balance=True)) == "insufficient_balance"
        assert fresh(prepaid).customer != other

    def test_debts_stay_with_who_made_them_and_suspend_nobody_else(
        self, line: Line, other: Customer, settings: Any
    ) -> None:
        settings.SUSPEND_AFTER_DAYS = 10
        sold(line, at=BEGIN)
        run_day(at=FIRST)
        given_to(line, other, moment("2026-12-02"))
        run_day(at=SECOND)
        theirs = Invoice.objects.get(customer=other)
        pay = {"amount": theirs.total, "payment_method": "EFECTIVO", "reference": "C-1"}
        receive_payment(invoice=theirs, **pay, at=moment("2027-01-02"))
        run_day(at=moment("2027-01-20 01:05"))
        assert [bill.status for bill in bills(line)] == ["ISSUED", "ISSUED", "PAID"]
        assert fresh(line).status == "ACTIVE"

    def test_who_owes_is_suspended(self, line: Line, other: Customer, settings: Any) -> None:
        settings.SUSPEND_AFTER_DAYS = 10
        sold(line, at=BEGIN)
        given_to(line, other)
        run_day(at=FIRST)
        run_day(at=moment("2026-12-30 01:05"))
        assert fresh(line).status == "SUSPENDED"


class TestRefusals:
    @pytest.mark.parametrize(
        ("prepare", "reason"),
        [
            (
                lambda line: suspend_line(line=line, reason="CUSTOMER", at=moment("2026-11-10")),
                "line_suspended",
            ),
            (lambda line: terminate_line(line=line, at=moment("2026-11-10")), "line_terminated"),
            (
                lambda line: draft_invoice(subscription=periods(line)[0], at=moment("2026-11-10")),
                "already_invoiced",
            ),
        ],
    )
    def test_what_is_not_possible_changes_nothing(
        self, line: Line, other: Customer, prepare: Any, reason: str
    ) -> None:
        sold(line, at=BEGIN)
        prepare(fresh(line))
        before = list(Subscription.objects.values())
        assert refusal(lambda: given_to(line, other)) == reason
        assert list(Subscription.objects.values()) == before
        assert not HolderChange.objects.exists()

    def test_the_same_holder_and_no_reason(self, line: Line, other: Customer) -> None:
        sold(line, at=BEGIN)
        assert refusal(lambda: given_to(line, line.customer)) == "same_holder"
        with pytest.raises(Unprocessable):
            change_holder(line=fresh(line), customer=other, why=" ", at=CHANGED)

    def test_who_saw_the_line_before_somebody_changed_it(self, line: Line, other: Customer) -> None:
        seen = sold(line, at=BEGIN)
        given_to(line, other)
        with pytest.raises(DomainError) as refused:
            change_holder(line=seen, customer=other, why="x", at=moment("2026-11-17"))
        assert refused.value.reason == "changed_meanwhile"


class TestBooksThatWereMadeWrong:
    def test_a_line_that_was_given_away_without_a_step(self, line: Line, other: Customer) -> None:
        sold(line, at=BEGIN)
        Line.objects.filter(pk=line.pk).update(customer=other)
        assert [each for each in faults() if "another customer held the line" in each]

    def test_a_period_or_an_invoice_of_somebody_else(self, line: Line, other: Customer) -> None:
        sold(line, at=BEGIN)
        run_day(at=FIRST)
        Subscription.objects.filter(line=line, sequence=1).update(customer=other)
        found = faults()
        assert [each for each in found if "another customer held the line" in each]
        assert [each for each in found if "another customer than its period" in each]

    def test_a_change_that_is_missing(self, line: Line, other: Customer) -> None:
        sold(line, at=BEGIN)
        given_to(line, other)
        HolderChange.objects.all().delete()
        assert [each for each in faults() if "another customer held the line" in each]
