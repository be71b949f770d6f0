"""What a transfer is for, and what a clerk makes of one that waits."""

from datetime import datetime
from decimal import Decimal
from functools import partial

import pytest

from billing.bank import assign_in_parts, assign_transfer, close_transfer, top_up_from_transfer
from billing.models import (
    MONEY_METHODS,
    BankTransfer,
    Closing,
    Invoice,
    Payment,
    PaymentMethod,
    WalletEntry,
    reference_key,
)
from billing.settling.paying import reverse_payment
from billing.tests.builders import balance, refusal
from billing.tests.test_bank import JESUS, imported
from billing.tests.test_bank_movements import (
    by_hand,
    invoice,
    line_of,
    other,
    outcome,
    paid,
    row,
    topped_up,
    waiting,
)
from customers.models import Customer, Line

__all__ = ["invoice", "other"]  # fixtures

D = Decimal

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("opened")]


# --- What a transfer is for ---


def test_several_invoices_that_are_named_are_paid_if_they_are_exactly_this(
    invoice: Invoice, other: Invoice, now: datetime
) -> None:
    both = invoice.total + other.total
    text = "001–001–000000001 y 001-001-2"
    assert outcome(imported(row("A", text, f"{both - D('0.01')}"), at=now)) == "SEVERAL"
    assert outcome(imported(row("B", text, f"{both}"), at=now)) == "matched"
    assert (paid(invoice), paid(other)) == (invoice.total, other.total)
    transfer = BankTransfer.objects.get(reference="B")
    assert sorted(part.payment.reference for part in transfer.parts.all()) == ["B", "B 2"]
    assert transfer.rest == 0


@pytest.mark.parametrize("text", ["001-001-000000001/2", "001-001-000000001 y 2", "001-001-1 al 2"])
def test_what_may_name_a_second_invoice_pays_the_first_only_to_the_cent(
    text: str, invoice: Invoice, other: Invoice, now: datetime
) -> None:
    both = invoice.total + other.total
    assert outcome(imported(row("A", text, f"{both}"), at=now)) == "SEVERAL"
    assert outcome(imported(row("B", text, f"{invoice.total}"), at=now)) == "matched"
    assert (paid(invoice), paid(other)) == (invoice.total, 0)


def test_of_two_customers_who_are_named_neither_pays_another_amount(invoice: Invoice, now: datetime) -> None:
    text, payer = f"pago {JESUS}", "0923456789 EVA"
    assert outcome(imported(row("A", text, "10.00", payer), at=now)) == "SEVERAL"
    assert outcome(imported(row("B", text, f"{invoice.total}", payer), at=now)) == "matched"


def test_digits_that_are_one_s_number_and_another_s_identity_wait(invoice: Invoice, now: datetime) -> None:
    assert outcome(imported(row("A", f"pago {JESUS}", "1.00"), at=now)) == "matched"
    Customer.objects.create(dni=JESUS, full_name="Otra Persona")
    assert outcome(imported(row("B", f"pago {JESUS}"), at=now)) == "SEVERAL"


def test_a_former_holders_debt_is_not_paid_by_a_payer_who_names_the_number(
    invoice: Invoice, now: datetime
) -> None:
    Line.objects.filter(phone_number=JESUS).update(
        customer=Customer.objects.create(dni="1710034065", full_name="Nueva")
    )
    assert outcome(imported(row("A", f"pago {JESUS}"), at=now)) == "SEVERAL"
    assert outcome(imported(row("B", f"pago {JESUS} CI 0929668846"), at=now)) == "matched"


def test_a_ruc_that_is_known_is_not_the_person_it_begins_with(invoice: Invoice, now: datetime) -> None:
    assert outcome(imported(row("A", "RUC 0929668846001", "1.00"), at=now)) == "matched"
    Customer.objects.create(dni="0929668846001", full_name="Compañía")
    assert outcome(imported(row("B", "RUC 0929668846-001"), at=now)) == "NO_INVOICE"


# --- Settled by a clerk ---


def test_a_waiting_transfer_is_put_on_a_wallet(invoice: Invoice, now: datetime) -> None:
    transfer, line = waiting(invoice, now), line_of(invoice)
    entry = top_up_from_transfer(transfer=transfer, line=line, at=now, by="eva")
    transfer.refresh_from_db()
    assert (transfer.entry, transfer.problem, entry.amount) == (entry, "", D("25.30"))
    assert (paid(invoice), balance(line)) == (D("25.30"), 0)  # set off against what is due
    assert (entry.kind, entry.reference, entry.by) == ("TOP_UP", "TR-9", "eva")
    again = partial(top_up_from_transfer, transfer=transfer, line=line, at=now, by="eva")
    assert refusal(again) == "already_assigned"
    assert refusal(lambda: topped_up(invoice, "tr9", now)) == "reference_used"


def test_a_terminated_line_gets_no_transfer(invoice: Invoice, now: datetime) -> None:
    transfer, line = waiting(invoice, now), line_of(invoice)
    line.status = "TERMINATED"
    assert (
        refusal(lambda: top_up_from_transfer(transfer=transfer, line=line, at=now, by="eva"))
        == "line_terminated"
    )


def test_a_waiting_transfer_is_assigned_in_parts(invoice: Invoice, other: Invoice, now: datetime) -> None:
    transfer = waiting(invoice, now, amount="30.00")

    def assign(*amounts: str, invoices: tuple[Invoice, ...] = (invoice, other)) -> list[Payment]:
        parts = list(zip(invoices, map(D, amounts), strict=True))
        return assign_in_parts(transfer=transfer, parts=parts, at=now, by="eva")

    assert refusal(lambda: assign("20.00", "9.99")) == "parts_differ"
    assert refusal(lambda: assign("20.00", "10.01")) == "parts_differ"
    assert refusal(lambda: assign("40.00", "-10.00")) == "amount_not_positive"
    assert refusal(lambda: assign("20.00", "10.00", invoices=(invoice, invoice))) == "named_twice"
    assert not Payment.objects.filter(invoice__in=[invoice, other]).exists()
    payments = assign("20.00", "10.00")
    assert [(each.invoice, each.received, each.reference) for each in payments] == [
        (invoice, D("20.00"), "TR-9"),
        (other, D("10.00"), "TR-9 2"),
    ]
    transfer.refresh_from_db()
    assert (transfer.payment, transfer.rest) == (payments[0], D(0))
    assert refusal(lambda: assign("20.00", "10.00")) == "already_assigned"


def test_a_transfer_of_which_a_part_is_paid_is_not_closed(
    invoice: Invoice, other: Invoice, now: datetime
) -> None:
    transfer = waiting(invoice, now, amount="3.00")
    parts = [(invoice, D("2.00")), (other, D("1.00"))]
    payments = assign_in_parts(transfer=transfer, parts=parts, at=now, by="eva")
    reverse_payment(payment=payments[1], why="x", at=now)
    close = partial(close_transfer, transfer=transfer, closing=Closing.RETURNED, why="x", at=now, by="eva")
    assert refusal(close) == "partly_assigned"
    reverse_payment(payment=payments[0], why="x", at=now)
    assert close().closed == "RETURNED"


def test_a_long_reference_of_a_second_payment_is_cut_to_what_fits(
    invoice: Invoice, other: Invoice, now: datetime
) -> None:
    transfer = waiting(invoice, now, reference="9" * 64, amount="3.00")
    parts = [(invoice, D("2.00")), (other, D("1.00"))]
    payments = assign_in_parts(transfer=transfer, parts=parts, at=now, by="eva")
    assert [payment.reference for payment in payments] == ["9" * 64, f"transfer {transfer.pk} 2"]


@pytest.mark.parametrize(
    ("year", "taken"), [(1926, False), (2016, False), (2020, False), (2022, True), (2026, True)]
)
def test_a_payment_of_years_ago_is_refused(year: int, taken: bool, invoice: Invoice, now: datetime) -> None:
    at = now.replace(year=year)
    if taken:
        assert by_hand(invoice, "TR-9", now, paid_at=at).paid_at == at
    else:
        assert refusal(lambda: by_hand(invoice, "TR-9", now, paid_at=at)) == "paid_long_ago"


@pytest.mark.parametrize("first", MONEY_METHODS)
@pytest.mark.parametrize("second", MONEY_METHODS)
def test_a_top_up_by_another_method_is_another_movement(
    first: str, second: str, invoice: Invoice, now: datetime
) -> None:
    """What comes to the wallet pays the open invoice."""
    entry = topped_up(invoice, "123", now, method=PaymentMethod(first))

    def again() -> WalletEntry:
        return topped_up(invoice, "123", now, method=PaymentMethod(second))

    if first == second:
        assert again() == entry
    else:
        assert refusal(again) == "reference_used"
    tops = WalletEntry.objects.filter(kind="TOP_UP", reference="123")
    assert sum(top.amount for top in tops) == D("25.30")


def test_a_payment_of_a_day_to_come_is_refused(invoice: Invoice, now: datetime) -> None:
    at = now.replace(year=2062)
    assert refusal(lambda: by_hand(invoice, "TR-9", now, paid_at=at)) == "paid_in_the_future"
    assert by_hand(invoice, "TR-9", now, paid_at=now.replace(day=5))


@pytest.mark.parametrize("closing", Closing)
def test_a_transfer_that_is_no_payment_is_closed(closing: Closing, invoice: Invoice, now: datetime) -> None:
    transfer = waiting(invoice, now)
    close_transfer(transfer=transfer, closing=closing, why="error del banco", at=now, by="eva")
    transfer.refresh_from_db()
    assert (transfer.closed, transfer.closed_by, transfer.problem, transfer.rest) == (
        closing,
        "eva",
        "",
        D(0),
    )
    assert outcome(imported(row(), at=now)) == "known"
    assert (
        refusal(lambda: assign_transfer(transfer=transfer, invoice=invoice, at=now, by="eva"))
        == "already_assigned"
    )
    assert refusal(lambda: by_hand(invoice, "TR-9", now)) == "reference_used"


# --- One form of writing ---


@pytest.mark.parametrize(
    ("references", "key"),
    [(["TR-4711", "tr 4711", "Tr.4711", "TR–4711", "'TR4711", "ＴＲ4711", "TR\u200b4711", "TR_4711"],
      "TR4711"), (["123", "000123", '="000123"', "123.0", "123,00", "1 2 3"], "123"),
     (["001-23", "001.23", "001/23"], "001-23"),
     (["A0012"], "A0012"), (["0", "000", "-", "", "N/A", "s/n", "0-0", "...", "LOTE"], "")],
)  # fmt: skip
def test_one_form_of_writing_for_a_reference(references: list[str], key: str) -> None:
    assert {reference_key(each) for each in references} == {key}


def test_references_that_differ_in_more_than_spelling_are_different() -> None:
    different = ["1-23", "12-3", "123", "A123", "123A", "1230", "0012A", "12A", "TR1", "TR10", "TR01"]
    assert len({reference_key(each) for each in different}) == len(different)
