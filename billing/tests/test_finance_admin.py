"""What finance does in the back-office, as a browser sends it."""

import csv
import io
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import StreamingHttpResponse
from django.test import Client
from django.urls import reverse

from billing.exports import Selection, totals_of
from billing.models import BankTransfer, Invoice
from billing.tests.test_bank import issued
from customers.models import Line
from telcox.testing.office import new, rows, somebody_of, superuser, told, url

D = Decimal
JESUS = "0969786985"
STATEMENT = (
    b"Fecha;Referencia;Valor;Concepto\n"
    b"02/12/2026;TR-1;25,30;FACT 001-001-1\n02/12/2026;TR-2;7,00;gracias\nx;TR-3;1,00;\n"
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("seeded")]


@pytest.fixture
def clerk() -> Client:
    return somebody_of("Facturación")


@pytest.fixture
def invoice(now: datetime) -> Invoice:
    return issued(JESUS, now)


def upload(content: bytes = STATEMENT) -> dict[str, Any]:
    return {"file": SimpleUploadedFile("noviembre.csv", content), "decimal": ""}


def test_a_statement_is_looked_at_and_then_imported(clerk: Client, invoice: Invoice) -> None:
    page = clerk.get(new(BankTransfer))
    shown = clerk.post(page.context["preview"].address, upload())
    assert (shown.context["report"].matched, shown.context["report"].unmatched) == (1, 1)
    assert not BankTransfer.objects.exists()
    done = clerk.post(new(BankTransfer), upload())
    assert done.context["report"] == shown.context["report"]
    assert "No invoice found" in done.content.decode()
    assert "TR-2" in done.content.decode()
    assert [each.imported_by for each in BankTransfer.objects.all()] == ["Facturación"] * 2
    assert ("Transfers to assign", 1) in [each[:2] for each in clerk.get("/admin/").context["figures"]]
    waiting = clerk.get(f"{rows(BankTransfer)}?payment__isempty=1").content.decode()
    assert "TR-2" in waiting
    assert "TR-1" not in waiting


def test_a_file_that_is_too_large_is_for_the_command(clerk: Client, settings: Any) -> None:
    settings.BANK_FILE_BYTES = 50
    for address in (new(BankTransfer), clerk.get(new(BankTransfer)).context["preview"].address):
        assert "import_payments" in clerk.post(address, upload()).content.decode()
    assert not BankTransfer.objects.exists()


@pytest.mark.parametrize("content", [b"%PDF-1.7 \xff\x00", b"\x00" * 9])
def test_any_file_is_answered(clerk: Client, content: bytes) -> None:
    assert clerk.post(new(BankTransfer), upload(content)).context["report"].bad == 1


def test_what_waits_is_assigned_to_an_invoice(clerk: Client, invoice: Invoice) -> None:
    clerk.post(new(BankTransfer), upload(STATEMENT.splitlines(True)[0] + STATEMENT.splitlines(True)[2]))
    transfer = BankTransfer.objects.get()
    [(_label, address)] = clerk.get(url(transfer)).context["links"]
    assert "gracias" in clerk.get(address).content.decode()
    response = clerk.post(address, {"invoice": invoice.pk}, follow=True)
    assert told(response) == [f"Assigned to {invoice}"]
    transfer.refresh_from_db()
    assert transfer.payment is not None
    assert (transfer.payment.invoice, transfer.payment.by) == (invoice, "Facturación")
    assert clerk.get(url(transfer)).context["links"] == []
    assert told(clerk.post(address, {"invoice": invoice.pk})) == [
        "The transfer is already recorded as a payment"
    ]
    assert clerk.post(address, {"invoice": "x"}).status_code == 200


@pytest.fixture
def waiting(clerk: Client, invoice: Invoice) -> BankTransfer:
    """7.00 that wait, and 001-001-000000002 beside 001-001-000000001."""
    clerk.post(new(BankTransfer), upload(STATEMENT.splitlines(True)[0] + STATEMENT.splitlines(True)[2]))
    return BankTransfer.objects.get()


def way(transfer: BankTransfer, name: str, page: str = "") -> str:
    return reverse(f"admin:billing_banktransfer_{name}{page}", args=[transfer.pk])


def test_what_waits_is_settled_in_other_ways_each_with_a_preview(
    clerk: Client, invoice: Invoice, waiting: BankTransfer, now: datetime
) -> None:
    other = issued("0923456789", now)
    links = clerk.get(way(waiting, "assign")).context["ways"]
    assert [address for _title, address in links] == [
        way(waiting, name) for name in ("parts", "topup", "close")
    ]
    in_parts = {"invoice_1": invoice.pk, "amount_1": "3,50", "invoice_2": other.pk, "amount_2": "3.50"}
    line = Line.objects.get(phone_number=JESUS)
    for name, given, says in (
        ("assign", {"invoice": invoice.pk}, f"{invoice} receives 7.00. Still owed on it: 18.30."),
        ("parts", in_parts, f"{other} receives 3.50. Still owed on it: 6.28."),
        ("topup", {"line": line.pk}, f"7.00 were put on the wallet of {line}."),
        ("close", {"closing": "RETURNED", "why": "error"}, "Closed: Returned to the payer"),
    ):
        assert clerk.get(way(waiting, name)).status_code == 200
        shown = clerk.post(way(waiting, name, "_preview"), given).content.decode().replace("$", "")
        assert says in shown
    waiting.refresh_from_db()
    assert (waiting.payment, waiting.entry, waiting.problem) == (None, None, "NO_INVOICE")
    assert clerk.get(way(waiting, "close", "_preview")).status_code == 405


def test_a_transfer_is_assigned_in_parts(
    clerk: Client, invoice: Invoice, waiting: BankTransfer, now: datetime
) -> None:
    other = issued("0923456789", now)
    given = {"invoice_1": invoice.pk, "amount_1": "3,50", "invoice_2": other.pk, "amount_2": "3,40"}
    told_of_it = told(clerk.post(way(waiting, "parts"), given))
    assert told_of_it == ["The parts add up to 6.90 dollars, and the transfer is over 7.00"]
    refused = clerk.post(
        way(waiting, "parts"), {**given, "amount_2": "1.234", "amount_3": "1.00"}
    ).content.decode()
    assert "“1.234” can be read in more than one way" in refused
    assert "Give both the invoice and its amount" in refused
    clerk.post(way(waiting, "parts"), {**given, "amount_2": "3,50"})
    assert [part.payment.amount for part in waiting.parts.order_by("pk")] == [D("3.50"), D("3.50")]
    assert clerk.get(url(waiting)).context["links"] == []


def test_a_transfer_is_put_on_a_wallet_or_closed(
    clerk: Client, invoice: Invoice, waiting: BankTransfer
) -> None:
    line = Line.objects.get(phone_number=JESUS)
    response = clerk.post(way(waiting, "topup"), {"line": line.pk}, follow=True)
    assert "were put on the wallet" in told(response)[0]
    waiting.refresh_from_db()
    assert waiting.entry is not None
    assert told(clerk.post(way(waiting, "close"), {"closing": "RETURNED", "why": "x"})) == [
        "The transfer is already recorded as a payment"
    ]
    assert ("Transfers to assign", 0) in [each[:2] for each in clerk.get("/admin/").context["figures"]]


def test_the_columns_that_were_used_are_shown_and_asked_for(clerk: Client, invoice: Invoice) -> None:
    content = b"Fecha;Documento;Monto;Valor;Concepto\n26/11/2026;T-1;25,30;20,00;001-001-000000001\n"
    preview = clerk.get(new(BankTransfer)).context["preview"].address
    assert "name it by its heading" in clerk.post(preview, upload(content)).content.decode()
    page = clerk.post(preview, {**upload(content), "amount": "Valor"})
    assert page.context["report"].matched_amount == D("20.00")
    assert "<tr><td>amount</td><td>Valor</td></tr>" in page.content.decode()


def test_who_takes_no_payments_imports_and_assigns_nothing(invoice: Invoice) -> None:
    shop = somebody_of("Atención al cliente")
    superuser().post(new(BankTransfer), upload())
    waiting = BankTransfer.objects.get(reference="TR-2")
    assert shop.post(new(BankTransfer), upload()).status_code == 403
    assert shop.post(reverse("admin:billing_banktransfer_preview_new"), upload()).status_code == 403
    for name in ("assign", "parts", "topup", "close"):
        assert shop.get(way(waiting, name)).status_code == 403
        assert shop.post(way(waiting, name), {"closing": "RETURNED", "why": "x"}).status_code == 403
        assert shop.post(way(waiting, name, "_preview"), {}).status_code == 403


EXPORTS = "/admin/exports/"


def test_the_exports_page_shows_what_the_files_add_up_to(clerk: Client, invoice: Invoice) -> None:
    assert "Exports for finance" in clerk.get("/admin/").content.decode()
    page = clerk.get(EXPORTS, {"period": "2026-11"})
    assert page.context["totals"] == totals_of(Selection("2026-11"))
    assert str(page.context["totals"].together.total) in page.content.decode()
    addresses = dict(page.context["downloads"])
    assert len(addresses) == 4
    response: Any = clerk.get(addresses["Invoices and credit notes: CSV"])
    assert isinstance(response, StreamingHttpResponse)
    assert response["Content-Disposition"] == 'attachment; filename="documents-2026-11.csv"'
    lines = list(csv.DictReader(io.StringIO(response.getvalue().decode("utf-8-sig"))))
    assert sum(D(line["Total"]) for line in lines) == page.context["totals"].together.total
    for address in addresses.values():
        assert b"".join(clerk.get(address).streaming_content)  # type: ignore[attr-defined]


def test_days_choose_as_well(clerk: Client, invoice: Invoice) -> None:
    page = clerk.get(EXPORTS, {"first": "2026-12-01", "last": "2026-12-01"})
    assert page.context["totals"].invoices.documents == 1


@pytest.mark.parametrize(
    "chosen",
    [
        {"period": "2026-13"},
        {"period": "2026-11", "first": "2026-12-01"},
        {"first": "2026-12-01"},
        {"first": "2026-12-02", "last": "2026-12-01"},
        {"first": "0001-01-01", "last": "9999-12-31"},
        {"period": "\0"},
    ],
    ids=str,
)
def test_what_is_no_choice_is_said_and_downloads_nothing(clerk: Client, chosen: dict[str, str]) -> None:
    for address in (EXPORTS, f"{EXPORTS}invoices.csv"):
        response = clerk.get(address, chosen)
        assert response.status_code == 200
        assert "errorlist" in response.content.decode()
        assert "totals" not in response.context


def test_exports_are_for_who_may_see_documents(invoice: Invoice) -> None:
    network = somebody_of("Red")
    assert network.get(EXPORTS).status_code == 403
    assert network.get(f"{EXPORTS}payments.csv?period=2026-11").status_code == 403
    boss = superuser()
    for no_file in ("wallets.csv", "invoices.pdf"):
        assert boss.get(f"{EXPORTS}{no_file}?period=2026-11").status_code == 404
