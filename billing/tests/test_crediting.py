"""Credit notes: what they say, what becomes of the invoice, and where the money goes."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from billing.invoicing.drafting import draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.models import Invoice, InvoiceEvent, InvoiceKind, InvoiceSeries, WalletEntry
from billing.settling.crediting import LineAmounts, credit_invoice, remaining_lines
from billing.settling.paying import receive_payment
from billing.tests.builders import balance, refusal, spend_balances
from billing.tests.test_paying import prepaid_invoice
from billing.verification import find_faults
from customers.models import Customer, Line, Plan, Subscription
from telcox.common.errors import DomainError
from telcox.common.money import CENT
from usage.services import record_usage
from usage.vocabulary import Category

D = Decimal
JESUS = "0969786985"

pytestmark = pytest.mark.django_db


@pytest.fixture
def invoice(seeded: None, now: datetime) -> Invoice:
    """Two lines, 22.00 and 1.00 of which 3.00 come off the first: 20.00, and 3.00 of tax."""
    record_usage(phone_number=JESUS, category=Category.SOCIAL, quantity=31 * 2**30, source="t", at=now)
    period = Subscription.objects.get(line__phone_number=JESUS)
    draft = draft_invoice(subscription=period, at=now, discount=D("3.00"))
    spend_balances(now)
    return issue_invoice(invoice=draft, at=now)


@pytest.fixture
def phone(invoice: Invoice) -> Line:
    return Line.objects.get(phone_number=JESUS)


def sums(document: Invoice) -> tuple[Decimal, ...]:
    return document.subtotal, document.discount, document.tax, document.total


def now_of(invoice: Invoice) -> tuple[str, Decimal]:
    found = Invoice.objects.get(pk=invoice.pk)
    return found.status, found.outstanding


def test_a_credit_note_for_all_of_it_mirrors_the_invoice_and_voids_it(
    invoice: Invoice, now: datetime
) -> None:
    Customer.objects.update(full_name="Somebody Else")
    note = credit_invoice(invoice=invoice, why="Wrong plan", at=now, by="ana")
    assert (note.kind, note.status, note.full_number) == ("CREDIT_NOTE", "ISSUED", "001-002-000000001")
    assert (note.corrects, note.in_force, note.outstanding) == (invoice, None, 0)
    for field in ("customer_name", "customer_dni", "phone_number", "period", "tax_rate", "language"):
        assert getattr(note, field) == getattr(invoice, field)
    columns = ("description", "quantity", "unit", "unit_price", "amount", "discount", "tax")
    assert list(note.lines.values_list("position", "credits", *columns)) == list(
        invoice.lines.values_list("position", "position", *columns)
    )
    assert sums(note) == sums(invoice)
    assert now_of(invoice) == ("VOID", 0)
    event = InvoiceEvent.objects.get(invoice=invoice, to_status="VOID")
    assert (event.by, event.why) == ("ana", "001-002-000000001: Wrong plan")
    assert InvoiceEvent.objects.get(invoice=note).why == "Wrong plan"
    assert [str(fault) for fault in find_faults()] == []


def test_parts_come_to_the_whole(invoice: Invoice, now: datetime) -> None:
    first = credit_invoice(invoice=invoice, why="x", amounts={1: D("7.00"), 2: D("0.50")}, at=now)
    # 7/22 of the discount of 3.00; 15 % tax, in cents.
    assert sums(first) == (D("7.50"), D("0.95"), D("0.99"), D("7.54"))
    assert [(line.credits, line.amount) for line in first.lines.all()] == [(1, D("7.00")), (2, D("0.50"))]
    assert first.lines.get(position=1).quantity == D("0.318182")
    assert now_of(invoice) == ("ISSUED", D("15.46"))
    second = credit_invoice(invoice=invoice, why="x", amounts={1: D("14.99")}, at=now)
    assert now_of(invoice)[0] == "ISSUED"
    third = credit_invoice(invoice=invoice, why="x", at=now)
    assert [line.amount for line in third.lines.all()] == [D("0.01"), D("0.50")]
    assert now_of(invoice) == ("VOID", 0)
    assert tuple(map(sum, zip(*map(sums, (first, second, third)), strict=True))) == sums(invoice)
    assert [str(fault) for fault in find_faults()] == []


def test_the_last_part_by_its_amount_voids_it_too(invoice: Invoice, now: datetime) -> None:
    credit_invoice(invoice=invoice, why="x", amounts={1: D("22.00"), 2: D("1.00")}, at=now)
    assert now_of(invoice) == ("VOID", 0)


CENTS = st.integers(0, 10**7).map(lambda number: number * CENT)


@given(amount=CENTS, off=st.integers(0, 100), rate=st.integers(0, 40), parts=st.lists(st.integers(1, 10**5)))
def test_however_a_line_is_taken_back_it_comes_to_the_cent(
    amount: Decimal, off: int, rate: int, parts: list[int]
) -> None:
    discount = (amount * off / 100).quantize(CENT)
    left = LineAmounts(amount, discount, ((amount - discount) * rate / 100).quantize(CENT))
    for part in parts:
        if part * CENT < left.amount:
            taken = left.part(part * CENT)
            left = left.less(taken)
            assert min(*taken, *left) >= 0
            assert taken.discount <= taken.amount
    assert left.less(left.part(left.amount)) == (0, 0, 0)


def test_what_was_paid_goes_back_to_the_wallet(invoice: Invoice, phone: Line, now: datetime) -> None:
    receive_payment(invoice=invoice, amount=D("20.00"), payment_method="EFECTIVO", reference="C-1", at=now)
    before = balance(phone)
    # 3.00 are still owed: of 5.75, 2.75 were paid.
    credit_invoice(invoice=invoice, why="x", amounts={2: D("1.00")}, at=now)
    assert now_of(invoice) == ("PARTLY_PAID", D("1.85"))
    assert balance(phone) == before
    credit_invoice(invoice=invoice, why="x", at=now, by="ana")
    entry = WalletEntry.objects.get(reference=f"credit note {invoice.pk} 2")
    assert (entry.kind, entry.amount, entry.by, entry.subscription) == ("REFUND", D("20.00"), "ana", None)
    assert balance(phone) == before + D("20.00")
    assert [str(fault) for fault in find_faults()] == []


@pytest.mark.parametrize("paid", ["0.01", "1.00"])
def test_the_least_that_was_paid_goes_back(invoice: Invoice, phone: Line, now: datetime, paid: str) -> None:
    receive_payment(invoice=invoice, amount=D(paid), payment_method="EFECTIVO", reference="C-1", at=now)
    before = balance(phone)
    credit_invoice(invoice=invoice, why="x", at=now)
    assert balance(phone) == before + D(paid)


def test_a_long_reason_is_cut_in_the_history_of_the_invoice(invoice: Invoice, now: datetime) -> None:
    note = credit_invoice(invoice=invoice, why="x" * 200, at=now)
    event = InvoiceEvent.objects.filter(invoice=invoice).latest("pk")
    assert event.why == f"{note.full_number}: {'x' * 181}"
    assert len(event.why) == InvoiceEvent._meta.get_field("why").max_length == 200


def test_a_period_is_billed_again_if_that_is_asked_for(invoice: Invoice, now: datetime) -> None:
    period = Subscription.objects.get(pk=invoice.subscription_id)
    credit_invoice(invoice=invoice, why="x", at=now, bill_again=True)
    again = issue_invoice(invoice=draft_invoice(subscription=period, at=now), at=now)
    assert again.total == D("26.45")  # without the discount
    assert list(Invoice.objects.in_force().filter(subscription=period)) == [again]
    assert [str(fault) for fault in find_faults()] == []


def test_a_period_is_not_billed_again_if_not(invoice: Invoice, now: datetime) -> None:
    credit_invoice(invoice=invoice, why="x", at=now)
    period = Subscription.objects.get(pk=invoice.subscription_id)
    assert refusal(lambda: draft_invoice(subscription=period, at=now)) == "already_invoiced"


def test_what_a_prepaid_line_paid_in_advance_goes_back_and_is_paid_anew(
    prepaid: Line, make_plan: Callable[..., Plan], now: datetime, opened: None
) -> None:
    invoice = prepaid_invoice(prepaid, make_plan("week", price="8.00"), now)
    assert (invoice.status, balance(prepaid)) == ("PAID", D("10.80"))
    credit_invoice(invoice=invoice, why="x", amounts={1: D("1.00")}, at=now)
    assert (now_of(invoice)[0], balance(prepaid)) == ("PAID", D("11.95"))
    assert [str(fault) for fault in find_faults()] == []
    credit_invoice(invoice=invoice, why="x", at=now, bill_again=True)
    assert (now_of(invoice)[0], balance(prepaid)) == ("VOID", D("20.00"))
    assert invoice.subscription
    period = Subscription.objects.get(pk=invoice.subscription_id)
    again = issue_invoice(invoice=draft_invoice(subscription=period, at=now, discount=D("2.00")), at=now)
    assert (again.status, balance(prepaid)) == ("PAID", D("13.10"))
    assert [str(fault) for fault in find_faults()] == []


def test_an_invoice_over_nothing_can_be_voided(seeded: None, now: datetime) -> None:
    period = Subscription.objects.get(line__phone_number=JESUS)
    draft = draft_invoice(subscription=period, at=now, discount=D(1000))
    invoice = issue_invoice(invoice=draft, at=now)
    assert invoice.status == "PAID"
    note = credit_invoice(invoice=invoice, why="x", at=now)
    assert (note.status, note.total, now_of(invoice)[0]) == ("ISSUED", 0, "VOID")
    call_command("verify_invoices")
    assert [str(fault) for fault in find_faults()] == []
    assert refusal(lambda: credit_invoice(invoice=invoice, why="x", at=now)) == "already_void"


def test_a_line_that_costs_nothing_is_credited_once(seeded: None, now: datetime) -> None:
    """A fee of 0.00, and a gigabyte of overage for 1.00."""
    record_usage(phone_number=JESUS, category=Category.SOCIAL, quantity=31 * 2**30, source="t", at=now)
    Subscription.objects.filter(line__phone_number=JESUS).update(price=0)
    period = Subscription.objects.get(line__phone_number=JESUS)
    invoice = issue_invoice(invoice=draft_invoice(subscription=period, at=now), at=now)
    credit_invoice(invoice=invoice, why="x", amounts={2: D("0.40")}, at=now)
    rest = credit_invoice(invoice=invoice, why="x", at=now)
    assert list(rest.lines.order_by("position").values_list("credits", "amount")) == [
        (1, D("0.00")),
        (2, D("0.60")),
    ]
    assert rest.lines.get(credits=1).quantity == D(1)
    assert now_of(invoice) == ("VOID", D(0))
    assert {position: left.untouched for position, left in remaining_lines(invoice).items()} == {
        1: False,
        2: False,
    }


@pytest.mark.parametrize(
    ("amounts", "reason"),
    [
        ({}, "nothing_to_credit"),
        ({3: "1.00"}, "unknown_line"),
        ({0: "1.00"}, "unknown_line"),
        ({1: "0"}, "amount_not_positive"),
        ({1: "-1"}, "amount_not_positive"),
        ({1: "1.005"}, "amount_not_in_cents"),
        ({1: "1.00", 2: "1.01"}, "more_than_left"),
        ({1: "22.01"}, "more_than_left"),
    ],
)
def test_what_cannot_be_taken_back_is_refused_and_nothing_changes(
    invoice: Invoice, now: datetime, amounts: dict[int, str], reason: str
) -> None:
    given = {position: D(amount) for position, amount in amounts.items()}
    assert refusal(lambda: credit_invoice(invoice=invoice, why="x", amounts=given, at=now)) == reason
    assert now_of(invoice) == ("ISSUED", D("23.00"))
    assert InvoiceSeries.objects.get(prefix="001-002").last_number == 0


def test_the_refusal_names_the_line_that_is_unknown_and_what_is_left(invoice: Invoice, now: datetime) -> None:
    for position, amount, said in (
        (7, "1.00", "The invoice has no line 7"),
        (2, "1.01", "At most 1.00 of line 2 can be credited"),
    ):
        with pytest.raises(DomainError) as refused, translation.override("en"):
            credit_invoice(invoice=invoice, why="x", amounts={position: D(amount)}, at=now)
        assert refused.value.detail == said


def test_only_issued_invoices_are_taken_back(invoice: Invoice, now: datetime) -> None:
    note = credit_invoice(invoice=invoice, why="x", at=now, bill_again=True)
    assert refusal(lambda: credit_invoice(invoice=invoice, why="x", at=now)) == "already_void"
    assert refusal(lambda: credit_invoice(invoice=note, why="x", at=now)) == "is_credit_note"
    assert invoice.subscription_id
    period = Subscription.objects.get(pk=invoice.subscription_id)
    draft = draft_invoice(subscription=period, at=now)
    assert refusal(lambda: credit_invoice(invoice=draft, why="x", at=now)) == "not_issued"


def test_only_the_whole_is_billed_again_and_only_a_period(invoice: Invoice, now: datetime) -> None:
    part = {1: D("1.00")}
    assert (
        refusal(lambda: credit_invoice(invoice=invoice, why="x", amounts=part, at=now, bill_again=True))
        == "not_wholly_credited"
    )
    assert now_of(invoice) == ("ISSUED", D("23.00"))
    taken_over = Invoice.objects.filter(series__prefix="HIST", subscription=None)[:1].get()
    assert (
        refusal(lambda: credit_invoice(invoice=taken_over, why="x", at=now, bill_again=True)) == "no_period"
    )
    # It was paid, and nobody knows whose wallet that would go to.
    assert refusal(lambda: credit_invoice(invoice=taken_over, why="x", at=now)) == "no_wallet"
    assert not Invoice.objects.filter(kind=InvoiceKind.CREDIT_NOTE).exists()
