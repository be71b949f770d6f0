"""What banks, Excel and clerks write into statements: marks, columns, amounts, days and references."""

import io
from datetime import date
from decimal import Decimal

import pytest

from billing.bank.statements import read_statement
from billing.bank.values import BadRow, Debit, Row, RowFault, StatementLayout, Transfer
from billing.tests.test_bank_corpus import TODAY

pytestmark = pytest.mark.once

D = Decimal
BILL = "001-001-000000001"


def read(text: str | bytes, **said: str) -> list[Row]:
    content = text.encode() if isinstance(text, str) else text
    return list(read_statement(io.BytesIO(content), StatementLayout(said), today=TODAY))


def what(row: Row) -> str:
    match row:
        case Transfer():
            return f"{row.reference} {row.amount}"
        case Debit():
            return "debit"
        case BadRow():
            return row.fault.value


def only(text: str, **said: str) -> str:
    [row] = read(text, **said)
    return what(row)


def marked(mark: str, title: str = "Tipo", amount: str = "25,30") -> str:
    return only(f"Fecha;{title};Documento;Concepto;Monto\n28/11/2026;{mark};A1;Pago {BILL};{amount}")


# --- Only what is known to have come has come ---


@pytest.mark.parametrize(
    "mark",
    ["N/C", "NC", "Nota de crédito", "Notas de Crédito", "C", "CR", "CRE", "Crédito", "Créditos",
     "Abono", "Haber",
     "Ingreso", "Depósito", "Depósitos", "Transferencia recibida", "TRANSF. RECIBIDA OTROS BANCOS", "+",
     "(+)",
     "Transferencia SPI recibida", "Credit", "CRDT", "In", "Depósito en cheque"],
)  # fmt: skip
def test_a_mark_that_is_known_to_be_credit_is_credit(mark: str) -> None:
    assert marked(mark) == "A1 25.30"


@pytest.mark.parametrize(
    "mark",
    ["N/D", "ND", "N.D.", "Nota de débito", "Notas de débito", "D", "DB", "DR", "DEB", "Débito",
     "Débitos", "Debe",
     "Cargo", "Cargos", "Egreso", "EGRESOS", "Retiro", "Salida", "Transferencia enviada",
     "Transf. enviada SPI", "-",
     "−", "–", "(-)", "Debit", "DBIT", "Out", "Withdrawal", "Adeudo", "Pago proveedores"],
)  # fmt: skip
def test_a_mark_of_money_that_went_is_a_debit(mark: str) -> None:
    assert marked(mark) == "debit"


@pytest.mark.parametrize(
    "mark",
    [
        "",
        "X",
        "A",
        "TRX",
        "N/A",
        "Transferencia",
        "Pago",
        "Reverso",
        "Devolución",
        "01",
        "?",
        "N/C N/D",
        "Débito Crédito",
    ],
)
def test_a_mark_that_is_not_known_is_no_money(mark: str) -> None:
    assert marked(mark) == "UNCLEAR"


@pytest.mark.parametrize(
    "title",
    ["Tipo", "+/-", "Signo", "D/C", "DB/CR", "Débito/Crédito", "Naturaleza", "Movimiento", "Código", "",
     "Sentido",
     "Concepto 2", "Tipo de transacción"],
)  # fmt: skip
def test_marks_are_looked_at_whatever_their_column_is_called(title: str) -> None:
    assert marked("DEB", title) == "debit"
    assert marked("D", title) == "debit"
    assert marked("H", title) == "A1 25.30"


def test_a_column_of_signs_can_be_named() -> None:
    text = f"Fecha;Referencia;Descripción;+/-;Valor;Saldo\n28/11/2026;A1;PAGO {BILL};-;25,30;100,00"
    assert only(text) == only(text, mark="+/-") == "debit"


def test_all_columns_of_marks_must_agree() -> None:
    heading = "Fecha;Tipo;+/-;Documento;Monto\n"
    assert only(f"{heading}28/11/2026;Transferencia;-;A1;25,30") == "debit"
    assert only(f"{heading}28/11/2026;Transferencia;+;A1;25,30") == "A1 25.30"
    assert only(f"{heading}28/11/2026;N/D;+;A1;25,30") == "UNCLEAR"


@pytest.mark.parametrize(
    ("cells", "outcome"),
    [(";25,30", "A1 25.30"), ("25,30;", "debit"), ("0,00;25,30", "A1 25.30"), ("25,30;0,00", "debit"),
     ("-;25,30", "A1 25.30"),
     ("25,30;25,30", "UNCLEAR"), (";", "NO_AMOUNT"), ("-25,30;", "debit"), ("x;25,30", "NO_AMOUNT")],
)  # fmt: skip
@pytest.mark.parametrize(
    "titles", ["Débitos;Créditos", "Cargos;Abonos", "Debe;Haber", "Egresos;Ingresos",
    "Retiros;Depósitos", "Paid out;Paid in",
               "Valor débito;Valor crédito", "Nota de débito;Nota de crédito", "Débito USD;Crédito USD"]
)  # fmt: skip
def test_two_columns_one_for_each_side(titles: str, cells: str, outcome: str) -> None:
    assert only(f"Fecha;Documento;{titles}\n28/11/2026;A1;{cells}") == outcome


def test_a_text_of_outgoing_money_is_not_taken_for_income_where_the_file_has_no_signs() -> None:
    heading = "Fecha;Documento;Concepto;Monto\n"
    assert only(f"{heading}28/11/2026;A1;N/D devolución {BILL};25,30") == "UNCLEAR"
    assert only(f"{heading}28/11/2026;A1;TRANSFERENCIA ENVIADA {BILL};25,30") == "UNCLEAR"
    assert only(f"{heading}28/11/2026;A1;Pago {BILL};25,30") == "A1 25.30"


def test_where_amounts_have_signs_one_without_came() -> None:
    rows = read(
        "Fecha;Tipo;Documento;Monto\n28/11/2026;Transfer;A1;5,00\n28/11/2026;Transfer;A2;-6,00\n28/11/2026;ZZZ;A3;7,00"
    )
    assert [what(row) for row in rows] == ["A1 5.00", "debit", "UNCLEAR"]


# --- Columns that change the meaning ---


def test_the_amount_is_the_column_that_holds_amounts() -> None:
    row = f"Pago {BILL};25,30;100,00"
    assert only(f"Fecha;Valor;Documento;Concepto;Importe;Saldo\n20261128;20261128;A1;{row}") == "A1 25.30"
    assert only(f"Fecha;Valor;Documento;Concepto;Importe;Saldo\n28/11/2026;28/11/2026;A1;{row}") == "A1 25.30"
    assert only("Fecha;Importe;Valor;Documento\n28/11/2026;25,30;;A1") == "A1 25.30"
    assert only("Fecha;Valor;Valor;Documento\n28/11/2026;28/11/2026;25,30;A1") == "A1 25.30"
    assert only("Fecha;Documento;Saldo;Monto\n28/11/2026;A1;100,00;25,30") == "A1 25.30"


@pytest.mark.parametrize(
    "titles", ["Monto;Valor", "Importe;Importe", "Gross;Net", "Valor;Crédito", "Monto;Monto local"]
)
def test_two_columns_of_amounts_are_asked_about(titles: str) -> None:
    text = f"Fecha;Documento;{titles}\n28/11/2026;A1;25,30;22,00"
    assert read(text) == [BadRow(1, RowFault.UNCLEAR_AMOUNT)]
    if len(set(titles.split(";"))) == 2:
        assert only(text, amount=titles.split(";")[1]) == "A1 22.00"


def test_a_column_of_days_alone_is_no_amount() -> None:
    assert read("Fecha;Valor;Documento\n20261128;20261128;A1") == [BadRow(1, RowFault.UNCLEAR_AMOUNT)]


@pytest.mark.parametrize(
    ("currency", "outcome"),
    [("USD", "A1 25.30"), ("US$", "A1 25.30"), ("Dólares", "A1 25.30"), ("DOLAR ESTADOUNIDENSE",
     "A1 25.30"), ("840", "A1 25.30"),
     ("EUR", "OTHER_CURRENCY"), ("€", "OTHER_CURRENCY"), ("Euros", "OTHER_CURRENCY"), ("COP",
     "OTHER_CURRENCY"),
     ("978", "OTHER_CURRENCY"), ("CAD", "OTHER_CURRENCY"), ("?", "OTHER_CURRENCY")],
)  # fmt: skip
@pytest.mark.parametrize("title", ["Divisa", "Moneda", "Currency", "Moneda de la cuenta", "Payment currency"])
def test_only_dollars_are_dollars(title: str, currency: str, outcome: str) -> None:
    assert only(f"Fecha;Documento;Importe;{title}\n28/11/2026;A1;25,30;{currency}") == outcome


@pytest.mark.parametrize(
    "text",
    ["Fecha;Documento;Importe (EUR)\n28/11/2026;A1;25,30", "Fecha;Documento;Importe €\n28/11/2026;A1;25,30",
     "Moneda: EUR\nFecha;Documento;Importe\n28/11/2026;A1;25,30",
     "Cuenta 123 COP\nFecha;Documento;Importe\n28/11/2026;A1;25,30",
     "Fecha;Documento;Importe\n28/11/2026;A1;25,30 EUR", "Fecha;Documento;Importe\n28/11/2026;A1;S/ 25,30",
     "Fecha;Documento;Importe;Divisa;Saldo;Divisa\n28/11/2026;A1;25,30;EUR;1,00;USD"],
)  # fmt: skip
def test_another_currency_is_found_wherever_it_stands(text: str) -> None:
    assert only(text) == "OTHER_CURRENCY"


@pytest.mark.parametrize(
    "state", ["Pendiente", "Rechazada", "Anulada", "Reversada", "En proceso", "Failed", "PENDING", "x"]
)
@pytest.mark.parametrize("title", ["Estado", "Status", "Estado de la transferencia", "Situación", "State"])
def test_what_the_bank_has_not_booked_is_no_money(title: str, state: str) -> None:
    assert only(f"Fecha;Documento;Importe;{title}\n28/11/2026;A1;25,30;{state}") == "NOT_BOOKED"
    assert only(f"Fecha;Documento;Importe;{title}\n28/11/2026;A1;25,30;Procesada") == "A1 25.30"


def test_a_row_with_more_cells_than_the_heading_is_not_read_from_the_wrong_ones() -> None:
    assert only("Fecha,Documento,Concepto,Valor\n28/11/2026,A1,Pago,25,30") == "OTHER_CELLS"
    assert only("Fecha,Documento,Valor,Concepto\n28/11/2026,A1,25,30") == "OTHER_CELLS"
    assert only("Fecha;Documento;Concepto;Valor;Saldo\n28/11/2026;A1;Pago;2;25,30;99,00") == "OTHER_CELLS"
    assert only("Fecha;Documento;Valor\n28/11/2026;A1;25,30;;") == "A1 25.30"


# --- Amounts, days, references ---


@pytest.mark.parametrize(
    ("amount", "outcome"),
    [("25.3000", "25.30"), ("1,234.5600", "1234.56"), ("1.234,500", "1234.50"), ("25.30 CR", "25.30"),
     ("CR 25.30", "25.30"),
     ("25.30C", "25.30"), ("+25.30", "25.30"), ("1'234.56", "1234.56"), ("1’234’567.89", "1234567.89"),
     ("1\u00a0234,56", "1234.56"),
     ("1\u202f234\u202f567,89", "1234567.89"), ("1\u2009234,56", "1234.56"), ("$\u00a025.30", "25.30"),
     ("US$ 25,30", "25.30"),
     ("25,30 USD", "25.30"), ("２５．３０", "25.30"), ("25.30\u200b", "25.30"), ("0.500", "0.50"),
     ("25.30 DR", "debit"), ("25,30 D", "debit"), ("–25,30", "debit"), ("—25,30", "debit"), ("−25,30",
     "debit"), ("25,30–", "debit"),
     ("($25.30)", "debit"), ("$(25.30)", "debit"), ("-$25.30", "debit"), ("$ -25.30", "debit"),
     ("[25.30]", "debit"), ("<25.30>", "debit"),
     ("25 30", "NO_AMOUNT"), ("25.3001", "NO_AMOUNT"), ("1'23.00", "NO_AMOUNT"), ("1.234'567",
     "NO_AMOUNT"), ("-25.30 CR", "NO_AMOUNT"),
     ("--25.30", "NO_AMOUNT"), ("25.", "NO_AMOUNT"), ("25.-", "NO_AMOUNT"), ("1,2E+03", "NO_AMOUNT"),
     ("########", "NO_AMOUNT"), ("1" * 27, "NO_AMOUNT"), ("1" * 40 + ",00", "NO_AMOUNT"), ("0" * 40 + "1,00",
     "1.00"),
     ("1 234 56", "NO_AMOUNT"), ("25.30*", "NO_AMOUNT"), ("٢٥", "NO_AMOUNT"), ("1.234", "AMBIGUOUS"),
     ("25.300", "AMBIGUOUS")],
)  # fmt: skip
def test_amounts_as_banks_write_them(amount: str, outcome: str) -> None:
    assert only(f"Fecha;Documento;Importe\n28/11/2026;A1;{amount}").removeprefix("A1 ") == outcome


@pytest.mark.parametrize(
    "day",
    ["28/11/2026", "28-11-26", "28.11.2026", "28 11 2026", "2026-11-28", "2026/11/28", "20261128",
     "28/NOV/2026", "28-nov-26",
     "28NOV2026", "28 noviembre 2026", "28 de noviembre de 2026", "sábado, 28 de noviembre de 2026",
     "Nov 28, 2026", "November 28 2026",
     "28-Nov.-2026", "2026-NOV-28", "Sat 28 Nov 2026", "28/11/2026 10:31", "28/11/2026 04:15 p. m.",
     "2026-11-28T10:31:00Z",
     "28/11/2026 10h31", "28 Nov 2026, 10:31"],
)  # fmt: skip
def test_days_as_banks_write_them(day: str) -> None:
    [row] = read(f"Fecha;Documento;Importe\n{day};A1;25,30")
    assert isinstance(row, Transfer)
    assert row.paid_on == date(2026, 11, 28)


@pytest.mark.parametrize(
    ("day", "fault"),
    [("02/12/2062", "WRONG_DAY"), ("31/12/2026", "WRONG_DAY"), ("28/11/2002", "WRONG_DAY"),
     ("12/12/2026", "WRONG_DAY"),
     ("26-11-28", "WRONG_DAY"), ("31/11/2026", "NO_DAY"), ("30/02/2026", "NO_DAY"), ("28/brumario/2026",
     "NO_DAY"), ("28/13/2026", "NO_DAY"),
     ("46354", "NO_DAY"), ("28/11/1926", "NO_DAY"), ("01/11/2026 - 30/11/2026", "NO_DAY"), ("########",
     "NO_DAY"), ("", "NO_DAY")],
)  # fmt: skip
def test_days_that_no_transfer_has(day: str, fault: str) -> None:
    assert only(f"Fecha;Documento;Importe\n{day};A1;25,30") == fault


def test_a_value_date_may_be_some_days_ahead_over_a_weekend_and_holidays() -> None:
    assert only("Fecha;Documento;Importe\n11/12/2026;A1;25,30") == "A1 25.30"


def test_a_file_with_the_month_first_is_read_so_where_only_that_is_possible() -> None:
    rows = read("Date,Reference,Amount\n11/05/2026,A1,1.00\n11/28/2026,A2,2.00\n")
    assert [row.paid_on for row in rows if isinstance(row, Transfer)] == [
        date(2026, 11, 5),
        date(2026, 11, 28),
    ]
    mixed = read("Date,Reference,Amount\n11/05/2026,A1,1.00\n11/28/2026,A2,2.00\n28/11/2026,A3,3.00\n")
    assert [what(row) for row in mixed] == ["A1 1.00", "NO_DAY", "A3 3.00"]


@pytest.mark.parametrize(
    ("reference", "outcome"),
    [('="000123"', "000123"), ("'000123", "000123"), ('"=""000123"""', "000123"), ("TR 4711", "TR4711"),
     ("\u200b4711\ufeff", "4711"),
     ("1,23E+10", "DESTROYED"), ("1.23457E+15", "DESTROYED"), ("1E+10", "DESTROYED"), ("2,02611e+13",
     "DESTROYED"),
     ("########", "DESTROYED"), ("#¡VALOR!", "DESTROYED"), ("#N/A", "DESTROYED"), ("#REF!", "DESTROYED"),
     ("#¿NOMBRE?", "DESTROYED"),
     ("12E5", "12E5"), ("#4711", "#4711"), ("E+10", "E+10")],
)  # fmt: skip
def test_references_as_excel_leaves_them(reference: str, outcome: str) -> None:
    assert only(f"Fecha;Documento;Importe\n28/11/2026;{reference};25,30").removesuffix(" 25.30") == outcome


# --- Lines and quotes ---

TEXT = (
    f"Fecha;Documento;Concepto;Importe\r\n28/11/2026;A1;Señora Núñez {BILL};25,30\r\n29/11/2026;A2;x;1,00\r\n"
)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "cp1252", "latin-1", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
@pytest.mark.parametrize("line_end", ["\r\n", "\n", "\r"])
def test_encodings_and_line_ends(encoding: str, line_end: str) -> None:
    first, second = read(TEXT.replace("\r\n", line_end).encode(encoding))
    assert isinstance(first, Transfer)
    assert (first.row, first.concept, what(second), second.row) == (2, f"Señora Núñez {BILL}", "A2 1.00", 3)


def test_a_wrong_byte_affects_only_its_line() -> None:
    content = TEXT.encode().replace("Núñez".encode(), b"N\xfa\xf1ez")
    assert [row.concept for row in read(content) if isinstance(row, Transfer)] == [
        f"Señora Núñez {BILL}".replace("ñora", "Ã±ora"),
        "x",
    ]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r", "\n\n"])
def test_a_text_in_quotes_goes_on_in_the_next_lines(line_end: str) -> None:
    text = f'Fecha;Documento;Concepto;Importe\n28/11/2026;A1;"Pago{line_end}{BILL}; ""gracias""";25,30\n'
    text += "29/11/2026;A2;x;1,00"
    first, second = read(text)
    assert isinstance(first, Transfer)
    assert (first.row, first.amount, first.concept) == (2, D("25.30"), f'Pago {BILL}; "gracias"')
    assert what(second) == "A2 1.00"


@pytest.mark.parametrize(
    "stray", ['28/11/2026;A1;"Pago;25,30', '28/11/2026;"A1;Pago;25,30', '"28/11/2026;A1;Pago;25,30']
)
@pytest.mark.parametrize(
    "following",
    ["29/11/2026;A2;x;1,00", '29/11/2026;A2;"x";1,00', '29/11/2026;A2;x";1,00', '29/11/2026;"A2";"x";"1,00"'],
)
def test_a_stray_quote_spoils_only_its_own_line(stray: str, following: str) -> None:
    rows = [
        what(row)
        for row in read(f"Fecha;Documento;Concepto;Importe\n{stray}\n{following}\n30/11/2026;A3;y;2,00")
    ]
    assert rows == [rows[0], "A2 1.00", "A3 2.00"]
    assert rows[0] in RowFault.values


def test_a_quote_that_closes_in_a_line_of_other_cells_joins_nothing() -> None:
    rows = read('Fecha;Documento;Importe;Concepto\n28/11/2026;A1;25,30;"Pago\nx";y;z;1\n29/11/2026;A2;1,00;w')
    assert [what(row) for row in rows] == ["A1 25.30", "NO_AMOUNT", "A2 1.00"]


def test_headings_that_come_again_are_no_rows_and_others_count_from_there() -> None:
    rows = read(
        "Fecha;Documento;Importe\n28/11/2026;A1;1,00\nFecha;Documento;Importe\n28/11/2026;A2;2,00\n"
        "Fecha;Importe;Documento\n28/11/2026;3,00;A3\n"
    )
    assert [what(row) for row in rows] == ["A1 1.00", "A2 2.00", "A3 3.00"]
