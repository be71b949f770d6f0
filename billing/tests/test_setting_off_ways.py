"""Every way by which money comes to a post-paid line's wallet ends in set-off; what verify_billing finds."""

import io
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.utils.translation import override
from rest_framework.test import APIClient

from billing.bank import assign_in_parts, assign_transfer, import_statement, top_up_from_transfer
from billing.daily import run_day, work_due
from billing.exports import Selection, payments_table, totals_of
from billing.invoicing.drafting import draft_invoice
from billing.models import (
    BankTransfer,
    Channel,
    Invoice,
    InvoiceSeries,
    ParkedBill,
    Payment,
    PaymentMethod,
    Wallet,
    WalletEntry,
)
from billing.overdue.reminding import remind_by_hand
from billing.settling.paying import receive_payment, reverse_payment
from billing.tests.builders import MakePlan, balance, fresh, moment, refusal, sold
from billing.tests.credit import MONTH, billed, entries, invoices, paid_in, pay, put_beside, set_offs
from billing.verification import find_faults
from billing.wallets import top_up
from customers.models import Line
from telcox.testing.office import new, somebody_of, told

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("opened")]
D = Decimal


@pytest.fixture(autouse=True)
def series(opened: None) -> None:
    InvoiceSeries.objects.get_or_create(prefix="001-002")
    Line.objects.exclude(phone_number="0955555555").update(auto_renew=False)


def faults() -> list[str]:
    return [str(fault) for fault in find_faults()]


def imported(*rows: str) -> Any:
    file = io.BytesIO("\n".join(["Fecha;Referencia;Valor;Concepto", *rows]).encode())
    return import_statement(file=file, source="n.csv", at=moment("2027-02-04 10:00"), by="ana")


def owed(line: Line) -> list[Decimal]:
    return [invoice.outstanding for invoice in invoices(line)]


def waiting(reference: str, amount: str) -> BankTransfer:
    imported(f"02/02/2027;{reference};{amount};gracias")
    return BankTransfer.objects.get(reference=reference)


class TestByBank:
    def test_what_a_file_brings_too_much_pays_the_second_open_invoice(self, line: Line) -> None:
        first, _second, _third = billed(line, months=3)
        assert imported(f"02/02/2027;TR-1;50.00;Factura {first.full_number}").matched == 1
        assert owed(line) == [0, 0, 3 * MONTH - 50]
        assert [payment.amount for payment in set_offs(line)] == [MONTH, D(50) - 2 * MONTH]
        assert (balance(line), faults()) == (0, [])

    def test_the_same_file_again_pays_nothing_more(self, line: Line) -> None:
        first, *_others = billed(line, months=3)
        row = f"02/02/2027;TR-1;50.00;Factura {first.full_number}"
        assert (imported(row).matched, imported(row).known) == (1, 1)
        assert len(set_offs(line)) == 2

    def test_assigned_by_a_clerk(self, line: Line) -> None:
        _first, second = billed(line, months=2)
        assign_transfer(
            transfer=waiting("TR-1", "30.00"), invoice=second, at=moment("2027-02-04 11:00"), by="ana"
        )
        assert owed(line) == [2 * MONTH - 30, 0]
        assert (balance(line), faults()) == (0, [])

    def test_assigned_in_parts_each_invoice_gets_its_part_first(self, line: Line) -> None:
        """What is too much in the first part is set off only when all parts are paid."""
        first, _second, third = billed(line, months=3)
        parts = [(third, D("40.00")), (first, D("10.00"))]
        assign_in_parts(
            transfer=waiting("TR-1", "50.00"), parts=parts, at=moment("2027-02-04 11:00"), by="ana"
        )
        assert owed(line) == [0, 3 * MONTH - 50, 0]
        assert first.payments.order_by("pk")[0].amount == 10
        assert (balance(line), faults()) == (0, [])

    def test_put_on_the_wallet_by_a_clerk(self, line: Line) -> None:
        billed(line, months=2)
        entry = top_up_from_transfer(
            transfer=waiting("TR-1", "30.00"), line=fresh(line), at=moment("2027-02-04 11:00"), by="ana"
        )
        assert (entry.amount, entry.balance_after) == (30, 30)
        assert owed(line) == [0, 2 * MONTH - 30]
        assert (balance(line), faults()) == (0, [])

    def test_a_transfer_that_was_topped_up_by_hand_is_that_top_up_and_paid_once(self, line: Line) -> None:
        [invoice] = billed(line)
        top_up(
            line=fresh(line),
            amount=MONTH,
            method=PaymentMethod.TRANSFERENCIA,
            reference="TR-9",
            at=moment("2026-12-02 10:00"),
            by="ana",
            staff=True,
        )
        imported(f"02/12/2026;TR-9;20.70;pago {line.phone_number}")
        assert balance(line) + Invoice.objects.get(pk=invoice.pk).paid == MONTH
        entry = WalletEntry.objects.get(reference="TR-9")
        assert (BankTransfer.objects.get().entry, faults()) == (entry, [])

    def test_a_reversed_transfer_whose_surplus_paid_another_invoice_waits_for_that(self, line: Line) -> None:
        first, _second = billed(line, months=2)
        imported(f"02/02/2027;TR-1;41.40;Factura {first.full_number}")
        payment = Payment.objects.get(reference="TR-1")
        at = moment("2027-02-05")
        assert refusal(lambda: reverse_payment(payment=payment, why="x", at=at)) == "insufficient_balance"
        assert BankTransfer.objects.get().problem == ""
        reverse_payment(payment=set_offs(line)[0], why="x", at=at)
        reverse_payment(payment=payment, why="x", at=at)
        assert (owed(line), BankTransfer.objects.get().problem, faults()) == ([MONTH, MONTH], "REVERSED", [])


class TestByRestAndByHand:
    def test_a_top_up_over_rest(self, line: Line) -> None:
        billed(line)
        body = {"amount": 25.0, "reference": "T-1", "payment_method": "EFECTIVO"}
        answer = APIClient().post(f"/api/customers/{line.phone_number}/top-ups", body, format="json")
        assert (answer.status_code, answer.json()["balance_after"]) == (201, 25.0)
        wallet = APIClient().get(f"/api/customers/{line.phone_number}/wallet").json()
        assert wallet["balance_usd"] == float(25 - MONTH)
        assert [entry["kind"] for entry in wallet["entries"]] == ["SET_OFF", "TOP_UP"]
        bill = APIClient().get(f"/api/customers/{line.phone_number}/billing").json()["items"][0]
        assert (bill["status"], bill["payment_method"]) == ("PAID", "SALDO A FAVOR")

    def test_a_top_up_in_the_back_office_says_the_balance_after_all(self, line: Line) -> None:
        billed(line)
        Wallet.objects.get_or_create(line=line)
        clerk = somebody_of("Facturación")
        given = {"wallet": line.wallet.pk, "kind": "TOP_UP", "amount": "25,00", "reference": "T-1"}
        said = " ".join(told(clerk.post(new(WalletEntry), given, follow=True)))
        assert "4.30" in said
        assert (invoices(line)[0].status, balance(line)) == ("PAID", 25 - MONTH)

    @pytest.mark.parametrize("path", ["/api/invoices/{}/payments", "/api/customers/0955555555/top-ups"])
    def test_nobody_pays_by_the_method_of_set_off(self, line: Line, path: str) -> None:
        [invoice] = billed(line)
        body = {"amount": 5.0, "reference": "T-1", "payment_method": "SALDO A FAVOR"}
        assert APIClient().post(path.format(invoice.pk), body, format="json").status_code == 422
        at = moment("2026-12-02")
        given: dict[str, Any] = {
            "invoice": invoice,
            "amount": D(5),
            "payment_method": "SALDO A FAVOR",
            "reference": "T-1",
        }
        assert refusal(lambda: receive_payment(**given, at=at)) == "payment_method"
        assert not Payment.objects.filter(invoice=invoice).exists()

    def test_a_clerk_reverses_a_set_off_on_its_page(self, line: Line) -> None:
        from billing.models import Reversal
        from telcox.testing.office import url

        billed(line)
        paid_in(line, "30.00")
        [payment] = set_offs(line)
        clerk = somebody_of("Facturación")
        assert f"{new(Reversal)}?reverses={payment.pk}" in clerk.get(url(payment)).content.decode()
        clerk.post(new(Reversal), {"reverses": payment.pk, "why": "Por error"})
        assert (invoices(line)[0].status, balance(line)) == ("ISSUED", 30)


class TestWhatIsNoInvoiceYet:
    def test_a_draft_is_not_paid_before_it_is_issued(self, line: Line) -> None:
        period = sold(line).subscriptions.get()
        draft = draft_invoice(subscription=period, at=moment("2026-11-20"))
        paid_in(line, "30.00", at="2026-11-21 10:00")
        assert (set_offs(line), balance(line)) == ([], 30)
        from billing.invoicing.issuing import issue_invoice

        issue_invoice(invoice=draft, at=moment("2026-11-22"))
        assert (invoices(line)[0].status, balance(line)) == ("PAID", 30 - MONTH)

    def test_a_bill_set_aside_is_paid_when_it_is_billed(self, line: Line, make_plan: MakePlan) -> None:
        from billing.invoicing.releasing import bill_parked

        make_plan("caro", price="600.00", validity_days=0)
        for reference in ("one", "two"):
            paid_in(line, "350.00", reference, at="2026-11-02 10:00")
        sold(line, "caro")
        run_day(at=moment("2026-12-01 00:05"))
        parked = ParkedBill.objects.get(is_open=True, subscription__line=line)
        assert (set_offs(line), balance(line)) == ([], 700)
        invoice = bill_parked(parked=parked, approved=True, at=moment("2026-12-01 09:00"), by="ana")
        assert (invoice.status, balance(line)) == ("PAID", 10)
        assert faults() == []


class TestDayRun:
    def test_it_counts_what_is_due_and_what_was_done(self, line: Line) -> None:
        billed(line, months=3)
        put_beside(line, "50.00")
        at = moment("2027-02-01 01:05")
        assert work_due(at=at)["set_off"] == 3
        done = run_day(at=at)
        assert (done.set_off, done.done()["set_off"]) == (3, 3)
        assert run_day(at=at).set_off == 0
        assert faults() == []

    def test_a_clerk_reminds_nobody_beside_credit(self, line: Line) -> None:
        [invoice] = billed(line)
        put_beside(line, "5.00")
        remind = lambda: remind_by_hand(invoice=invoice, channel=Channel.MAIL, at=moment("2027-02-01"))  # noqa: E731
        assert refusal(remind) == "beside_credit"

    def test_a_wallet_that_is_inconsistent_pays_nothing_and_stops_nobody(self, line: Line) -> None:
        paid_in(line, "30.00", at="2026-11-02 10:00")
        Wallet.objects.filter(line=line).update(balance_usd=40)
        [invoice] = billed(line)
        assert (invoice.status, set_offs(line)) == ("ISSUED", [])


class TestExports:
    def test_set_offs_are_told_apart_from_money_that_came(self, line: Line) -> None:
        first, _second = billed(line, months=2)
        pay(first, "30.00", "C-1", at="2027-01-02 10:00")
        days = Selection(first=date(2027, 1, 2), last=date(2027, 1, 2))
        totals = totals_of(days)
        assert (totals.amount, totals.set_off, totals.to_wallet) == (30, 30 - MONTH, 30 - MONTH)
        # What came in is what payments paid and put on the wallet, without what the wallet paid.
        assert totals.amount - totals.set_off + totals.to_wallet == 30
        with override("es"):
            methods = [row[2] for row in payments_table(days).rows]
        assert sorted(methods) == ["Efectivo", "Saldo a favor"]


class TestVerification:
    def test_credit_beside_an_open_invoice(self, line: Line) -> None:
        [invoice] = billed(line)
        assert faults() == []
        put_beside(line, "5.00")
        assert faults() == [
            f"invoice {invoice.full_number}: it is open beside credit on its line's wallet, which was not "
            "set off"
        ]

    def test_a_set_off_without_its_entry(self, line: Line) -> None:
        [invoice] = billed(line)
        Payment.objects.create(
            invoice=invoice,
            amount=MONTH,
            payment_method=PaymentMethod.SALDO_A_FAVOR,
            paid_at=moment("2026-12-02"),
            reference="set-off x",
        )
        Invoice.objects.filter(pk=invoice.pk).update(status="PAID")
        assert any("by the wallet's entries 0" in fault for fault in faults())

    def test_an_entry_without_its_set_off(self, line: Line) -> None:
        """Its payment came in cash: the wallet's money is gone, and paid nothing."""
        [invoice] = billed(line)
        payment = pay(invoice, str(MONTH), "C-1")
        paid_in(line, "30.00")
        spent(line, payment, MONTH)
        assert any("is none of the line's over this amount" in fault for fault in faults())
        assert any(f"by the wallet's entries -{MONTH}" in fault for fault in faults())

    def test_an_entry_on_another_line_s_wallet(self, line: Line) -> None:
        [invoice] = billed(line)
        other = Line.objects.create(
            customer=line.customer, phone_number="0977777777", product_type="MOVIL", auto_renew=False
        )
        paid_in(other, "30.00")
        payment = Payment.objects.create(
            invoice=invoice,
            amount=MONTH,
            payment_method=PaymentMethod.SALDO_A_FAVOR,
            paid_at=moment("2026-12-02"),
            reference="set-off x",
        )
        spent(other, payment, MONTH)
        assert any(
            fault.startswith("wallet of 0977777777: entry 2: a set-off of 20.70") for fault in faults()
        )

    def test_a_wallet_below_zero_by_a_reversal(self, line: Line) -> None:
        """As books have it that were made when a spending limit let it go there."""
        Wallet.objects.create(line=line, balance_limit_usd=30)
        payment = pay(billed(line)[0], "40.00", "C-1")
        reversal = Payment.objects.create(
            invoice=payment.invoice,
            amount=-payment.amount,
            to_wallet=-payment.to_wallet,
            payment_method="EFECTIVO",
            paid_at=moment("2026-12-03"),
            reference="reversal",
            reverses=payment,
        )
        spent(line, None, D("19.30"), kind="ADJUSTMENT")
        spent(line, reversal, D("19.30"), kind="CHARGE")
        assert any("by a payment that was reversed after its money was spent" in fault for fault in faults())
        paid_in(line, "40.00", "more")
        assert not any("after its money was spent" in fault for fault in faults())


def spent(line: Line, payment: Payment | None, amount: Decimal, kind: str = "SET_OFF") -> None:
    """Write an entry as no service does."""
    wallet = Wallet.objects.get(line=line)
    after = wallet.balance_usd - amount
    WalletEntry.objects.create(
        wallet=wallet,
        position=wallet.entries.count() + 1,
        kind=kind,
        amount=-amount,
        balance_after=after,
        reference=f"payment {payment.pk}" if payment else "spent",
        payment=payment,
        at=moment("2026-12-02"),
    )
    Wallet.objects.filter(pk=wallet.pk).update(balance_usd=after)


def test_the_database_refuses_a_set_off_that_names_no_payment(line: Line) -> None:
    from django.db import IntegrityError, transaction

    paid_in(line, "30.00")
    with pytest.raises(IntegrityError), transaction.atomic():
        spent(line, None, D(5))
    assert entries(line) == [("TOP_UP", D(30))]
