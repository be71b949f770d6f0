"""Wallet entries name the payment or credit note that moved the money, also those made before they did."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from billing.guards import missing_guards
from billing.invoicing.drafting import draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.models import Invoice, InvoiceSeries, Payment, Wallet, WalletEntry
from billing.settling.crediting import credit_invoice
from billing.settling.paying import receive_payment, reverse_payment
from billing.tests.builders import spend_balances
from billing.verification import find_faults
from billing.wallets import adjust_wallet
from customers.models import Customer, Line, Subscription
from telcox.testing.guards import tampering
from usage.services import record_usage
from usage.vocabulary import Category

D = Decimal
JESUS, BRUNO = "0969786985", "0923456789"

migration: Any = import_module("billing.migrations.0016_fill_documents_of_wallet_entries")


@pytest.fixture
def moved(seeded: None, now: datetime) -> Invoice:
    """An invoice over 26.45 of which more was paid than was owed, that payment reversed, another one made,
    and two credit notes, of which the second gives money back."""
    for prefix in ("001-001", "001-002"):
        InvoiceSeries.objects.get_or_create(prefix=prefix)
    Customer.objects.update(identity_kind="")  # as on documents from before it was sealed
    record_usage(phone_number=JESUS, category=Category.SOCIAL, quantity=31 * 2**30, source="t", at=now)
    period = Subscription.objects.get(line__phone_number=JESUS)
    spend_balances(now)
    invoice = issue_invoice(invoice=draft_invoice(subscription=period, at=now), at=now)
    paid: dict[str, Any] = {"invoice": invoice, "payment_method": "EFECTIVO", "at": now}
    too_much = receive_payment(amount=D("30.00"), reference="C-1", **paid).payment
    reverse_payment(payment=too_much, why="x", at=now)
    receive_payment(amount=D("20.00"), reference="C-2", **paid)
    credit_invoice(invoice=invoice, why="x", amounts={2: D("1.00")}, at=now)
    credit_invoice(invoice=invoice, why="x", at=now)
    adjust_wallet(
        line=Line.objects.get(phone_number=JESUS), amount=D(1), reference=f"payment-{too_much.pk}", at=now
    )
    return invoice


def named() -> dict[str, tuple[int | None, int | None]]:
    """What each entry names, by its reference."""
    rows = WalletEntry.objects.values_list("reference", "payment", "credit_note")
    return {reference: (payment, note) for reference, payment, note in rows}


def forget() -> None:
    """As the entries were before."""
    WalletEntry.objects.update(payment=None, credit_note=None)


def entry(reference: str) -> Any:
    """The first entry whose reference begins like that."""
    entries = WalletEntry.objects.filter(reference__startswith=reference).order_by("pk")
    return WalletEntry.objects.filter(pk=entries[0].pk)


@pytest.mark.django_db
def test_what_a_payment_a_reversal_and_a_credit_note_moved_names_them(moved: Invoice) -> None:
    payment = Payment.objects.get(reference="C-1")
    reversal = Payment.objects.get(reverses=payment)
    second_note = moved.corrections.order_by("pk")[1]
    assert {reference: of_it for reference, of_it in named().items() if any(of_it)} == {
        f"payment {payment.pk}": (payment.pk, None),
        f"payment {reversal.pk}": (reversal.pk, None),
        f"credit note {moved.pk} 2": (None, second_note.pk),
    }
    assert [(each.kind, each.amount) for each in payment.wallet_entries.all()] == [("TOP_UP", D("3.55"))]
    assert [(each.kind, each.amount) for each in second_note.wallet_entries.all()] == [("REFUND", D("20.00"))]
    assert [str(fault) for fault in find_faults()] == []


@pytest.mark.django_db(transaction=True)
def test_an_entry_is_of_one_document_at_the_most(moved: Invoice) -> None:
    with tampering(), pytest.raises(IntegrityError), transaction.atomic():
        WalletEntry.objects.filter(reference__startswith="payment ").update(credit_note=moved)


TAMPERED: dict[str, tuple[Callable[[], Any], str]] = {
    "no payment": (
        lambda: entry("payment ").update(payment=None),
        "20.00 of its money went to the wallet, by the wallet's entries 16.45",
    ),
    "another payment": (
        lambda: entry("payment ").update(payment=Payment.objects.get(reference="C-2")),
        "on the wallet",
    ),
    "no credit note": (
        lambda: entry("credit note ").update(credit_note=None),
        "20.00 of its money went to the wallet, by the wallet's entries 0.00",
    ),
    "another credit note": (
        lambda: entry("credit note ").update(credit_note=Invoice.objects.exclude(corrects=None)[1]),
        "2 on the wallet",
    ),
    "a payment's reference": (
        lambda: entry("payment ").update(reference="payment 999999"),
        " is payment 999999 on the wallet",
    ),
    "a credit note's reference": (
        lambda: entry("credit note ").update(reference="credit note 1 9"),
        " 2 is credit note 1 9 on the wallet",
    ),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("what", TAMPERED)
def test_an_entry_that_names_something_else_is_found(moved: Invoice, what: str) -> None:
    change, told = TAMPERED[what]
    with tampering():
        assert change() == 1
    assert [fault for fault in find_faults() if told in fault.what], list(find_faults())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("at_once", [1, 500])
def test_migrating_fills_what_entries_name(
    moved: Invoice, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration, "ENTRIES_AT_ONCE", at_once)
    before = named()
    call_command("migrate", "billing", "0015", verbosity=0)
    with tampering():
        forget()
    call_command("migrate", "billing", verbosity=0)
    assert named() == before
    assert not missing_guards(connection)
    assert [str(fault) for fault in find_faults()] == []


@pytest.mark.django_db(transaction=True)
def test_a_migration_that_fails_is_done_when_what_was_wrong_is_mended(moved: Invoice) -> None:
    before = named()
    reference = f"credit note {moved.pk} 2"
    call_command("migrate", "billing", "0015", verbosity=0)
    with tampering():
        forget()
        entry(reference).update(reference=f"credit note {moved.pk} 3")
    try:
        with pytest.raises(ValueError, match="1 wallet entries cannot be matched"):
            call_command("migrate", "billing", verbosity=0)
        assert not any(any(of_it) for of_it in named().values())
    finally:
        with tampering():
            entry(f"credit note {moved.pk} 3").update(reference=reference)
        call_command("migrate", "billing", verbosity=0)
    assert named() == before
    assert not missing_guards(connection)


UNMATCHED: dict[str, tuple[Callable[[], Any], str]] = {
    "a payment that is not there": (
        lambda: entry("payment ").update(reference="payment 999999"),
        "“payment 999999”: there is no such payment",
    ),
    "no key": (
        lambda: entry("payment ").update(reference="payment of ana"),
        "“payment of ana”: names no payment and no credit note",
    ),
    "a key written otherwise": (
        lambda: entry("payment ").update(reference=f"payment 0{Payment.objects.get(reference='C-1').pk}"),
        ": names no payment and no credit note",
    ),
    "a credit note that is not there": (
        lambda: entry("credit note ").update(reference=f"credit note {Invoice.objects.bills()[0].pk} 9"),
        "9”: there is no such credit note",
    ),
    "another line's payment": (
        lambda: entry("payment ").update(wallet=Wallet.objects.get(line__phone_number=BRUNO), position=900),
        "the payment is for an invoice of another line",
    ),
    "another line's credit note": (
        lambda: entry("credit note ").update(
            wallet=Wallet.objects.get(line__phone_number=BRUNO), position=900
        ),
        "the credit note is for an invoice of another line",
    ),
    "another amount than the payment brought": (
        lambda: entry("payment ").update(amount=D("3.56")),
        "it is a TOP_UP of 3.56, 3.55 by the payment",
    ),
    "another kind than a payment's": (
        lambda: entry("payment ").update(kind="REFUND"),
        "it is a REFUND of 3.55, 3.55 by the payment",
    ),
    "less than the reversal took back": (
        lambda: WalletEntry.objects.filter(kind="CHARGE").update(amount=D("-3.54")),
        "it is a CHARGE of -3.54, -3.55 by the reversal",
    ),
    "more than a credit note is over": (
        lambda: entry("credit note ").update(amount=D("900.00")),
        "it is a REFUND of 900.00, the credit note is over 25.30",
    ),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("what", UNMATCHED)
def test_what_cannot_be_matched_is_named_and_not_guessed(moved: Invoice, what: str) -> None:
    change, told = UNMATCHED[what]
    with tampering():
        forget()
        change()
        with (
            pytest.raises(ValueError, match="1 wallet entries cannot be matched") as failed,
            transaction.atomic(),
        ):
            migration.fill_documents(apps, None)
    assert told in str(failed.value)
    assert not any(any(of_it) for of_it in named().values())


@pytest.mark.django_db(transaction=True)
def test_of_many_that_cannot_be_matched_some_are_named(
    moved: Invoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration, "MOST_NAMED", 1)
    with tampering():
        forget()
        for each in WalletEntry.objects.filter(payment=None, reference__startswith="payment "):
            WalletEntry.objects.filter(pk=each.pk).update(reference=f"payment 9999{each.pk}")
        with pytest.raises(ValueError, match="… and 1 more"), transaction.atomic():
            migration.fill_documents(apps, None)
