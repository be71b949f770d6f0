"""What finance takes home: every column adds up to what was billed."""

import csv
import io
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db.models import Sum
from django.utils import translation

from billing.exports import Selection, csv_of, documents_table, payments_table, totals_of, write_xlsx
from billing.exports.tables import Table
from billing.invoicing.drafting import draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.models import Invoice, InvoiceSeries, Payment
from billing.runs.running import bill_open_chunks, start_run
from billing.settling.crediting import credit_invoice
from billing.settling.paying import receive_payment
from billing.tests.builders import moment, spend_balances
from customers.models import Customer, Line, Subscription
from telcox.common.calendar import local_date

D = Decimal
PERIOD = Selection("2026-11")
NOON = moment("2026-11-30 12:00")

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("seeded")]


@pytest.fixture(autouse=True)
def in_spanish() -> Iterator[None]:
    with translation.override("es"):
        yield


@pytest.fixture
def billed(now: datetime, monkeypatch: pytest.MonkeyPatch) -> list[Invoice]:
    """Every customer's bill of 2026-11, some paid in part, and a credit note for a part of the first; read
    two at a time."""
    monkeypatch.setattr("billing.exports.tables.KEYS_AT_ONCE", 2)
    Customer.objects.filter(dni="0929668846").update(full_name="=1+1 Ñandú, “Jesús”")
    spend_balances(now)
    invoices = [
        issue_invoice(invoice=draft_invoice(subscription=subscription, at=now), at=now)
        for subscription in Subscription.objects.order_by("pk")
    ]
    assert len(invoices) >= 3
    for invoice in invoices[:2]:
        for part in (1, 2):
            receive_payment(
                invoice=invoice,
                amount=D("1.10"),
                payment_method="EFECTIVO",
                reference=f"C-{invoice.pk}-{part}",
                at=now,
            )
    note(invoices[0], now)
    return invoices


def note(invoice: Invoice, at: datetime) -> None:
    """Takes 2.00 and its tax of 0.30 back."""
    InvoiceSeries.objects.get_or_create(prefix=settings.CREDIT_NOTE_SERIES)
    credit_invoice(invoice=invoice, why="Complaint", amounts={1: D("2.00")}, at=at)


def as_csv(table: Table) -> list[dict[str, str]]:
    content = b"".join(csv_of(table)).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(content)))


def as_xlsx(table: Table, **options: Any) -> list[list[dict[str, Any]]]:
    """Of each sheet its rows."""
    file = io.BytesIO()
    write_xlsx(table, file, **options)
    book = openpyxl.load_workbook(file)
    return [list(_named(sheet.iter_rows(values_only=True))) for sheet in book.worksheets]


def _named(rows: Iterator[Any]) -> Iterator[dict[str, Any]]:
    titles = next(rows)
    for row in rows:
        yield dict(zip(titles, row, strict=True))


def added_up(rows: list[dict[str, Any]], title: str) -> Decimal:
    return sum((D(str(row[title])) for row in rows), D(0)).quantize(D("0.01"))


COLUMNS = {"subtotal": "Subtotal", "discount": "Descuento", "tax": "Impuesto", "total": "Total"}


def test_csv_xlsx_and_the_totals_say_the_same(billed: list[Invoice], now: datetime) -> None:
    totals = totals_of(PERIOD)
    in_csv, [in_xlsx] = as_csv(documents_table(PERIOD)), as_xlsx(documents_table(PERIOD))
    assert len(in_csv) == len(in_xlsx) == totals.together.documents == len(billed) + 1
    for name, title in COLUMNS.items():
        told = Invoice.objects.filter(pk__in=[invoice.pk for invoice in billed]).aggregate(sum=Sum(name))[
            "sum"
        ]
        assert getattr(totals.invoices, name) == told
        assert added_up(in_csv, title) == added_up(in_xlsx, title) == getattr(totals.together, name)
    assert totals.together.total == totals.invoices.total - D("2.30")
    assert added_up(in_csv, "Pagado") == added_up(in_xlsx, "Pagado") == totals.paid == D("4.40")
    assert (
        added_up(in_csv, "Pendiente") == totals.outstanding == sum(invoice.outstanding for invoice in billed)
    )
    payments, [in_sheet] = as_csv(payments_table(PERIOD)), as_xlsx(payments_table(PERIOD))
    assert len(payments) == len(in_sheet) == totals.payments == 4
    assert added_up(payments, "Importe") == added_up(in_sheet, "Importe") == totals.amount == totals.paid


@pytest.mark.usefixtures("opened")
def test_a_billing_run_says_the_same_and_what_was_refunded_is_not_owed(settings: Any) -> None:
    """One invoice is paid and then credited completely, one is paid in part, the others are owed."""
    settings.BILL_AS_PERIODS_END = False
    spend_balances(moment("2026-12-01"))
    at = moment("2027-01-02 03:00")
    list(bill_open_chunks(run=start_run(period="2026-12", at=at)))
    refunded, in_part, *owed = Invoice.objects.issued().filter(period="2026-11").order_by("pk")
    for invoice, amount in ((refunded, refunded.total), (in_part, D("1.10"))):
        reference = f"C-{invoice.pk}"
        receive_payment(invoice=invoice, amount=amount, payment_method="EFECTIVO", reference=reference, at=at)
    credit_invoice(invoice=refunded, why="Complaint", at=at)
    totals = totals_of(PERIOD)
    assert totals.run == totals.invoices
    assert totals.run is not None
    assert totals.run.documents == 2 + len(owed)
    assert totals.run.total == refunded.total + in_part.total + sum(invoice.total for invoice in owed)
    outstanding = in_part.total - D("1.10") + sum(invoice.total for invoice in owed)
    in_csv = as_csv(documents_table(PERIOD))
    assert added_up(in_csv, "Pendiente") == totals.outstanding == outstanding > 0
    assert totals.together.total == totals.run.total - refunded.total == added_up(in_csv, "Total")


def test_each_document_is_there_once_and_as_it_is(billed: list[Invoice], now: datetime) -> None:
    rows = {row["Número"]: row for row in as_csv(documents_table(PERIOD))}
    assert set(rows) == {str(each) for each in Invoice.objects.issued().filter(period="2026-11")}
    first, taken_back = rows["001-001-000000001"], rows["001-002-000000001"]
    assert first["Nombre del cliente"] == "'=1+1 Ñandú, “Jesús”"
    assert (first["Emitida"], first["Tasa de impuesto"]) == ("2026-12-01 10:00:00", "0.1500")
    assert (first["Pagado"], first["Acreditado"], first["Pendiente"]) == ("2.20", "2.30", "20.80")
    assert (taken_back["Total"], taken_back["Pendiente"]) == ("-2.30", "0.00")
    assert (taken_back["Descuento"], taken_back["Corrige a"]) == ("0.00", "001-001-000000001")


def test_a_sheet_has_numbers_days_and_texts_that_are_no_formulas(billed: list[Invoice]) -> None:
    [rows] = as_xlsx(documents_table(PERIOD))
    for in_sheet, in_csv in zip(rows, as_csv(documents_table(PERIOD)), strict=True):
        for title in ("Número", "Clase", "Estado", "Período", "Cédula", "Número de teléfono"):
            assert in_sheet[title] == in_csv[title] != ""
    first = rows[0]
    assert first["Nombre del cliente"] == "=1+1 Ñandú, “Jesús”"
    assert (first["Total"], first["Vence"]) == (25.3, datetime(2026, 12, 16))
    assert first["Número de teléfono"] == "0969786985"
    file = io.BytesIO()
    write_xlsx(documents_table(PERIOD), file)
    cells = [cell for row in openpyxl.load_workbook(file).active.iter_rows() for cell in row]
    assert not [cell for cell in cells if cell.data_type == "f"]


def test_what_does_not_fit_goes_on_in_the_next_sheet(billed: list[Invoice]) -> None:
    sheets = as_xlsx(documents_table(PERIOD), sheet_rows=3)
    assert [len(rows) for rows in sheets][:2] == [2, 2]
    assert sum(len(rows) for rows in sheets) == len(billed) + 1


def test_days_choose_what_was_issued_and_paid_on_them(billed: list[Invoice], now: datetime) -> None:
    day = local_date(now)
    of_day = Selection(first=day, last=day)
    assert len(as_csv(documents_table(of_day))) == len(billed) + 1
    assert totals_of(of_day).payments == len(as_csv(payments_table(of_day))) == 4
    before = Selection(first=date(2020, 1, 1), last=date(2026, 11, 30))
    assert (
        len(as_csv(documents_table(before))) == Invoice.objects.issued().filter(issued_at__lt=now).count() > 0
    )
    assert len(as_csv(payments_table(before))) == Payment.objects.filter(paid_at__lt=now).count() > 0


def test_days_are_local_from_midnight_to_midnight(seeded: None) -> None:
    """In Guayaquil it is five hours earlier: 23:59 of 1 December is 04:59 of the 2nd in UTC."""
    line = Line.objects.earliest("pk")
    invoice = issue_invoice(invoice=draft_invoice(subscription=line.subscriptions.get(), at=NOON), at=NOON)
    for number, at in enumerate(
        ("2026-11-30 23:59:59", "2026-12-01 00:00", "2026-12-01 23:59:59", "2026-12-02 00:00")
    ):
        receive_payment(
            invoice=invoice, amount=D(1), payment_method="EFECTIVO", reference=f"C-{number}", at=moment(at)
        )
    first = Selection(first=date(2026, 12, 1), last=date(2026, 12, 1))
    references = [row["Referencia"] for row in as_csv(payments_table(first))]
    assert references == ["C-1", "C-2"]
    assert totals_of(first).payments == 2


@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
def test_the_command_writes_a_file(
    file_format: str, billed: list[Invoice], tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "out"
    call_command("export_documents", "payments", "2026-11", f"--format={file_format}", f"--output={path}")
    assert capsys.readouterr().out == f"{path}: 4 rows\n"
    assert path.read_bytes()[:2] == (b"PK" if file_format == "xlsx" else b"\xef\xbb")
