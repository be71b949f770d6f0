"""Set-off takes its locks in the order of LOCK_ORDER, on every way that leads to it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from billing.bank.transfers import assign_in_parts, top_up_from_transfer
from billing.daily import day_run
from billing.models import EntryKind, MoneyReference, Payment, PaymentMethod
from billing.overdue.suspending import suspend_overdue_lines
from billing.sales.services import activate_subscription
from billing.settling.crediting import credit_invoice
from billing.settling.paying import reverse_payment
from billing.tests.builders import fresh, moment
from billing.tests.credit import put_beside, set_offs
from billing.tests.test_lock_order import (
    JANUARY,
    D,
    Lock,
    Steps,
    assert_in_order,
    invoice_of,
    locked,
    sold,
    waiting_transfer,
)
from billing.wallets import Posting, adjust_wallet, pay_out, set_off_credit, topping_up
from customers.models import Line, Plan

__all__ = ["locked", "sold"]  # fixtures

FEBRUARY = moment("2027-02-01 03:00")


def settle_transfers(line: Line) -> Steps:
    parts = [(invoice_of(line, 2), D("90.00")), (invoice_of(line, 1), D("10.00"))]
    yield assign_in_parts(transfer=waiting_transfer("T", "100.00"), parts=parts, at=JANUARY, by="ana")
    for payment in (*set_offs(line), Payment.objects.get(reference="T")):
        yield reverse_payment(payment=payment, why="x", at=JANUARY)
    later = JANUARY + timedelta(days=1)
    yield top_up_from_transfer(transfer=waiting_transfer("U", "5.00"), line=line, at=later, by="ana")
    MoneyReference.objects.claim("V", transfer=waiting_transfer("V", "6.00"))
    posting = Posting(line.pk, EntryKind.TOP_UP, D(6), "V")
    yield topping_up._post(posting, PaymentMethod.TRANSFERENCIA, later, by="ana", staff=True)
    assert len(set_offs(line)) == 3


def bill_and_set_off(line: Line) -> Steps:
    """Months that credit pays when they are issued: of this line, another, and a prepaid one."""
    yield adjust_wallet(line=line, amount=D("100.00"), reference="credit", at=JANUARY)
    for number, prepaid in (("0966666666", True), ("0977777777", False)):
        other = Line.objects.create(
            customer=line.customer, phone_number=number, product_type="MOVIL", prepaid=prepaid
        )
        yield adjust_wallet(line=other, amount=D("70.00"), reference=number, at=JANUARY)
        yield activate_subscription(
            line=other, plan=Plan.objects.get(code="monthly"), at=moment("2027-01-05")
        )
    yield from day_run(at=FEBRUARY)
    assert len(set_offs(line)) == 3
    assert len(set_offs(other)) == 1


def set_off_by_the_day_s_run(line: Line) -> Steps:
    put_beside(line, "30.00")
    other = Line.objects.create(customer=line.customer, phone_number="0966666666", product_type="MOVIL")
    put_beside(other, "5.00")
    yield from day_run(at=JANUARY)
    assert len(set_offs(line)) == 2
    yield set_off_credit(line=line, at=JANUARY)


def set_off_and_resume(line: Line) -> Steps:
    yield list(suspend_overdue_lines(at=moment("2027-03-20 03:00")))
    assert fresh(line).status == "SUSPENDED"
    at = moment("2027-03-21")
    posting = Posting(line.pk, EntryKind.TOP_UP, D("60.00"), "cash")
    yield topping_up._post(posting, PaymentMethod.EFECTIVO, at, by="ana", staff=True)
    assert fresh(line).status == "ACTIVE"
    yield pay_out(line=line, amount=D("1.00"), method=PaymentMethod.TRANSFERENCIA, reference="out", at=at)
    yield credit_invoice(invoice=invoice_of(line, 2), why="x", at=at)


def credit_one_and_set_off_against_the_other(line: Line) -> Steps:
    yield adjust_wallet(line=line, amount=D("30.00"), reference="credit", at=JANUARY)
    first, second = (payment.invoice for payment in set_offs(line))
    yield credit_invoice(invoice=second, why="x", at=JANUARY)
    yield credit_invoice(invoice=first, why="x", at=JANUARY)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "steps",
    [
        settle_transfers,
        bill_and_set_off,
        set_off_by_the_day_s_run,
        set_off_and_resume,
        credit_one_and_set_off_against_the_other,
    ],
    ids=lambda steps: steps.__name__,
)
def test_a_transaction_takes_its_locks_in_order(
    sold: Line, locked: list[Lock], steps: Callable[[Line], Steps], settings: Any
) -> None:
    settings.SUSPEND_AFTER_DAYS = 30
    assert_in_order(steps(sold), locked)
