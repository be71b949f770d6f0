"""What else says that money went, or is no money: letters, balances, titles of lists, states, currencies."""

import io
from datetime import datetime

import pytest

from billing.bank import ImportReport, import_statement
from billing.bank.balances import money_went
from billing.models import BankTransfer
from billing.tests.test_bank_families import BILL, marked, only, read, what

HEADING = "Fecha;Documento;Concepto;Monto"


def outcomes(text: str) -> list[str]:
    return [what(row) for row in read(text)]


# --- Marks ---


@pytest.mark.parametrize(
    "mark", ["-C", "C-", "- C", "N/C -", "-Abono", "+D", "D+", "−C", "+/-", "(-) Crédito"]
)
def test_a_sign_that_contradicts_the_word_beside_it_is_not_known(mark: str) -> None:
    assert marked(mark) == "UNCLEAR"


@pytest.mark.parametrize(("mark", "outcome"), [("+C", "A1 25.30"), ("-D", "debit"), ("C+", "A1 25.30")])
def test_a_sign_that_says_the_same_changes_nothing(mark: str, outcome: str) -> None:
    assert marked(mark) == outcome


@pytest.mark.parametrize(
    "mark", ["Transferencia a favor", "Transferencia a favor de", "A favor", "En contra"]
)
def test_in_whose_favour_is_not_guessed(mark: str) -> None:
    assert marked(mark) == "UNCLEAR"


@pytest.mark.parametrize("title", ["C/A", "Cargo/Abono", "Abono/Cargo", "Cargo o abono"])
def test_a_title_says_that_c_is_cargo_without_any_abono_in_the_file(title: str) -> None:
    assert (marked("C", title), marked("A", title)) == ("debit", "A1 25.30")


@pytest.mark.parametrize("other", ["X", "D", "R", "N/C"])
def test_c_beside_a_and_others_may_be_either(other: str) -> None:
    rows = outcomes(f"{HEADING};T\n" + "".join(f"28/11/2026;{n};x;1,00;{n}\n" for n in ("C", "A", other)))
    assert rows[:2] == ["UNCLEAR", "UNCLEAR"]


@pytest.mark.parametrize("title", ["Clase", "Cod. Trans.", "Rubro", "Transacción", ""])
def test_one_unknown_mark_among_known_ones_is_no_money_whatever_the_title(title: str) -> None:
    marks = ["N/C", "N/D", "DEP", "REV", "AJ"]
    text = "".join(f"28/11/2026;A{n};Pago;1,00;{mark}\n" for n, mark in enumerate(marks))
    assert outcomes(f"{HEADING};{title}\n{text}") == ["A0 1.00", "debit", "A2 1.00", "UNCLEAR", "UNCLEAR"]


@pytest.mark.parametrize("title", ["Cheque", "Beneficiario", "Motivo rechazo", "Oficina"])
def test_dashes_where_there_is_nothing_are_no_marks(title: str) -> None:
    assert only(f"{HEADING};{title}\n28/11/2026;A1;x;25,30;-") == "A1 25.30"
    assert only(f"{HEADING};+/-\n28/11/2026;A1;x;25,30;-") == "debit"
    assert only(f"{HEADING};\n28/11/2026;A1;x;25,30;-") == "debit"


@pytest.mark.parametrize("title", ["Agencia", "Oficina", "Segmento", "Caja"])
def test_codes_of_something_else_are_no_marks(title: str) -> None:
    rows = "".join(f"28/11/2026;{code};x;1,00;{code}\n" for code in ("A", "B", "C", "N"))
    assert outcomes(f"{HEADING};{title}\n{rows}") == ["A 1.00", "B 1.00", "C 1.00", "N 1.00"]


def test_creditors_and_debtors_are_two_sides() -> None:
    rows = outcomes(f"{HEADING};Deudor/Acreedor\n28/11/2026;A1;x;1,00;A\n28/11/2026;A2;x;1,00;D\n")
    assert rows == ["UNCLEAR", "debit"]


def test_a_column_of_texts_of_customers_is_no_column_of_marks() -> None:
    rows = outcomes(
        f"{HEADING}\n28/11/2026;A1;Depósito;1,00\n28/11/2026;A2;Depósito;1,00\n28/11/2026;A3;Pago {BILL};1,00"
    )
    assert rows == ["A1 1.00", "A2 1.00", "A3 1.00"]


# --- Both sides in one column, without signs ---


@pytest.mark.parametrize("title", ["Débito/Crédito", "Cargos / Abonos", "Débitos y créditos", "Debe/Haber"])
def test_a_column_for_both_sides_needs_a_sign(title: str) -> None:
    assert only(f"Fecha;Documento;{title}\n28/11/2026;A1;25,30") == "UNCLEAR"
    assert outcomes(f"Fecha;Documento;{title}\n28/11/2026;A1;25,30\n28/11/2026;A2;-1,00") == [
        "A1 25.30",
        "debit",
    ]
    assert only(f"Fecha;Documento;{title};+/-\n28/11/2026;A1;25,30;+") == "A1 25.30"


STATEMENT = [
    "28/11/2026;A1;PAGO;10,00;110,00",
    "28/11/2026;A2;A ANA;25,30;84,70",
    "29/11/2026;A3;PAGO;5,30;90,00",
]


@pytest.mark.parametrize("title", ["Saldo", "Saldo contable", "Saldo disponible", "Balance"])
@pytest.mark.parametrize("rows", [STATEMENT, STATEMENT[::-1]])
def test_a_balance_that_falls_tells_that_some_of_the_money_went(title: str, rows: list[str]) -> None:
    text = "\n".join([f"{HEADING};{title}", *rows])
    assert outcomes(text) == ["UNCLEAR"] * 3


@pytest.mark.parametrize(
    ("rows", "went"),
    [
        ([("10", "110"), ("20", "130"), ("5", "135")], False),
        ([("5", "135"), ("20", "130"), ("10", "110")], False),
        ([("10", "110"), ("10", "120"), ("10", "130")], False),
        ([("10", "130"), ("10", "120"), ("10", "110")], False),  # new first, and all the same
        ([("10", "110"), ("20", "500"), ("5", "17")], False),  # a part of the account's movements
        ([("10", "110"), ("x", ""), ("5", "115")], False),
        ([("10", "110"), ("20", "90"), ("5", "85")], True),
        ([("5", "85"), ("20", "90"), ("10", "110")], True),
        ([("10", "100"), ("30", "70"), ("10", "80")], True),
        ([], False),
    ],
)
def test_whether_a_balance_falls(rows: list[tuple[str, str]], went: bool) -> None:
    assert money_went(rows, "") is went


@pytest.mark.parametrize(
    "title",
    ["Reporte de transferencias enviadas", "DÉBITOS", "Notas de débito del mes", "Pagos a proveedores",
     "Egresos;;;", "Reporte:;Transferencias realizadas"],
)  # fmt: skip
def test_a_list_of_outgoing_money_says_so_above_its_rows(title: str) -> None:
    assert only(f"{title}\n{HEADING}\n28/11/2026;A1;x;25,30") == "UNCLEAR"
    between = outcomes(
        f"{HEADING}\n28/11/2026;A1;x;1,00\n{title}\n28/11/2026;A2;x;25,30\nCRÉDITOS\n28/11/2026;A3;x;2,00"
    )
    assert [each for each in between if each != "NO_AMOUNT"] == ["A1 1.00", "UNCLEAR", "A3 2.00"]


@pytest.mark.parametrize(
    "line",
    ["Total débitos: 120,00", "Débitos;3;120,00", "Tarjeta de débito 1234", "Reporte de débitos y créditos",
     "Transferencias recibidas", "Número de débitos: 3"],
)  # fmt: skip
def test_a_summary_above_the_rows_is_no_title(line: str) -> None:
    assert only(f"{line}\n{HEADING}\n28/11/2026;A1;x;25,30") == "A1 25.30"


@pytest.mark.parametrize(
    "text",
    ["N/DEBITO", "DEB AUTO", "Costo transferencia", "TRF ENVIADA", "Pago a proveedor", "Compra", "ISD",
     "Devolución", "Reembolso", "REV. pago", "Anulación", "Extorno", "SALIDA", "Cobro de comisión"],
)  # fmt: skip
def test_a_text_of_outgoing_or_returned_money_is_unclear_without_signs(text: str) -> None:
    assert only(f"{HEADING}\n28/11/2026;A1;{text} {BILL};25,30") == "UNCLEAR"
    assert only(f"Fecha;Documento;Monto;Rubro\n28/11/2026;A1;25,30;{text} {BILL}") == "UNCLEAR"


# --- Columns that change the meaning ---


@pytest.mark.parametrize("cell", ["EUR", "€", "COP", "Euros", "GBP"])
@pytest.mark.parametrize("title", ["", "Unidad", "Cod", "UM"])
def test_another_currency_in_a_column_that_nobody_knows(title: str, cell: str) -> None:
    assert only(f"{HEADING};{title}\n28/11/2026;A1;x;25,30;{cell}") == "OTHER_CURRENCY"
    assert only(f"{HEADING};{title}\n28/11/2026;A1;x;25,30;USD") == "A1 25.30"


@pytest.mark.parametrize(
    "line",
    ["Importes en euros", "Valores expresados en EUR", "Saldo: € 100,00", "Monto en COP", "Cifras: PEN"],
)
def test_another_currency_around_the_rows(line: str) -> None:
    assert only(f"{line}\n{HEADING}\n28/11/2026;A1;x;25,30") == "OTHER_CURRENCY"
    rows = outcomes(f"{HEADING}\n28/11/2026;A1;x;1,00\n{line}\n28/11/2026;A2;x;25,30")
    assert (rows[0], rows[-1]) == ("A1 1.00", "OTHER_CURRENCY")


@pytest.mark.parametrize(
    ("title", "cell"),
    [("Resultado", "RECHAZADA"), ("Confirmado", "NO"), ("Procesado", "N"), ("Anulado", "SI"),
     ("Reversado", "S"),
     ("Motivo rechazo", "Cuenta inválida"), ("Fecha reverso", "29/11/2026"), ("Devuelto", "X"),
     ("Observaciones", "RECHAZADA"), ("Observación", "Transferencia devuelta por el banco"), ("", "Anulado"),
     ("Nota", "Pago reversado"), ("Confirmado", "")],
)  # fmt: skip
def test_what_was_not_booked_is_found_whatever_its_column_is_called(title: str, cell: str) -> None:
    text = f"Fecha;Documento;+/-;Monto;{title}\n28/11/2026;A1;+;25,30;{cell}\n28/11/2026;A2;+;1,00;x"
    assert outcomes(text)[0] == "NOT_BOOKED"


@pytest.mark.parametrize(
    ("title", "cell"),
    [("Confirmado", "SI"), ("Anulado", "NO"), ("Anulado", ""), ("Reversado", "N"), ("Devuelto", "0,00"),
     ("Motivo rechazo", "-"), ("Observaciones", "Pago pendiente de octubre"), ("Procesado por", ""),
     ("Nota", "cancelación de factura")],
)  # fmt: skip
def test_what_was_booked_is_not_refused_for_such_a_column(title: str, cell: str) -> None:
    assert only(f"Fecha;Documento;+/-;Monto;{title}\n28/11/2026;A1;+;25,30;{cell}") == "A1 25.30"


@pytest.mark.parametrize(
    "other", ["Fecha vencimiento", "Fecha de emisión", "Fecha corte", "Fecha de apertura"]
)
@pytest.mark.parametrize("paid", ["Fecha pago", "Fecha de depósito", "Fecha acreditación", "F. valor"])
def test_the_day_is_that_of_the_movement(other: str, paid: str) -> None:
    [row] = read(f"{other};{paid};Documento;Monto\n01/10/2026;28/11/2026;A1;25,30")
    assert row.paid_on.isoformat() == "2026-11-28"  # type: ignore[union-attr]


def test_cells_in_quotes_may_have_blanks_before_the_quote() -> None:
    text = '"Fecha", "Documento", "Concepto", "Importe"\n"28/11/2026", "A1", "Pago, gracias", "1,025.30"'
    assert only(text) == "A1 1025.30"


@pytest.mark.parametrize(
    "begin",
    [b"PK\x03\x04\x14\x00\x06\x00\x08\x00", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"%PDF-1.7\n",
     b"<html><table>", b"  <!DOCTYPE html>\n", b'\xef\xbb\xbf<?xml version="1.0"?>', b"<table border=1>"],
)  # fmt: skip
def test_a_file_that_is_no_csv_is_told_so(begin: bytes) -> None:
    content = begin + bytes(range(256)) * 3
    assert [(row.row, what(row)) for row in read(content)] == [(1, "NOT_CSV")]
    assert [what(row) for row in read(b"Fecha;Monto\n" + begin)] == ["NO_HEADING"]


# --- Rows of one file under one reference ---


def imported(*lines: str, at: datetime) -> ImportReport:
    return import_statement(file=io.BytesIO("\n".join(lines).encode()), source="noviembre.csv", at=at)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("title", "cells", "bad"),
    [("Saldo", ["100,00", "120,70"], 1), ("Hora", ["10:00", "10:05"], 1), ("Comprobante", ["7", "8"], 1),
     ("Saldo", ["100,00", "100,00"], 0)],
)  # fmt: skip
def test_rows_that_differ_in_any_cell_are_two_transfers(
    title: str, cells: list[str], bad: int, now: datetime
) -> None:
    heading = f"Fecha;Referencia;Valor;Concepto;{title}"
    rows = [f"02/12/2026;LOTE-17;20,70;TRANSFERENCIA SPI;{cell}" for cell in cells]
    for known in (1 - bad, 2 - bad):  # imported again, it is told again
        report = imported(heading, *rows, at=now)
        assert (report.bad, report.known, report.read) == (bad, known, 2)
    assert BankTransfer.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["REVERSO TRANSF ENVIADA", "Devolución", "Reembolso", "Refund"])
def test_money_that_came_back_waits_for_a_clerk(text: str, now: datetime) -> None:
    report = imported(
        "Fecha;Referencia;Débito;Crédito;Concepto", f"02/12/2026;TR-1;;25,30;{text} {BILL}", at=now
    )
    assert report.problems == {"SEVERAL": 1}
