"""Credit on the wallet of a post-paid line pays the line's open invoices, the oldest first."""

from decimal import Decimal
from typing import Any

import pytest

from billing.daily import run_day
from billing.models import InvoiceSeries, Notice, Wallet, WalletEntry
from billing.sales.holders import change_holder
from billing.sales.services import terminate_line
from billing.settling.crediting import credit_invoice
from billing.settling.paying import reverse_payment
from billing.tests.builders import MakePlan, balance, fresh, moment, refusal, sold
from billing.tests.credit import MONTH, billed, entries, invoices, paid_in, pay, put_beside, set_offs
from billing.verification import find_faults
from billing.wallets import adjust_wallet, refund_wallet, set_off_credit
from customers.models import Customer, Line

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("opened")]
D = Decimal


@pytest.fixture(autouse=True)
def series(opened: None) -> None:
    InvoiceSeries.objects.get_or_create(prefix="001-002")
    Line.objects.exclude(phone_number="0955555555").update(auto_renew=False)


@pytest.fixture(autouse=True)
def books_are_right(opened: None) -> Any:
    """Whatever a test does, the books are right after it."""
    yield
    assert [str(fault) for fault in find_faults()] == []


class TestAtIssue:
    def test_money_that_is_there_pays_the_new_invoice(self, line: Line) -> None:
        paid_in(line, "50.00", at="2026-11-05 10:00")
        [invoice] = billed(line)
        [payment] = set_offs(line)
        assert (invoice.status, payment.invoice, payment.amount) == ("PAID", invoice, MONTH)
        assert (payment.payment_method, payment.by) == ("SALDO A FAVOR", "")
        assert entries(line) == [("TOP_UP", D(50)), ("SET_OFF", -MONTH)]
        entry = WalletEntry.objects.get(kind="SET_OFF")
        assert entry.payment == payment
        assert str(invoice.full_number) in entry.description
        assert balance(line) == D(50) - MONTH
        steps = list(invoice.events.order_by("pk").values_list("to_status", flat=True))
        assert steps == ["ISSUED", "PAID"]

    def test_less_than_the_invoice_pays_a_part(self, line: Line) -> None:
        paid_in(line, "5.00", at="2026-11-05 10:00")
        [invoice] = billed(line)
        assert (invoice.status, invoice.outstanding, balance(line)) == ("PARTLY_PAID", MONTH - 5, 0)

    def test_each_month_takes_what_is_left(self, line: Line) -> None:
        paid_in(line, "50.00", at="2026-11-05 10:00")
        billed(line, months=3)
        assert [invoice.status for invoice in invoices(line)] == ["PAID", "PAID", "PARTLY_PAID"]
        assert [payment.amount for payment in set_offs(line)] == [MONTH, MONTH, D(50) - 2 * MONTH]

    def test_an_invoice_over_nothing_takes_nothing(self, line: Line, make_plan: MakePlan) -> None:
        make_plan("free", price="0.00", validity_days=0)
        paid_in(line, "5.00", at="2026-11-05 10:00")
        sold(line, "free")
        run_day(at=moment("2026-12-01 00:05"))
        [invoice] = invoices(line)
        assert (invoice.total, invoice.status, set_offs(line), balance(line)) == (0, "PAID", [], 5)

    def test_a_negative_balance_pays_nothing(self, line: Line) -> None:
        Wallet.objects.create(line=line, balance_limit_usd=30)
        adjust_wallet(line=line, amount=D("-3.00"), reference="fee", at=moment("2026-11-02"))
        [invoice] = billed(line)
        assert (invoice.status, balance(line)) == ("ISSUED", -3)

    def test_older_open_invoices_come_first(self, line: Line) -> None:
        """Put back by hand on this day, the older one is still owed: what the newer one gets is the rest."""
        billed(line)
        paid_in(line, "30.00", at="2026-12-20 10:00")
        reverse_payment(payment=set_offs(line)[0], why="x", at=moment("2027-01-01 00:01"))
        run_day(at=moment("2027-01-01 00:05"))
        assert [invoice.outstanding for invoice in invoices(line)] == [MONTH, 2 * MONTH - 30]
        run_day(at=moment("2027-01-02 00:05"))
        assert [invoice.outstanding for invoice in invoices(line)] == [0, 2 * MONTH - 30]


class TestWhenMoneyComes:
    def test_a_top_up_pays_three_invoices_the_oldest_first(self, line: Line) -> None:
        billed(line, months=3)
        paid_in(line, "50.00", at="2027-02-02 10:00")
        assert [invoice.outstanding for invoice in invoices(line)] == [0, 0, 3 * MONTH - 50]
        assert [payment.amount for payment in set_offs(line)] == [MONTH, MONTH, D(50) - 2 * MONTH]
        assert entries(line)[0] == ("TOP_UP", D(50))
        assert balance(line) == 0

    def test_a_top_up_that_is_repeated_pays_once(self, line: Line) -> None:
        billed(line)
        paid_in(line, "5.00")
        paid_in(line, "5.00")
        assert [payment.amount for payment in set_offs(line)] == [5]

    @pytest.mark.parametrize("correct", [refund_wallet, adjust_wallet])
    def test_a_correction_by_staff_pays(self, line: Line, correct: Any) -> None:
        billed(line)
        correct(line=line, amount=D("25.00"), reference="c", at=moment("2026-12-03"), by="ana")
        assert (invoices(line)[0].status, balance(line)) == ("PAID", 25 - MONTH)
        assert set_offs(line)[0].by == "ana"

    def test_what_is_too_much_for_one_invoice_pays_the_next(self, line: Line) -> None:
        _first, second, _third = billed(line, months=3)
        payment = pay(second, "50.00", "C-1", at="2027-02-02 10:00")
        assert payment.to_wallet == D(50) - MONTH
        assert [invoice.outstanding for invoice in invoices(line)] == [0, 0, 3 * MONTH - 50]
        assert balance(line) == 0

    def test_a_credit_note_s_refund_pays_another_invoice(self, line: Line) -> None:
        first, _second = billed(line, months=2)
        pay(first, str(MONTH), "C-1", at="2027-01-02 10:00")
        credit_invoice(invoice=first, why="Wrong", at=moment("2027-01-03 10:00"))
        assert [invoice.status for invoice in invoices(line)] == ["VOID", "PAID"]
        assert balance(line) == 0

    def test_a_credit_note_s_refund_pays_the_bill_that_comes_again(self, line: Line) -> None:
        [first] = billed(line)
        pay(first, str(MONTH), "C-1")
        credit_invoice(invoice=first, why="Wrong", at=moment("2026-12-03 10:00"), bill_again=True)
        assert balance(line) == MONTH
        run_day(at=moment("2026-12-03 11:05"))
        assert [invoice.status for invoice in invoices(line)] == ["VOID", "PAID"]
        assert balance(line) == 0

    def test_a_void_invoice_is_not_paid(self, line: Line) -> None:
        [first] = billed(line)
        credit_invoice(invoice=first, why="Wrong", at=moment("2026-12-03 10:00"))
        paid_in(line, "30.00", at="2026-12-04 10:00")
        assert (set_offs(line), balance(line)) == ([], 30)

    def test_an_invoice_credited_in_part_is_paid_the_rest(self, line: Line) -> None:
        [first] = billed(line)
        credit_invoice(invoice=first, why="Part", amounts={1: D("8.00")}, at=moment("2026-12-03 10:00"))
        paid_in(line, "30.00", at="2026-12-04 10:00")
        assert [payment.amount for payment in set_offs(line)] == [MONTH - D("9.20")]

    def test_nothing_open_leaves_the_money(self, line: Line) -> None:
        paid_in(line, "30.00")
        assert set_off_credit(line=line, at=moment("2026-12-04")) == []
        assert balance(line) == 30


class TestWhoseMoneyAndWhoseInvoice:
    def test_a_prepaid_line_s_money_waits_for_its_next_period(self, line: Line) -> None:
        billed(line)
        Line.objects.filter(pk=line.pk).update(prepaid=True)
        paid_in(line, "30.00")
        assert (invoices(line)[0].status, balance(line)) == ("ISSUED", 30)

    def test_a_terminated_line_s_last_bill_is_paid(self, line: Line) -> None:
        paid_in(line, "20.00", at="2026-11-05 10:00")
        sold(line)
        terminate_line(line=fresh(line), at=moment("2026-11-10 12:00"))
        run_day(at=moment("2026-12-01 00:05"))
        [invoice] = invoices(line)
        assert 0 < invoice.total < MONTH
        assert (invoice.status, balance(line)) == ("PAID", 20 - invoice.total)

    def test_a_former_holder_s_invoice_is_not_paid_with_the_present_one_s_money(self, line: Line) -> None:
        billed(line)
        after = Customer.objects.create(dni="1710034065", full_name="Nueva Titular")
        change_holder(line=fresh(line), customer=after, why="x", at=moment("2026-12-02 09:00"))
        paid_in(line, "30.00")
        assert (invoices(line)[0].status, balance(line)) == ("ISSUED", 30)

    def test_another_line_s_invoice_is_not_paid(self, line: Line) -> None:
        billed(line)
        other = Line.objects.create(
            customer=line.customer, phone_number="0977777777", product_type="MOVIL", auto_renew=False
        )
        paid_in(other, "30.00")
        assert (invoices(line)[0].status, balance(other)) == ("ISSUED", 30)


class TestReversing:
    def test_the_money_is_back_and_is_not_set_off_again_on_that_day(self, line: Line) -> None:
        billed(line)
        paid_in(line, "30.00", at="2026-12-02 10:00")
        reverse_payment(payment=set_offs(line)[0], why="By mistake", at=moment("2026-12-02 11:00"), by="ana")
        assert entries(line)[-1] == ("REFUND", MONTH)
        run_day(at=moment("2026-12-02 23:59"))
        paid_in(line, "1.00", "more", at="2026-12-02 23:59")
        assert (invoices(line)[0].status, balance(line)) == ("ISSUED", 31)

    def test_on_the_next_day_it_is_set_off_as_another_payment(self, line: Line) -> None:
        billed(line)
        paid_in(line, "30.00", at="2026-12-02 10:00")
        reverse_payment(payment=set_offs(line)[0], why="By mistake", at=moment("2026-12-02 11:00"))
        assert run_day(at=moment("2026-12-03 00:05")).set_off == 1
        assert (invoices(line)[0].status, balance(line)) == ("PAID", 30 - MONTH)
        assert len({payment.reference for payment in set_offs(line)}) == 2

    def test_it_is_reversed_once(self, line: Line) -> None:
        billed(line)
        paid_in(line, "30.00")
        [payment] = set_offs(line)
        reverse_payment(payment=payment, why="x", at=moment("2026-12-02 11:00"))
        again = lambda: reverse_payment(payment=payment, why="x", at=moment("2026-12-02 12:00"))  # noqa: E731
        assert refusal(again) == "already_reversed"

    def test_a_bounced_payment_is_reversed_after_what_its_surplus_paid(self, line: Line) -> None:
        first, _second = billed(line, months=2)
        bounced = pay(first, "41.40", "cheque", at="2027-01-02 10:00")
        at = moment("2027-01-03 10:00")
        assert refusal(lambda: reverse_payment(payment=bounced, why="x", at=at)) == "insufficient_balance"
        reverse_payment(payment=set_offs(line)[0], why="x", at=at)
        reverse_payment(payment=bounced, why="x", at=at)
        assert [invoice.outstanding for invoice in invoices(line)] == [MONTH, MONTH]
        assert balance(line) == 0

    def test_other_credit_pays_what_a_reversed_payment_leaves_open(self, line: Line) -> None:
        [invoice] = billed(line)
        payment = pay(invoice, str(MONTH), "C-1")
        paid_in(line, "15.00")
        reverse_payment(payment=payment, why="Bounced", at=moment("2026-12-03 10:00"))
        assert (invoices(line)[0].outstanding, balance(line)) == (MONTH - 15, 0)

    def test_what_was_credited_meanwhile_is_on_the_wallet_once(self, line: Line) -> None:
        [invoice] = billed(line)
        paid_in(line, "30.00")
        credit_invoice(invoice=invoice, why="Part", amounts={1: D("8.00")}, at=moment("2026-12-02 11:00"))
        assert balance(line) == D("18.50")
        reverse_payment(payment=set_offs(line)[0], why="x", at=moment("2026-12-02 12:00"))
        assert (balance(line), invoices(line)[0].outstanding) == (30, MONTH - D("9.20"))


class TestAReversalWaitsUntilTheWalletHasTheMoney:
    """Whatever spending limit was agreed: it is for what the line uses, not for money that is not there."""

    @pytest.fixture(autouse=True)
    def limit(self, line: Line) -> None:
        Wallet.objects.create(line=line, balance_limit_usd=30)

    def test_what_was_too_much_and_was_spent(self, line: Line) -> None:
        payment = pay(billed(line)[0], "40.00", "C-1")
        adjust_wallet(line=line, amount=D("-19.30"), reference="paid-out", at=moment("2026-12-02 11:00"))
        reverse = lambda: reverse_payment(payment=payment, why="x", at=moment("2026-12-03"))  # noqa: E731
        assert refusal(reverse) == "insufficient_balance"
        assert (balance(line), invoices(line)[0].status) == (0, "PAID")
        refund_wallet(line=line, amount=D("19.30"), reference="back", at=moment("2026-12-03"))
        reverse()
        assert (balance(line), invoices(line)[0].status) == (0, "ISSUED")

    def test_one_cent_less_is_too_little(self, line: Line) -> None:
        payment = pay(billed(line)[0], "40.00", "C-1")
        adjust_wallet(line=line, amount=D("-0.01"), reference="cent", at=moment("2026-12-02 11:00"))
        assert (
            refusal(lambda: reverse_payment(payment=payment, why="x", at=moment("2026-12-03")))
            == "insufficient_balance"
        )

    def test_what_a_credit_note_refunded_and_was_spent(self, line: Line) -> None:
        [invoice] = billed(line)
        payment = pay(invoice, str(MONTH), "C-1")
        credit_invoice(invoice=invoice, why="x", at=moment("2026-12-02 11:00"))
        adjust_wallet(line=line, amount=-MONTH, reference="paid-out", at=moment("2026-12-02 12:00"))
        assert (
            refusal(lambda: reverse_payment(payment=payment, why="x", at=moment("2026-12-03")))
            == "insufficient_balance"
        )


class TestDunning:
    def test_money_in_the_wallet_keeps_a_line_from_being_suspended(self, line: Line, settings: Any) -> None:
        settings.SUSPEND_AFTER_DAYS = 30
        pay(billed(line)[0], "100.00", "C-1")
        for day in ("2027-01-01 00:05", "2027-02-20 01:05"):
            run_day(at=moment(day))
        assert (balance(line), fresh(line).status) == (100 - 3 * MONTH, "ACTIVE")
        assert not dunned(line)

    def test_old_books_are_set_off_before_anybody_is_reminded_or_suspended(
        self, line: Line, settings: Any
    ) -> None:
        """Credit beside an overdue invoice, as books have it that were made before set-off was."""
        settings.SUSPEND_AFTER_DAYS = 30
        billed(line)
        put_beside(line, "100.00")
        assert [str(fault) for fault in find_faults()]
        run_day(at=moment("2027-03-20 01:05"))
        assert fresh(line).status == "ACTIVE"
        assert not dunned(line)
        assert {invoice.status for invoice in invoices(line)} == {"PAID"}

    def test_a_suspended_line_is_resumed_by_a_top_up(self, line: Line, settings: Any) -> None:
        settings.SUSPEND_AFTER_DAYS = 30
        billed(line)
        run_day(at=moment("2027-01-20 01:05"))
        assert fresh(line).status == "SUSPENDED"
        paid_in(line, "20.69", "short", at="2027-01-20 10:00")
        assert fresh(line).status == "SUSPENDED"
        paid_in(line, "20.71", "rest", at="2027-01-20 11:00")
        assert (fresh(line).status, balance(line)) == ("ACTIVE", 0)

    def test_a_debt_that_the_money_does_not_cover_is_reminded_and_suspended(
        self, line: Line, settings: Any
    ) -> None:
        settings.SUSPEND_AFTER_DAYS = 30
        paid_in(line, "20.69", at="2026-11-05 10:00")
        billed(line)
        run_day(at=moment("2027-01-20 01:05"))
        assert fresh(line).status == "SUSPENDED"

    def test_on_the_day_of_a_reversal_nobody_is_reminded_or_suspended(
        self, line: Line, settings: Any
    ) -> None:
        settings.SUSPEND_AFTER_DAYS = 30
        billed(line)
        paid_in(line, "100.00")
        reverse_payment(payment=set_offs(line)[0], why="x", at=moment("2027-01-20 00:01"))
        run_day(at=moment("2027-01-20 01:05"))
        assert fresh(line).status == "ACTIVE"
        assert not dunned(line)
        run_day(at=moment("2027-01-21 00:05"))
        assert {invoice.status for invoice in invoices(line)} == {"PAID"}


def dunned(line: Line) -> list[Notice]:
    """Reminders of the line's invoices and notices of its suspension."""
    return list(Notice.objects.filter(invoice__subscription__line=line).exclude(kind="DOCUMENT"))
