"""Reading what banks give: layouts as they are met, and files of any kind."""

import io
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.bank.matching import Owed, Series, choose_invoice, clues_in
from billing.bank.statements import read_statement
from billing.bank.values import BadRow, Debit, Row, RowFault, StatementLayout, Transfer
from billing.models import BankProblem

pytestmark = pytest.mark.once

D = Decimal


def read(text: str | bytes, layout: StatementLayout | None = None) -> list[Row]:
    content = text.encode() if isinstance(text, str) else text
    return list(read_statement(io.BytesIO(content), layout or StatementLayout()))


PICHINCHA = """Banco de la Sierra;;;;;
Cuenta corriente;2200111222;;;;
Desde 01/11/2026;hasta 30/11/2026;;;;

Fecha;Documento;Tipo;Concepto;Monto;Saldo
28/11/2026;4711;C;TRANSFERENCIA DE JESÚS JÁCOME FACT 001-001-000000017;1.030,50;9.999,00
28/11/2026;4712;D;PAGO PROVEEDOR;200,00;9.799,00

29/11/2026;4713;C;"Depósito; ventanilla";30,00;9.829,00
"""
GUAYAQUIL = (
    "Fecha,Referencia,Descripción,Débito,Crédito,Ordenante\n"
    '2026-11-28 10:31:00,TR 1,"pago, noviembre",,"1,030.50",ANA VERA\n'
    "2026-11-28 10:32:00,TR 2,comisión,0.50,,\n"
)
TABBED = (
    "date\treference\tamount\tconcept\tpayer\n28.11.26\tA-1\t$ 30.00\tbill\tJohn\n28.11.26\tA-2\t-30.00\t\t\n"
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_semicolons_commas_as_decimals_and_a_mark_for_debits(encoding: str) -> None:
    assert read(PICHINCHA.encode(encoding)) == [
        Transfer(
            6,
            "4711",
            D("1030.50"),
            date(2026, 11, 28),
            "TRANSFERENCIA DE JESÚS JÁCOME FACT 001-001-000000017",
            "",
        ),
        Debit(7),
        Transfer(9, "4713", D("30.00"), date(2026, 11, 29), "Depósito; ventanilla", ""),
    ]


def test_commas_points_as_decimals_and_a_column_for_debits() -> None:
    assert read(GUAYAQUIL.replace("\n", "\r\n")) == [
        Transfer(2, "TR1", D("1030.50"), date(2026, 11, 28), "pago, noviembre", "ANA VERA"),
        Debit(3),
    ]


def test_tabs_english_and_debits_by_their_sign() -> None:
    assert read(TABBED) == [
        Transfer(2, "A-1", D("30.00"), date(2026, 11, 28), "bill", "John"),
        Debit(3),
    ]


def test_what_a_bank_calls_its_columns_and_marks_can_be_said() -> None:
    text = "F. Valor:Abonos:Nº\n28/11/2026:1.030:7\n"
    layout = StatementLayout({"date": "f valor", "amount": "otro|abonos", "reference": "nº"}, ":", ",")
    assert read(text, layout) == [Transfer(2, "7", D("1030.00"), date(2026, 11, 28), "", "")]


@pytest.mark.parametrize(
    ("amount", "read_as"),
    [
        ("30", "30.00"),
        ("30.5", "30.50"),
        (",50", "0.50"),
        ("1.234.567", "1234567.00"),
        ("1.234.567,89", "1234567.89"),
        ("1 234,56", "1234.56"),
        ("USD 1,234.56", "1234.56"),
        ("1.234", RowFault.AMBIGUOUS),
        ("12,345", RowFault.AMBIGUOUS),
        ("1,23,456", RowFault.NO_AMOUNT),
        ("1.2.3,4", RowFault.NO_AMOUNT),
        ("0,00", RowFault.NO_AMOUNT),
        ("", RowFault.NO_AMOUNT),
        (".", RowFault.NO_AMOUNT),
        ("12 e3", RowFault.NO_AMOUNT),
        ("99999999999.00", RowFault.NO_AMOUNT),
        ("-30,00", None),
        ("30,00-", None),
        ("(30.00)", None),
    ],
)
def test_amounts(amount: str, read_as: str | RowFault | None) -> None:
    [row] = read(f"fecha;referencia;valor\n28/11/2026;7;{amount}\n")
    match row:
        case Transfer():
            assert row.amount == D(str(read_as))
        case BadRow():
            assert row.fault == read_as
        case Debit():
            assert read_as is None


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("31/11/2026;7;30.00", RowFault.NO_DAY),
        ("11/28/2026;7;30.00", RowFault.NO_DAY),
        ("Total;;30.00", RowFault.NO_REFERENCE),
        (f"28/11/2026;{'7' * 65};30.00", RowFault.NO_REFERENCE),
        ("28/11/2026; ;30.00", RowFault.NO_REFERENCE),
        ("28/11/2026", RowFault.NO_AMOUNT),
    ],
)
def test_a_bad_row_says_why_and_costs_the_next_nothing(row: str, fault: RowFault) -> None:
    rows = read(f'fecha;referencia;valor\n{row}\n28/11/2026;"8;1.00\n28/11/2026;9;1.00\n')
    assert rows[:2] == [BadRow(2, fault), BadRow(3, RowFault.NO_AMOUNT)]
    assert rows[2] == Transfer(4, "9", D("1.00"), date(2026, 11, 28), "", "")


def test_a_file_that_is_no_statement_is_a_bad_row() -> None:
    assert read("") == read("a;b;c\n1;2;3\n") == [BadRow(1, RowFault.NO_HEADING)]
    assert read("%PDF-1.7\nwhatever\n") == [BadRow(1, RowFault.NOT_CSV)]


@given(
    st.binary(max_size=300)
    | st.text(max_size=300).map(str.encode)
    | st.lists(st.text('0123456789/-.,;"\r\n\t =fechvalorin', max_size=30), max_size=9).map(
        lambda lines: "\n".join(["fecha;referencia;valor;concepto", *lines]).encode()
    )
)
def test_any_file_can_be_read(content: bytes) -> None:
    for row in read(content):
        if isinstance(row, Transfer):
            assert row.amount > 0
            assert row.reference
            assert " " not in row.reference


USUAL = Series(1, "001-001", "{prefix}-{number:09d}")
OTHER = Series(2, "B", "N {number}/{prefix}")


@pytest.mark.parametrize(
    ("text", "documents"),
    [
        ("FACT 001-001-000000017", {(1, 17)}),
        ("fact.001 001 000000017 gracias", {(1, 17)}),
        ("001001000000017", {(1, 17)}),
        ("pago 001-001-17", {(1, 17)}),
        ("00100117", set()),
        ("1001-001-000000017", set()),
        ("001-002-000000017", set()),
        ("001-001-000000017 y 001-001-000000018", {(1, 17), (1, 18)}),
        ("001–001–000000017", {(1, 17)}),
        ("001—001—17", {(1, 17)}),
        ("００１-００１-０００００００１７", {(1, 17)}),
        ("001\u200b-001-\u00ad000000017", {(1, 17)}),
        ("001·001·000000017", {(1, 17)}),
        ("001\u00a0-\u00a0001 - 17", {(1, 17)}),
        ("total 1.001.001.17", set()),
        ("n 5/b", {(2, 5)}),
        ("001-001-0000000171234567890", set()),
        ("001-001-000000017 y 000000018", {(1, 17), (1, 18)}),
        ("001-001-000000017,000000018/000000019", {(1, 17), (1, 18), (1, 19)}),
        ("001-001-0000 00017", {(1, 17)}),
        ("001 001 000 000 017 gracias", {(1, 17)}),
        ("001-001-000000017 0969786985", {(1, 17)}),
        ("001-001-17 28112026", {(1, 17)}),
        ("001-001-17.50", set()),
        ("saldo 001-001-17,50", set()),
        ("001-001-28/11/2026", set()),
        ("001-001-000000017.50", {(1, 17)}),
    ],
)
def test_documents_named_in_a_text(text: str, documents: set[tuple[int, int]]) -> None:
    assert clues_in(text, [USUAL, OTHER]).documents == documents


@pytest.mark.parametrize(
    ("text", "phone_numbers", "identities"),
    [
        ("pago 0969786985", {"0969786985"}, {"0969786985"}),
        ("pago +593 96 978 6985.", {"0969786985"}, set()),
        ("telf 096-978-6985", {"0969786985"}, set()),
        ("00593969786985", {"0969786985"}, set()),
        ("+593 (0)96 978 6985", {"0969786985"}, set()),
        ("(096) 978 6985", {"0969786985"}, set()),
        ("cel 969786985", {"0969786985"}, set()),
        ("096\u200b9786985", {"0969786985"}, {"0969786985"}),
        ("０９６９７８６９８５", {"0969786985"}, {"0969786985"}),
        ("CI 171234567-8", set(), {"1712345678"}),
        ("RUC 1712345678-001", set(), {"1712345678", "1712345678001"}),
        ("001-001-000000017", set(), set()),
        ("CI 1712345678", set(), {"1712345678"}),
        ("RUC 1712345678001", set(), {"1712345678", "1712345678001"}),
        ("cuenta 22001112223334445", set(), set()),
        ("cuenta 1712345678985", set(), {"1712345678985"}),
        ("RUC 1712345678002", set(), {"1712345678", "1712345678002"}),
    ],
)
def test_numbers_and_identities_named_in_a_text(
    text: str, phone_numbers: set[str], identities: set[str]
) -> None:
    clues = clues_in(text, [USUAL])
    assert (clues.phone_numbers, clues.identities) == (phone_numbers, identities)


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("001-001-000000017/18", True),
        ("001-001-000000017 y 18", True),
        ("001-001-000000017 al 20", True),
        ("001-001-17, 18", True),
        ("001-001-000000017-2", True),
        ("001-001-000000017 y 000000018", False),
        ("001-001-000000017 y 000000018 y 19", True),
        ("001-001-000000017 - 28/11/2026", False),
        ("001-001-000000017 - 20.70", False),
        ("001-001-000000017 / 0969786985", False),
        ("001-001-000000017 y gracias", False),
        ("001-001-000000017 2 GB", False),
    ],
)
def test_a_number_that_follows_a_document_may_be_another(text: str, more: bool) -> None:
    assert clues_in(text, [USUAL]).may_name_more is more


THIRTY, TWENTY, PAID = Owed(1, D("30.00")), Owed(2, D("20.00")), Owed(3, D("0.00"))


@pytest.mark.parametrize(
    ("named", "open_there", "chosen"),
    [
        ([TWENTY], [THIRTY], TWENTY),  # a document's number counts most, whatever the amount
        ([PAID], [THIRTY], BankProblem.NOTHING_OWED),
        ([THIRTY, TWENTY], [], BankProblem.SEVERAL),
        ([], [THIRTY, TWENTY], THIRTY),  # the one that is owed exactly this
        ([], [THIRTY, Owed(4, D("30.00"))], BankProblem.SEVERAL),
        ([], [TWENTY], TWENTY),  # the only one
        ([], [TWENTY, Owed(5, D("10.00"))], BankProblem.SEVERAL),
        ([], [], BankProblem.NO_INVOICE),
    ],
)
def test_which_invoice_30_dollars_are_for(
    named: list[Owed], open_there: list[Owed], chosen: Owed | BankProblem
) -> None:
    assert choose_invoice(D("30.00"), named, open_there) == chosen
