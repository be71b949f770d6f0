"""Payments, reversals and credit notes in the back-office, as a browser sends them."""

from typing import Any

import pytest
from django.test import Client

from billing.invoicing.drafting import draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.models import CreditNote, Invoice, Payment, Reversal
from billing.tests.builders import spend_balances
from customers.models import Subscription
from telcox.testing.builders import NOW
from telcox.testing.office import new, preview_of_new, rows, somebody_of, told, url

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("seeded")]


@pytest.fixture
def clerk() -> Client:
    return somebody_of("Facturación")


@pytest.fixture
def invoice() -> Invoice:
    """Over 25.30."""
    period = Subscription.objects.get(line__phone_number="0969786985")
    spend_balances(NOW)
    return issue_invoice(invoice=draft_invoice(subscription=period, at=NOW), at=NOW)


def pay(client: Client, invoice: Invoice, **other: str) -> Any:
    given = {
        "invoice": invoice.pk,
        "amount": "30.00",
        "payment_method": "EFECTIVO",
        "paid_at_0": "2026-12-03",
        "paid_at_1": "10:30",
        "reference": "C-1",
    }
    return client.post(new(Payment), {**given, **other}, follow=True)


def links(client: Client, obj: Any) -> dict[str, str]:
    return {str(label): address for label, address in client.get(url(obj)).context["links"]}


# --- Payments ---


def test_what_is_more_than_is_owed_is_taken_and_said(clerk: Client, invoice: Invoice) -> None:
    said = "The invoice received 25.30. The remaining 4.70 went to the line's wallet."
    assert said in told(pay(clerk, invoice))
    payment = Payment.objects.get(reference="C-1")
    assert (payment.amount, payment.to_wallet, payment.by) == (
        payment.invoice.total,
        payment.received - payment.invoice.total,
        "Facturación",
    )
    pay(clerk, invoice)  # sent twice
    assert invoice.payments.count() == 1


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"amount": "0"}, "The amount must be greater than zero"),
        ({"reference": "HIST-1"}, "Another payment already has this reference"),
    ],
)
def test_a_refused_payment_says_why(
    clerk: Client, invoice: Invoice, wrong: dict[str, str], sentence: str
) -> None:
    assert told(pay(clerk, invoice, **wrong)) == [sentence]
    assert not invoice.payments.exists()


def test_a_reference_has_no_blanks(clerk: Client, invoice: Invoice) -> None:
    response = pay(clerk, invoice, reference="wallet 1")
    assert "reference" in response.context["adminform"].form.errors


def test_a_payment_is_reversed_from_its_page(clerk: Client, invoice: Invoice) -> None:
    pay(clerk, invoice)
    payment = invoice.payments.get()
    form = clerk.get(links(clerk, payment)["Reverse"]).context["adminform"].form
    assert form.initial["reverses"] == str(payment.pk)
    assert clerk.post(new(Reversal), {"reverses": payment.pk}).status_code == 200  # it does not say why
    clerk.post(new(Reversal), {"reverses": payment.pk, "why": "The cheque bounced"})
    reversal = Reversal.objects.get()
    assert (reversal.amount, reversal.why, reversal.by) == (
        -payment.amount,
        "The cheque bounced",
        "Facturación",
    )
    assert links(clerk, payment) == {}
    assert str(reversal) in clerk.get(url(payment)).content.decode()
    assert str(payment) in clerk.get(url(reversal)).content.decode()
    again = clerk.post(new(Reversal), {"reverses": payment.pk, "why": "x"}, follow=True)
    assert told(again) == ["The payment was already reversed"]


# --- Credit notes ---


def test_an_invoice_is_taken_back_in_part_and_then_wholly(clerk: Client, invoice: Invoice) -> None:
    address = links(clerk, invoice)["Issue credit note"]
    form = clerk.get(address).context["adminform"].form
    assert {"corrects", "why", "bill_again", "line_1"} == set(form.fields)
    given = {"corrects": invoice.pk, "why": "Complaint", "line_1": "2.00"}
    clerk.post(address, given)
    note = CreditNote.objects.get()
    assert (str(note.total), note.corrects) == ("2.30", invoice)
    # From one to the other and back.
    assert url(invoice) in clerk.get(url(note)).content.decode()
    assert url(note) in clerk.get(url(invoice)).content.decode()

    assert "line_1" in clerk.post(address, {**given, "line_1": "20.01"}).context["adminform"].form.errors
    nothing = clerk.post(address, {**given, "line_1": ""}, follow=True)
    assert told(nothing) == ["There is nothing left to credit"]
    left = clerk.get(address).context["adminform"].form["line_1"].value()
    assert str(left) == "20.00"
    clerk.post(address, {**given, "line_1": left, "bill_again": "on"})
    invoice.refresh_from_db()
    assert (invoice.status, CreditNote.objects.count()) == ("VOID", 2)
    assert links(clerk, invoice).keys() == {"PDF"}
    page = clerk.get(url(Subscription.objects.get(pk=invoice.subscription_id)))
    assert [step.name for step in page.context["steps"]] == ["draft_invoice"]


def test_what_would_be_taken_back_is_shown_before(clerk: Client, invoice: Invoice) -> None:
    pay(clerk, invoice)
    given = {"corrects": invoice.pk, "why": "Complaint", "line_1": "2.00"}
    shown = clerk.post(preview_of_new(CreditNote), given).content.decode()
    assert "2.30" in shown
    assert "Refunded to the wallet now: 2.30" in shown
    assert not CreditNote.objects.exists()


def test_a_refusal_keeps_what_was_filled_in(clerk: Client, invoice: Invoice) -> None:
    given = {"corrects": invoice.pk, "why": "Complaint", "line_1": "2.00", "bill_again": "on"}
    response = clerk.post(new(CreditNote), given, follow=True)
    assert told(response) == ["The period can be billed again only if the whole invoice is credited"]
    initial = response.context["adminform"].form.initial
    assert (initial["why"], initial["line_1"]) == ("Complaint", "2.00")


def test_who_may_only_look_finds_no_way_in(invoice: Invoice) -> None:
    clerk, shop = somebody_of("Facturación"), somebody_of("Atención al cliente")
    pay(clerk, invoice)
    payment = invoice.payments.get()
    assert (links(shop, invoice).keys(), links(shop, payment)) == ({"PDF"}, {})
    assert shop.post(new(CreditNote), {"corrects": invoice.pk, "why": "x"}).status_code == 403
    assert shop.post(preview_of_new(CreditNote), {"corrects": invoice.pk, "why": "x"}).status_code == 403
    assert shop.post(new(Reversal), {"reverses": payment.pk, "why": "x"}).status_code == 403
    assert shop.get(rows(CreditNote)).status_code == shop.get(rows(Reversal)).status_code == 200
    assert not CreditNote.objects.exists()
    assert not Reversal.objects.exists()


@pytest.mark.parametrize("key", ["0", "x", "9" * 30, ""])
def test_a_form_for_an_invoice_that_is_not_there(clerk: Client, key: str) -> None:
    page = clerk.get(new(CreditNote) + f"?corrects={key}")
    assert set(page.context["adminform"].form.fields) == {"corrects", "why", "bill_again"}
    assert clerk.post(new(CreditNote), {"corrects": key, "why": "x"}).status_code == 200
    assert not CreditNote.objects.exists()
