"""Money for invoices: received, and taken back."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest

from billing.invoicing.drafting import draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.models import (
    EntryKind,
    Invoice,
    InvoiceEvent,
    InvoiceSeries,
    Payment,
    PaymentMethod,
    Wallet,
    WalletEntry,
)
from billing.sales.services import activate_subscription
from billing.settling.crediting import credit_invoice
from billing.settling.paying import receive_payment, reverse_payment
from billing.tests.builders import refusal, spend_balances
from billing.verification import find_faults
from billing.verification.documents import document_faults
from billing.verification.wallets import wallet_faults
from billing.wallets import adjust_wallet
from customers.models import Customer, Line, Plan, Subscription
from telcox.common.database.retrying import retry_lost_locks
from telcox.common.errors import DomainError
from telcox.testing.threads import in_threads

D = Decimal
JESUS = "0969786985"

pytestmark = pytest.mark.django_db


@pytest.fixture
def invoice(seeded: None, now: datetime) -> Invoice:
    """Over 25.30; there is nothing on the line's wallet."""
    period = Subscription.objects.get(line__phone_number=JESUS)
    spend_balances(now)
    return issue_invoice(invoice=draft_invoice(subscription=period, at=now), at=now)


def pay(invoice: Invoice, amount: str, at: datetime, reference: str = "TR-1", **other: Any) -> Payment:
    given = {"payment_method": PaymentMethod.TARJETA, "reference": reference, "at": at, **other}
    return receive_payment(invoice=invoice, amount=D(amount), **given).payment


def balance() -> Decimal:
    return Wallet.objects.get(line__phone_number=JESUS).balance_usd


def steps(invoice: Invoice) -> list[tuple[str, str, str]]:
    events = InvoiceEvent.objects.filter(invoice=invoice).order_by("pk")
    return list(events.values_list("from_status", "to_status", "by"))


def state(invoice: Invoice) -> tuple[str, Decimal]:
    invoice = Invoice.objects.get(pk=invoice.pk)
    assert [str(fault) for fault in document_faults()] == []
    return invoice.status, invoice.outstanding


def test_a_part_and_then_the_rest_make_it_paid(invoice: Invoice, now: datetime) -> None:
    pay(invoice, "5.30", now, by="ana")
    assert state(invoice) == ("PARTLY_PAID", D("20.00"))
    pay(invoice, "20.00", now, "TR-2")
    assert state(invoice) == ("PAID", D(0))
    assert steps(invoice) == [
        ("DRAFT", "ISSUED", ""),
        ("ISSUED", "PARTLY_PAID", "ana"),
        ("PARTLY_PAID", "PAID", ""),
    ]


def test_what_is_more_than_is_owed_goes_to_the_wallet(invoice: Invoice, now: datetime) -> None:
    payment = pay(invoice, "30.00", now, by="ana")
    assert (payment.amount, payment.to_wallet) == (D("25.30"), D("4.70"))
    assert state(invoice) == ("PAID", D(0))
    entry = WalletEntry.objects.get(reference=f"payment {payment.pk}")
    assert (entry.kind, entry.amount, entry.by) == (EntryKind.TOP_UP, D("4.70"), "ana")
    assert entry.wallet.line.phone_number == JESUS


@pytest.mark.parametrize(
    ("amount", "reason"),
    [
        ("0", "amount_not_positive"),
        ("-1", "amount_not_positive"),
        ("NaN", "amount_not_positive"),
        ("1.005", "amount_not_in_cents"),
        ("10000000000.00", "amount_too_large"),
    ],
)
def test_what_is_no_amount_is_refused(invoice: Invoice, now: datetime, amount: str, reason: str) -> None:
    assert refusal(lambda: pay(invoice, amount, now)) == reason
    assert state(invoice) == ("ISSUED", D("25.30"))
    assert not invoice.payments.exists()


def test_drafts_paid_invoices_and_credit_notes_take_no_payment(invoice: Invoice, now: datetime) -> None:
    pay(invoice, "25.30", now)
    assert refusal(lambda: pay(invoice, "1.00", now, "TR-2")) == "nothing_owed"
    note = credit_invoice(invoice=invoice, why="mistake", at=now, bill_again=True)
    assert refusal(lambda: pay(invoice, "1.00", now, "TR-2")) == "nothing_owed"
    assert refusal(lambda: pay(note, "1.00", now, "TR-2")) == "nothing_owed"
    draft = draft_invoice(subscription=Subscription.objects.get(line__phone_number=JESUS), at=now)
    assert refusal(lambda: pay(draft, "1.00", now, "TR-2")) == "not_issued"


def test_the_same_again_is_recorded_once_and_another_under_its_reference_refused(
    invoice: Invoice, now: datetime
) -> None:
    payment = pay(invoice, "30.00", now)
    assert pay(invoice, "30.00", now) == payment
    assert refusal(lambda: pay(invoice, "29.00", now)) == "reference_used"
    assert refusal(lambda: pay(invoice, "30.00", now, payment_method="EFECTIVO")) == "reference_used"
    assert (Payment.objects.filter(invoice=invoice).count(), balance()) == (1, D("4.70"))
    pay_other = pay(invoice_of_another(now), "1.00", now, "tr-1")  # another reference than TR-1
    assert pay_other != payment
    assert refusal(lambda: pay(pay_other.invoice, "30.00", now)) == "reference_used"


def invoice_of_another(now: datetime) -> Invoice:
    period = Subscription.objects.exclude(line__phone_number=JESUS).order_by("pk")[:1].get()
    return issue_invoice(invoice=draft_invoice(subscription=period, at=now), at=now)


def test_there_must_be_a_wallet_for_what_is_more_than_is_owed(invoice: Invoice, now: datetime) -> None:
    """A document of the former system names no line; and a number may be somebody else's by now."""
    Line.objects.filter(phone_number=JESUS).update(
        customer=Customer.objects.get(full_name__startswith="Carla")
    )
    assert refusal(lambda: pay(invoice, "25.31", now)) == "no_wallet"
    assert not invoice.payments.exists()
    pay(invoice, "25.30", now)
    assert state(invoice) == ("PAID", D(0))


def test_a_reversal_takes_the_payment_back(invoice: Invoice, now: datetime) -> None:
    part, rest = pay(invoice, "5.30", now), pay(invoice, "25.00", now, "TR-2")
    assert balance() == D("5.00")
    reversal = reverse_payment(payment=rest, why="The cheque bounced", at=now, by="ana")
    assert (reversal.amount, reversal.to_wallet, reversal.why) == (
        D("-20.00"),
        D("-5.00"),
        "The cheque bounced",
    )
    assert (state(invoice), balance()) == (("PARTLY_PAID", D("20.00")), D(0))
    reverse_payment(payment=part, why="Another customer's", at=now)
    assert state(invoice) == ("ISSUED", D("25.30"))
    assert [step[1] for step in steps(invoice)] == ["ISSUED", "PARTLY_PAID", "PAID", "PARTLY_PAID", "ISSUED"]
    assert InvoiceEvent.objects.latest("pk").why == "Another customer's"
    assert [str(fault) for fault in find_faults()] == []


def test_a_payment_is_reversed_once_and_a_reversal_never(invoice: Invoice, now: datetime) -> None:
    payment = pay(invoice, "5.30", now)
    reversal = reverse_payment(payment=payment, why="x", at=now)
    assert refusal(lambda: reverse_payment(payment=payment, why="x", at=now)) == "already_reversed"
    assert refusal(lambda: reverse_payment(payment=reversal, why="x", at=now)) == "is_reversal"


def test_what_the_wallet_has_not_any_more_cannot_be_taken_back(invoice: Invoice, now: datetime) -> None:
    payment = pay(invoice, "100.00", now)
    adjust_wallet(line=Line.objects.get(phone_number=JESUS), amount=-balance(), reference="out", at=now)
    assert refusal(lambda: reverse_payment(payment=payment, why="x", at=now)) == "insufficient_balance"
    assert state(invoice) == ("PAID", D(0))


def test_a_spending_limit_is_no_money_that_a_reversal_takes(invoice: Invoice, now: datetime) -> None:
    """Of 100.00, 74.70 came to the wallet. A cent less, and it is refused, though the limit is 30.00."""
    payment, jesus = pay(invoice, "100.00", now), Line.objects.get(phone_number=JESUS)
    assert Wallet.objects.get(line=jesus).balance_limit_usd == D("30.00")
    adjust_wallet(line=jesus, amount=D("74.69") - balance(), reference="out", at=now)
    assert refusal(lambda: reverse_payment(payment=payment, why="x", at=now)) == "insufficient_balance"
    assert (state(invoice), balance()) == (("PAID", D(0)), D("74.69"))
    adjust_wallet(line=jesus, amount=D("0.01"), reference="in", at=now)
    reverse_payment(payment=payment, why="x", at=now)
    assert (state(invoice), balance()) == (("ISSUED", D("25.30")), D(0))


def test_a_reversal_leaves_what_the_credit_note_still_refunds(invoice: Invoice, now: datetime) -> None:
    """25.30 in two payments, 11.50 credited: without the 10.00, 1.50 of the refund are still paid for."""
    first, _second = pay(invoice, "10.00", now), pay(invoice, "15.30", now, "TR-2")
    InvoiceSeries.objects.get_or_create(prefix="001-002")
    credit_invoice(invoice=invoice, why="x", amounts={1: D("10.00")}, at=now)
    before = balance()
    reverse_payment(payment=first, why="x", at=now)
    assert before - balance() == D("10.00")
    assert (state(invoice)[1], Invoice.objects.get(pk=invoice.pk).refunded) == (D(0), D("1.50"))


@pytest.mark.parametrize("late", [timedelta(0), timedelta(microseconds=1)])
def test_a_payment_may_be_dated_eight_days_ahead_and_no_later(
    invoice: Invoice, now: datetime, late: timedelta
) -> None:
    when = now + timedelta(days=8) + late
    if late:
        assert refusal(lambda: pay(invoice, "1.00", now, paid_at=when)) == "paid_in_the_future"
    else:
        assert pay(invoice, "1.00", now, paid_at=when).paid_at == when


def test_what_a_wallet_paid_in_advance_is_not_reversed(
    prepaid: Line, make_plan: Callable[..., Plan], now: datetime
) -> None:
    invoice = prepaid_invoice(prepaid, make_plan("week", price="7.00"), now)
    assert (
        refusal(lambda: reverse_payment(payment=invoice.payments.get(), why="x", at=now)) == "paid_by_wallet"
    )


def prepaid_invoice(line: Line, plan: Plan, at: datetime) -> Invoice:
    adjust_wallet(line=line, amount=D(20), reference="given", at=at)
    period = activate_subscription(line=line, plan=plan, at=at)
    return issue_invoice(invoice=draft_invoice(subscription=period, at=at), at=at)


def test_a_payment_reversed_after_a_credit_note_takes_back_what_that_gave(
    invoice: Invoice, now: datetime
) -> None:
    payment = pay(invoice, "25.30", now)
    credit_invoice(invoice=invoice, why="x", amounts={1: D("10.00")}, at=now)  # 11.50 with its tax
    assert (state(invoice), balance()) == (("PAID", D(0)), D("11.50"))
    reverse_payment(payment=payment, why="x", at=now)
    assert (state(invoice), balance()) == (("ISSUED", D("13.80")), D(0))
    again = pay(invoice, "13.80", now, "TR-2")
    credit_invoice(invoice=invoice, why="x", at=now)
    assert (state(invoice), balance()) == (("VOID", D(0)), D("13.80"))
    reverse_payment(payment=again, why="x", at=now)
    assert (state(invoice), balance()) == (("VOID", D(0)), D(0))
    assert [str(fault) for fault in find_faults()] == []


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    @pytest.fixture
    def invoice(self, committed: None, now: datetime) -> Invoice:
        for prefix in ("001-001", "001-002"):
            InvoiceSeries.objects.get_or_create(prefix=prefix)
        period = Subscription.objects.get(line__phone_number=JESUS)
        spend_balances(now)
        return issue_invoice(invoice=draft_invoice(subscription=period, at=now), at=now)

    def test_16_threads_pay_reverse_and_take_back_and_it_adds_up(
        self, invoice: Invoice, now: datetime
    ) -> None:
        def one(number: int) -> str:
            """What was refused, if it was."""
            try:
                match number % 4:
                    case 0 | 1:
                        pay(invoice, "9.00", now, f"TR-{number // 2}")
                    case 2:
                        payment = Payment.objects.filter(invoice=invoice, reversal=None).order_by("?").first()
                        if payment:
                            reverse_payment(payment=payment, why="x", at=now)
                    case _:
                        credit_invoice(invoice=invoice, why="x", amounts={1: D("0.30")}, at=now)
            except DomainError as refused:
                return refused.reason
            return ""

        done = in_threads(lambda number: retry_lost_locks(lambda: one(number)), range(160), threads=16)
        assert set(done) <= {"", "nothing_owed", "already_reversed", "is_reversal", "reference_used"}
        assert done.count("") > 60
        assert [str(fault) for fault in (*document_faults(), *wallet_faults())] == []
        notes = Invoice.objects.get(pk=invoice.pk).corrections.order_by("number")
        assert [note.number for note in notes] == list(range(1, 41))

    def test_control_without_the_invoices_lock_more_is_paid_than_is_owed(
        self, invoice: Invoice, now: datetime
    ) -> None:
        all_have_read = Barrier(16, timeout=60)

        def pay_unlocked(number: int) -> None:
            owed = Invoice.objects.get(pk=invoice.pk).outstanding
            all_have_read.wait()
            Payment.objects.create(
                invoice=invoice,
                amount=min(owed, D("9.00")),
                payment_method=PaymentMethod.EFECTIVO,
                paid_at=now,
                reference=f"TR-{number}",
            )

        in_threads(pay_unlocked, range(16), threads=16)
        assert Invoice.objects.get(pk=invoice.pk).paid == 16 * D("9.00") > invoice.total

    def test_one_reference_for_two_invoices_at_once_is_one_payment(
        self, invoice: Invoice, now: datetime
    ) -> None:
        invoices = [invoice, invoice_of_another(now)]

        def one(number: int) -> bool:
            try:
                pay(invoices[number % 2], "0.10", now, f"TR-{number // 2}")
            except DomainError:
                return False
            return True

        assert sum(in_threads(one, range(40), threads=16)) == 20
