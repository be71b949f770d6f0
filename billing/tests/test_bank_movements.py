"""A bank transfer is one movement in the world, however it came in, and however its reference is spelled."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from billing.bank import (
    ImportReport,
    assign_in_parts,
    assign_transfer,
    top_up_from_transfer,
)
from billing.models import (
    BankTransfer,
    Invoice,
    MoneyReference,
    Payment,
    PaymentMethod,
    WalletEntry,
)
from billing.settling.paying import receive_payment, reverse_payment
from billing.tests.builders import balance, refusal
from billing.tests.test_bank import JESUS, imported, issued
from billing.wallets import adjust_wallet, top_up
from customers.models import Line
from telcox.testing.threads import in_threads

D = Decimal
EVA = "0923456789"

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("opened")]


@pytest.fixture
def invoice(now: datetime) -> Invoice:
    """001-001-000000001, 25.30."""
    return issued(JESUS, now)


@pytest.fixture
def other(invoice: Invoice, now: datetime) -> Invoice:
    """001-001-000000002, of another customer."""
    return issued(EVA, now)


def line_of(invoice: Invoice) -> Line:
    return Line.objects.get(phone_number=invoice.phone_number)


def by_hand(
    invoice: Invoice, reference: str, now: datetime, amount: str = "25.30", **changes: Any
) -> Payment:
    given = {
        "invoice": invoice,
        "amount": D(amount),
        "payment_method": "TRANSFERENCIA",
        "reference": reference,
    }
    return receive_payment(**{**given, **changes}, at=now).payment


def topped_up(
    invoice: Invoice, reference: str, now: datetime, amount: str = "25.30", **changes: Any
) -> WalletEntry:
    given = {
        "line": line_of(invoice),
        "amount": D(amount),
        "method": PaymentMethod.TRANSFERENCIA,
        "staff": True,
    }
    return top_up(**{**given, "reference": reference, **changes}, at=now).entry


def row(
    reference: str = "TR-9",
    concept: str = "gracias",
    amount: str = "25.30",
    payer: str = "X",
    day: str = "02/12/2026",
) -> str:
    return f"{day};{reference};{amount};{concept};{payer}"


def outcome(report: ImportReport) -> str:
    if report.matched or report.known or report.bad:
        return "matched" if report.matched else "known" if report.known else "bad"
    return next(iter(report.problems)).value


def waiting(invoice: Invoice, now: datetime, **said: str) -> BankTransfer:
    imported(row(**said), at=now)
    return BankTransfer.objects.latest("pk")


def paid(invoice: Invoice) -> Decimal:
    return Invoice.objects.get(pk=invoice.pk).paid


# --- By hand, and then in the bank's file ---


@pytest.mark.parametrize("spelled", ["TR-9", "tr-9", "TR9", "TR 9", "T.R.9", "TR–9", "'TR-9", "ＴＲ－９"])
def test_a_transfer_that_was_topped_up_by_hand_is_that_top_up(
    spelled: str, invoice: Invoice, now: datetime
) -> None:
    entry = topped_up(invoice, "TR-9", now)
    assert outcome(imported(row(spelled, f"pago {JESUS}"), at=now)) == "matched"
    # The top-up was set off against the invoice, and nothing came in besides.
    assert (paid(invoice), balance(line_of(invoice))) == (D("25.30"), 0)
    assert BankTransfer.objects.get().entry == entry


@pytest.mark.parametrize("spelled", ["000123", '="000123"', "123", "'123", "0123", "123.0", "123,00", "1 23"])
def test_a_transfer_that_was_paid_by_hand_is_that_payment(
    spelled: str, invoice: Invoice, now: datetime
) -> None:
    payment = by_hand(invoice, "000123", now)
    assert outcome(imported(row(spelled, "Pago 001-001-000000001"), at=now)) == "matched"
    assert (BankTransfer.objects.get().payment, paid(invoice)) == (payment, D("25.30"))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"amount": "25.31"}, "another amount"),
        ({"concept": "Factura 001-001-000000002"}, "an invoice of another customer"),
        ({"concept": f"pago {EVA}"}, "another customer's number"),
    ],
)
@pytest.mark.parametrize("record", [by_hand, topped_up])
def test_what_is_recorded_under_the_reference_and_may_be_another_waits(
    record: Callable[..., Any],
    said: dict[str, str],
    why: str,
    invoice: Invoice,
    other: Invoice,
    now: datetime,
) -> None:
    record(invoice, "TR-9", now)
    assert outcome(imported(row(**said), at=now)) == "RECORDED", why
    assert (paid(other), BankTransfer.objects.get().payment) == (D(0), None)


def test_cash_under_the_same_number_is_not_taken_for_the_transfer(
    invoice: Invoice, other: Invoice, now: datetime
) -> None:
    topped_up(invoice, "C-1", now, method=PaymentMethod.EFECTIVO)
    by_hand(other, "C-2", now, amount="1.00", payment_method="EFECTIVO")
    adjust_wallet(line=line_of(invoice), amount=D("25.30"), reference="C-3", at=now)
    report = imported(
        row("C-1", f"pago {JESUS}"), row("C-2", f"{EVA}", "1.00"), row("C-3", f"pago {JESUS}"), at=now
    )
    assert report.problems == {"RECORDED": 3}
    assert (paid(invoice), balance(line_of(invoice))) == (D("25.30"), D("25.30"))


def test_a_payment_is_the_same_movement_whichever_invoice_of_the_customer_it_was_put_on(
    invoice: Invoice, now: datetime
) -> None:
    by_hand(invoice, "TR-9", now)
    assert outcome(imported(row(concept="CI 0929668846"), at=now)) == "matched"


# --- In the bank's file, and then by hand ---


@pytest.mark.parametrize("spelled", ["TR-9", "tr-9", "TR9"])
@pytest.mark.parametrize("record", [by_hand, topped_up])
def test_what_a_clerk_records_settles_the_transfer_that_waits(
    record: Callable[..., Any], spelled: str, invoice: Invoice, now: datetime
) -> None:
    transfer = waiting(invoice, now)
    recorded = record(invoice, spelled, now)
    transfer.refresh_from_db()
    assert (transfer.payment or transfer.entry, transfer.problem) == (recorded, "")
    assert (
        refusal(lambda: assign_transfer(transfer=transfer, invoice=invoice, at=now, by="eva"))
        == "already_assigned"
    )
    assert outcome(imported(row(), at=now)) == "known"


@pytest.mark.parametrize("record", [by_hand, topped_up])
def test_a_transfer_that_paid_is_not_recorded_a_second_time(
    record: Callable[..., Any], invoice: Invoice, other: Invoice, now: datetime
) -> None:
    imported(row(concept="001-001-000000001"), at=now)
    before = balance(line_of(other))
    for spelled in ("TR-9", "tr9", "TR9"):
        for amount in ("25.30", "9.00"):
            again = partial(record, other, spelled, now, amount=amount)
            assert refusal(again) == "reference_used"
    assert (paid(invoice), paid(other), balance(line_of(other))) == (D("25.30"), D(0), before)


def test_a_transfer_of_another_amount_that_waits_is_told(invoice: Invoice, now: datetime) -> None:
    waiting(invoice, now, amount="30.00")
    assert refusal(lambda: by_hand(invoice, "TR-9", now)) == "reference_used"
    assert (
        refusal(lambda: topped_up(invoice, "TR-9", now, method=PaymentMethod.EFECTIVO, amount="30.00"))
        == "reference_used"
    )
    assert by_hand(invoice, "TR-9", now, amount="1.00", payment_method="EFECTIVO")


def test_a_customer_does_not_settle_a_transfer_by_naming_it(
    invoice: Invoice, now: datetime, settings: Any
) -> None:
    settings.API_OPEN = True
    transfer = waiting(invoice, now)
    assert refusal(lambda: topped_up(invoice, "TR-9", now, staff=False)) == "reference_used"
    transfer.refresh_from_db()
    assert (transfer.problem, transfer.entry) == ("NO_INVOICE", None)


def test_one_reference_is_one_movement_by_hand_as_well(
    invoice: Invoice, other: Invoice, now: datetime
) -> None:
    topped_up(invoice, "TR-1", now, amount="5.00")
    assert refusal(lambda: by_hand(other, "tr1", now)) == "reference_used"
    by_hand(invoice, "TR-2", now, amount="1.00")
    assert refusal(lambda: topped_up(other, "TR-2", now)) == "reference_used"
    assert refusal(lambda: by_hand(other, "TR.2", now)) == "reference_used"


def test_what_is_sent_again_is_answered_as_before(invoice: Invoice, now: datetime) -> None:
    transfer = waiting(invoice, now)
    payment = by_hand(invoice, "TR-9", now)
    assert by_hand(invoice, "TR-9", now) == payment
    entry = topped_up(invoice, "TR-8", now)
    assert topped_up(invoice, "TR-8", now) == entry
    assert (transfer.references.get().payment, Payment.objects.filter(invoice=invoice).count()) == (
        payment,
        1,
    )


# --- Reversed ---


def test_a_reversed_payment_answers_for_nothing(invoice: Invoice, now: datetime) -> None:
    payment = by_hand(invoice, "TR-1", now)
    reverse_payment(payment=payment, why="not there yet", at=now)
    assert refusal(lambda: by_hand(invoice, "TR-1", now)) == "reference_used"
    assert outcome(imported(row("TR-1", "Factura 001-001-000000001"), at=now)) == "REVERSED"
    transfer = BankTransfer.objects.get()
    assert transfer.payment is None
    again = assign_transfer(transfer=transfer, invoice=invoice, at=now, by="eva")
    assert (again.reference, paid(invoice)) == ("TR-1 2", D("25.30"))
    assert outcome(imported(row("TR-1", "Factura 001-001-000000001"), at=now)) == "known"


@pytest.mark.parametrize("method", ["EFECTIVO", "TARJETA", "TRANSFERENCIA", "MONEDEROS DIGITALES"])
def test_a_reversed_payment_is_not_repeated_whatever_its_method(
    method: str, invoice: Invoice, now: datetime
) -> None:
    reverse_payment(payment=by_hand(invoice, "C-1", now, payment_method=method), why="x", at=now)
    assert refusal(lambda: by_hand(invoice, "C-1", now, payment_method=method)) == "reference_used"
    assert paid(invoice) == D(0)


def test_a_transfer_waits_again_when_its_payment_is_reversed(
    invoice: Invoice, other: Invoice, now: datetime
) -> None:
    imported(row(concept="001-001-000000001"), at=now)
    transfer = BankTransfer.objects.get()
    assert transfer.payment
    reverse_payment(payment=transfer.payment, why="it was Eva's", at=now)
    transfer.refresh_from_db()
    assert (transfer.payment, transfer.problem, transfer.rest) == (None, "REVERSED", D("25.30"))
    payment = assign_transfer(transfer=transfer, invoice=other, at=now, by="eva")
    assert (payment.reference, payment.received) == ("TR-9 2", D("25.30"))
    assert outcome(imported(row(concept="001-001-000000001"), at=now)) == "known"


def test_of_a_transfer_in_parts_only_the_reversed_part_waits(
    invoice: Invoice, other: Invoice, now: datetime
) -> None:
    transfer = waiting(invoice, now, amount="30.00")
    parts = assign_in_parts(
        transfer=transfer, parts=[(invoice, D("20.00")), (other, D("10.00"))], at=now, by="eva"
    )
    reverse_payment(payment=parts[0], why="x", at=now)
    transfer.refresh_from_db()
    assert (transfer.problem, transfer.rest) == ("REVERSED", D("20.00"))
    assert (
        refusal(lambda: top_up_from_transfer(transfer=transfer, line=line_of(invoice), at=now, by="eva"))
        == "partly_assigned"
    )
    assert assign_transfer(transfer=transfer, invoice=invoice, at=now, by="eva").received == D("20.00")
    transfer.refresh_from_db()
    assert (transfer.rest, transfer.problem, transfer.parts.count()) == (D(0), "", 3)


# --- Equal references of different transfers ---


@pytest.mark.parametrize("reference", ["0", "0000", "LOTE", "-", "S/N", "LOTE-551", "TR-9"])
@pytest.mark.parametrize(
    "second",
    [{"concept": "Factura 001-001-000000002", "payer": "BEA"}, {"concept": "Factura 001-001-000000002"},
     {"payer": "BEA"}, {"day": "03/12/2026"}, {"amount": "25.31"}, {"concept": ""}, {"payer": ""}],
    ids=str,
)  # fmt: skip
def test_two_transfers_under_one_reference_are_not_one(
    reference: str, second: dict[str, str], invoice: Invoice, now: datetime
) -> None:
    first = {"reference": reference, "concept": "Factura 001-001-000000001", "payer": "ANA"}
    report = imported(row(**first), row(**{**first, **second}), at=now)
    assert (report.matched, report.known, report.bad) == (1, 0, 1)
    assert report.notes[0].row == 3


def test_rows_that_are_alike_are_one_if_their_reference_names_a_movement(
    invoice: Invoice, now: datetime
) -> None:
    for reference in ("TR-9", "0"):
        same = row(reference, "001-001-000000001", "1.00", "ANA")
        imported(same, at=now)
        assert imported(same, at=now.replace(minute=5)).known == 1
        report = imported(row(reference, "x"), at=now.replace(minute=6))
        assert report.bad == 1
    report = imported(
        row("00", "x", "2.00"), row("00", "x", "2.00"), row("TR-7", "x"), row("TR-7", "x"), at=now
    )
    assert (report.unmatched, report.known, report.bad) == (2, 1, 1)


def test_one_reference_spelled_in_two_ways_is_paid_once(invoice: Invoice, now: datetime) -> None:
    text = "Pago 001-001-000000001"
    imported(row("000123", text, "10.00"), at=now)
    # Excel has dropped the zeros since.
    assert outcome(imported(row("123", text, "10.00"), at=now.replace(minute=5))) == "known"
    assert outcome(imported(row("0123", "otro", "10.00"), at=now.replace(minute=6))) == "SPELLED"
    # Without a text, it is not certain.
    imported(row("TR-6", "", "1.00", ""), at=now)
    assert outcome(imported(row("tr6", "", "1.00", ""), at=now.replace(minute=7))) == "SPELLED"
    # In one file, the bank spells alike.
    report = imported(row("TR-5", text, "1.00"), row("tr-5", text, "1.00"), at=now)
    assert (report.matched, report.problems) == (1, {"SPELLED": 1})
    assert paid(invoice) == D("11.00")


# --- At once ---


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("committed")
@pytest.mark.parametrize("record", [by_hand, topped_up])
def test_recorded_by_hand_and_imported_at_once_it_is_one_movement(
    record: Callable[..., Any], now: datetime
) -> None:
    bill = issued(JESUS, now)
    before = balance(line_of(bill))

    def work(number: int) -> None:
        way, nth = number % 2, number // 2
        try:
            if way:
                imported(row(f"TR-{nth}", f"pago {JESUS}", "0.25"), at=now)
            else:
                record(bill, f"tr{nth}", now, amount="0.25")
        except Exception as error:
            if getattr(error, "reason", "") != "reference_used":
                raise

    in_threads(work, range(40), threads=8)

    assert paid(bill) + balance(line_of(bill)) - before == D("5.00")
    assert MoneyReference.objects.filter(key__startswith="TR").count() == 20


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("committed")
def test_control_without_the_reference_in_one_table_it_is_counted_twice(
    monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    monkeypatch.setattr("billing.models.references.reference_key", lambda reference: "")
    bill = issued(JESUS, now)
    before = balance(line_of(bill))
    topped_up(bill, "tr1", now, amount="0.25")
    imported(row("TR-1", f"pago {JESUS}", "0.25"), at=now)
    assert paid(bill) + balance(line_of(bill)) - before == D("0.50")
