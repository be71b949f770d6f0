"""What the back-office finds: numbers as they are printed, spoken and copied."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import Model
from django.test import Client

from billing.models import (
    BankTransfer,
    CreditNote,
    Invoice,
    InvoiceEvent,
    InvoiceLine,
    Issuer,
    Payment,
    Wallet,
    WalletEntry,
)
from billing.printing.page import printed_page
from billing.settling.crediting import credit_invoice
from billing.settling.paying import receive_payment
from billing.tests.test_bank import issued
from customers.models import Customer, Line, Subscription
from telcox.testing.office import new, rows, superuser, told
from usage.models import UsageEvent

JESUS = "0969786985"

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("seeded")]


@pytest.fixture
def boss() -> Client:
    return superuser()


@pytest.fixture
def invoice(now: datetime) -> Invoice:
    return issued(JESUS, now)


def found(client: Client, model: type[Model], text: str) -> list[Any]:
    return list(client.get(rows(model), {"q": text}).context["cl"].result_list)


def picked(client: Client, model: type[Model], field: str, text: str) -> list[str]:
    named = dict(zip(("app_label", "model_name"), model._meta.label_lower.split("."), strict=True))
    named["field_name"] = field
    answer = client.get("/admin/autocomplete/", {**named, "term": text})
    return [each["text"] for each in answer.json()["results"]]


SPELLINGS = [
    "001-001-000000001",
    "001–001–000000001",
    "001 001 000000001",
    "001001000000001",
    "001-001-1",
    "Factura 001-001-000000001",
    "\u200e001-001-000000001",
    "000000001",
    "1",
]


@pytest.mark.parametrize("text", SPELLINGS)
def test_an_invoice_is_found_by_its_printed_number(boss: Client, invoice: Invoice, text: str) -> None:
    assert invoice.full_number == "001-001-000000001"
    assert invoice in found(boss, Invoice, text)


@pytest.mark.parametrize("text", SPELLINGS[:-2])
def test_in_a_picker_too_and_nothing_else_is(boss: Client, invoice: Invoice, text: str) -> None:
    assert picked(boss, Payment, "invoice", text) == ["001-001-000000001"]


def test_payments_lines_and_steps_are_found_by_the_number_of_their_invoice(
    boss: Client, invoice: Invoice, now: datetime
) -> None:
    receive_payment(
        invoice=invoice, amount=invoice.total, payment_method="EFECTIVO", reference="C-1", at=now, by="ana"
    )
    for model in (Payment, InvoiceLine, InvoiceEvent):
        assert {each.invoice for each in found(boss, model, "001-001-000000001")} == {invoice}
        assert not found(boss, model, "001-001-000000002")


def test_a_credit_note_by_its_own(boss: Client, invoice: Invoice, now: datetime) -> None:
    note = credit_invoice(invoice=invoice, why="x", at=now)
    assert note.full_number == "001-002-000000001"
    assert [each.pk for each in found(boss, CreditNote, "001-002-000000001")] == [note.pk]
    assert [each.pk for each in found(boss, Invoice, "001-002-000000001")] == [note.pk]


def test_a_document_by_the_access_key_that_is_printed_on_it(boss: Client, invoice: Invoice) -> None:
    key = printed_page(Invoice.objects.get(pk=invoice.pk))["key"]
    assert len(key) == 49
    for text in (key, f"{key[:20]} {key[20:]}", "\u200b".join(key)):
        assert found(boss, Invoice, text) == [invoice]
    last = str((int(key[-1]) + 1) % 10)
    assert found(boss, Invoice, key[:-1] + last) == []


NUMBERS = [
    "0969786985",
    "096 978 6985",
    "096-978-6985",
    "+593 96 978 6985",
    "+ 593 96 978 6985",
    "00593969786985",
    "969786985",
    "978-6985",
    "+593 96",
    "\u202a0969786985\u202c",
    "０９６９７８６９８５",
]


@pytest.mark.parametrize("text", NUMBERS)
def test_lines_customers_and_what_they_have_are_found_by_a_number_in_any_spelling(
    boss: Client, invoice: Invoice, text: str
) -> None:
    assert [each.phone_number for each in found(boss, Line, text)] == [JESUS]
    assert [each.dni for each in found(boss, Customer, text)] == ["0929668846"]
    assert {each.line.phone_number for each in found(boss, Subscription, text)} == {JESUS}
    assert {each.line.phone_number for each in found(boss, Wallet, text)} == {JESUS}
    assert invoice in found(boss, Invoice, text)
    assert picked(boss, Subscription, "line", text) == [JESUS]


def test_usage_is_found_by_the_whole_number(boss: Client) -> None:
    assert found(boss, UsageEvent, "096-978-6985") == found(boss, UsageEvent, JESUS) != []
    assert found(boss, UsageEvent, "no number") == []


@pytest.mark.parametrize("text", ["092966884-6", "092 966 884-6", "0929668846", "\u200e092966884–6"])
def test_a_customer_is_found_by_an_identity_in_any_spelling(boss: Client, text: str) -> None:
    assert [each.dni for each in found(boss, Customer, text)] == ["0929668846"]


def test_a_search_for_words_is_as_it_was(boss: Client) -> None:
    assert [each.full_name for each in found(boss, Customer, "jacome")] == ["Jesus Jacome"]
    assert found(boss, Customer, "jacome bruno") == []
    assert len(found(boss, Customer, "")) == 3


def test_a_reference_that_could_be_a_number_is_found_as_it_is(
    boss: Client, invoice: Invoice, now: datetime
) -> None:
    for reference in ("20261124", "969786985", "2026-11-24"):
        receive_payment(
            invoice=invoice,
            amount=Decimal(1),
            payment_method="EFECTIVO",
            reference=reference,
            at=now,
            by="ana",
        )
        assert reference in [each.reference for each in found(boss, Payment, reference)]


@pytest.mark.parametrize("concept", ["pago 001–001–9", "Año\u00a0Nuevo", "１２３ gracias"])
def test_a_text_is_found_as_it_was_stored(boss: Client, now: datetime, concept: str) -> None:
    transfer = BankTransfer.objects.create(
        reference="T-1", amount=1, paid_on=now, concept=concept, problem="NO_INVOICE", imported_at=now
    )
    assert found(boss, BankTransfer, concept) == [transfer]


@pytest.mark.parametrize("text", ["092966884-6", "0929668846"])
def test_wallets_and_payments_are_found_by_the_identity(
    boss: Client, invoice: Invoice, now: datetime, text: str
) -> None:
    receive_payment(
        invoice=invoice, amount=invoice.total, payment_method="EFECTIVO", reference="C-1", at=now, by="ana"
    )
    assert [each.line.phone_number for each in found(boss, Wallet, text)] == [JESUS]
    assert {each.wallet.line.phone_number for each in found(boss, WalletEntry, text)} == {JESUS}
    assert "C-1" in [each.reference for each in found(boss, Payment, text)]


class TestIssuers:
    @pytest.mark.parametrize(
        "tax_id", ["1792060346001", "179206034-6001", "1792060346 001", "\u200e1792060346001"]
    )
    def test_the_ruc_is_stored_as_digits_so_that_documents_have_an_access_key(
        self, boss: Client, invoice: Invoice, tax_id: str
    ) -> None:
        response = boss.post(new(Issuer), {"name": "Operadora", "tax_id": tax_id}, follow=True)
        assert Issuer.objects.get(name="Operadora").tax_id == "1792060346001"
        assert len(told(response)) == 1

    def test_what_is_no_ruc_is_said(self, boss: Client) -> None:
        response = boss.post(new(Issuer), {"name": "Operadora", "tax_id": "179206034600"}, follow=True)
        assert "This is not a RUC: documents of this issuer are printed without an access key." in told(
            response
        )

    def test_what_is_no_number_is_refused(self, boss: Client) -> None:
        assert boss.post(new(Issuer), {"name": "Operadora", "tax_id": "17/92"}).status_code == 200
        assert Issuer.objects.filter(name="Operadora").count() == 0


def test_a_name_is_stored_without_characters_that_nobody_sees(boss: Client) -> None:
    given = {"dni": "1714307103", "full_name": "Ana\u200b Ve\u00adra\u200e", "language": "es"}
    boss.post(new(Customer), {**given, "lines-TOTAL_FORMS": "0", "lines-INITIAL_FORMS": "0"})
    assert Customer.objects.get(dni="1714307103").full_name == "Ana Vera"
