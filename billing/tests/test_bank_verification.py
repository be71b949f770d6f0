"""`verify_billing` finds money by bank transfer that is counted twice, or for which nothing stands."""

from datetime import datetime
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps

from billing.bank import assign_in_parts, assign_transfer, close_transfer, top_up_from_transfer
from billing.models import BankTransfer, Closing, Invoice, MoneyReference, Payment, reference_key
from billing.settling.paying import reverse_payment
from billing.tests.test_bank import imported
from billing.tests.test_bank_movements import by_hand, invoice, line_of, other, row, topped_up, waiting
from billing.verification import find_faults
from billing.verification.transfers import transfer_faults
from billing.wallets import adjust_wallet

__all__ = ["invoice", "other"]  # fixtures

D = Decimal
migration: Any = import_module("billing.migrations.0021_money_is_one_movement")

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("opened")]


def found() -> list[str]:
    return [str(fault) for fault in transfer_faults()]


@pytest.fixture
def before_references(monkeypatch: pytest.MonkeyPatch) -> None:
    """Books made when each table had references of its own."""
    monkeypatch.setattr("billing.models.references.reference_key", lambda reference: "")


def test_books_that_were_made_rightly_have_no_fault(invoice: Invoice, other: Invoice, now: datetime) -> None:
    by_hand(invoice, "TR-1", now, amount="1.00")
    imported(row("TR-1", "001-001-000000001", "1.00"), row("TR-2", "001-001-000000001", "2.00"), at=now)
    topped_up(invoice, "TR-3", now, amount="3.00")
    topped_up(invoice, "TR-2", now, amount="9.00", method="EFECTIVO")
    parts = [(invoice, D("2.00")), (other, D("1.00"))]
    assign_in_parts(
        transfer=waiting(invoice, now, reference="TR-4", amount="3.00"), parts=parts, at=now, by="a"
    )
    transfer = waiting(invoice, now, reference="TR-5")
    top_up_from_transfer(transfer=transfer, line=line_of(invoice), at=now, by="a")
    transfer = waiting(invoice, now, reference="TR-6")
    close_transfer(transfer=transfer, closing=Closing.RETURNED, why="x", at=now, by="a")
    reverse_payment(payment=Payment.objects.get(reference="TR-4 2"), why="x", at=now)
    reverse_payment(payment=Payment.objects.get(reference="TR-2"), why="x", at=now)
    assign_transfer(transfer=BankTransfer.objects.get(reference="TR-2"), invoice=other, at=now, by="a")
    waiting(invoice, now, reference="tr3", amount="8.00")
    assert found() == []
    assert list(find_faults()) == []


@pytest.mark.usefixtures("before_references")
@pytest.mark.parametrize("method", ["TRANSFERENCIA", "EFECTIVO"])
def test_a_transfer_that_was_topped_up_and_paid_is_found(
    method: str, invoice: Invoice, now: datetime
) -> None:
    imported(row("TR-9", "001-001-000000001"), at=now)
    topped_up(invoice, "TR-9", now, method=method)
    assert found() == ["wallet entry TR-9: the bank transfer TR-9 has its reference, and is counted as well"]


def test_an_adjustment_by_a_transfers_reference_is_found(invoice: Invoice, now: datetime) -> None:
    imported(row("TR-9", "001-001-000000001"), at=now)
    adjust_wallet(line=line_of(invoice), amount=D("9.00"), reference="TR-9", at=now)
    assert found() == []
    adjust_wallet(line=line_of(invoice), amount=D("25.30"), reference="TR9", at=now)
    assert found() == ["wallet entry TR9: the bank transfer TR-9 has its reference, and is counted as well"]


@pytest.mark.usefixtures("before_references")
def test_a_payment_and_a_top_up_by_hand_under_one_reference_are_found(
    invoice: Invoice, now: datetime
) -> None:
    by_hand(invoice, "TR-9", now, amount="5.00")
    topped_up(invoice, "TR-9", now)
    assert found() == [
        "payment TR-9: the wallet entry TR-9 has its reference, and is counted as well",
        "wallet entry TR-9: the payment TR-9 has its reference, and is counted as well",
    ]


def test_two_that_are_spelled_differently_are_found(invoice: Invoice, other: Invoice, now: datetime) -> None:
    imported(row("TR-9", "001-001-000000001"), at=now)
    references = list(MoneyReference.objects.all())
    MoneyReference.objects.all().delete()
    by_hand(other, "tr9", now, amount="1.00")
    MoneyReference.objects.all().delete()
    MoneyReference.objects.bulk_create(references)
    assert found() == ["payment tr9: the bank transfer TR-9 has its reference, and is counted as well"]


def test_a_transfer_that_is_linked_to_a_reversed_payment_is_found(invoice: Invoice, now: datetime) -> None:
    payment = by_hand(invoice, "TR-1", now)
    imported(row("TR-1", "Factura 001-001-000000001"), at=now)
    reverse_payment(payment=payment, why="x", at=now)
    assert found() == []
    BankTransfer.objects.update(payment=payment, problem="")  # as it was once
    nothing = "it is over 25.30, and 0 of it is in payments and top-ups that stand"
    assert found() == [f"bank transfer TR-1: {nothing}"]
    # And it can be mended.
    assign_transfer(transfer=BankTransfer.objects.get(), invoice=invoice, at=now, by="eva")
    assert found() == []


def entered() -> list[tuple[Any, ...]]:
    return list(MoneyReference.objects.order_by("key").values_list("key", "transfer", "payment", "entry"))


def test_the_migration_enters_the_references_that_are_there(
    invoice: Invoice, other: Invoice, now: datetime
) -> None:
    topped_up(invoice, "TR-3", now, amount="3.00")
    by_hand(invoice, "000123", now, amount="1.00")
    by_hand(invoice, "C-1", now, amount="1.00", payment_method="EFECTIVO")
    imported(row("TR-1", "001-001-000000002"), row("TR-2"), row("0", "x"), at=now)
    kept = entered()
    assert [key for key, *_of in kept] == ["123", "TR1", "TR2", "TR3"]
    MoneyReference.objects.all().delete()
    for _twice in range(2):
        migration.enter_references(apps, None)
        paid = BankTransfer.objects.get(reference="TR-1")
        # The payment that a transfer became is entered, too; and what was there before the test.
        expected = {(*each[:2], paid.payment_id, None) if each[0] == "TR1" else each for each in kept}
        assert expected <= set(entered())
        assert not {key for key, *_of in entered()} & {"C1", ""}
    for reference in ("TR-1", "='000123\"", "1 2 3", "S/N", "001-23", "TR–9"):
        assert migration.reference_key(reference) == reference_key(reference)


def test_going_back_what_is_no_payment_waits(invoice: Invoice, now: datetime) -> None:
    top_up_from_transfer(transfer=waiting(invoice, now), line=line_of(invoice), at=now, by="a")
    migration.let_wait_again(apps, None)
    assert BankTransfer.objects.values_list("entry", "closed", "problem").get() == (None, "", "REFUSED")


@pytest.mark.parametrize("changed", [{"amount": D("25.31")}, {"amount": D("1.00")}])
def test_a_transfer_over_another_amount_than_its_payments_is_found(
    changed: dict[str, Any], invoice: Invoice, now: datetime
) -> None:
    imported(row("TR-1", "Factura 001-001-000000001"), at=now)
    BankTransfer.objects.update(**changed)
    assert len(found()) == 1
