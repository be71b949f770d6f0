"""Statements of many makes, row by row: what each row of each file is.

The files were made after public descriptions of what these banks, and Excel, write; persons and accounts are
invented. Beside each file, `.rows` has one line for each row: its number, and the transfer, `debit`, or why
it is bad.
"""

from datetime import date
from pathlib import Path

import pytest

from billing.bank.statements import read_statement
from billing.bank.values import BadRow, Debit, Row, StatementLayout, Transfer

pytestmark = pytest.mark.once

FOLDER = Path(__file__).parent / "statements"
FILES = sorted(path for path in FOLDER.iterdir() if path.suffix != ".rows")
TODAY = date(2026, 12, 4)
# A file whose heading leaves something open, and what a clerk says then.
SAID = {
    "paypal.csv": {"amount": "Gross"},
    "revolut.csv": {"reference": "ID"},
    "chase.csv": {"reference": "Check or Slip #"},
    "dos_importes.csv": {"amount": "Monto"},
}


def written(row: Row) -> str:
    match row:
        case Transfer():
            text = f"{row.reference} {row.amount} {row.paid_on} | {row.concept} | {row.payer}"
        case Debit():
            text = "debit"
        case BadRow():
            text = row.fault.value
    return f"{row.row} {text}".rstrip()


def read(path: Path, layout: StatementLayout) -> list[str]:
    with path.open("rb") as file:
        return [written(row) for row in read_statement(file, layout, today=TODAY)]


def expected(path: Path) -> list[str]:
    return path.with_name(f"{path.name}.rows").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_row_of_a_banks_statement_is_what_it_is(path: Path) -> None:
    assert read(path, StatementLayout()) == expected(path)


@pytest.mark.parametrize("name", SAID)
def test_what_a_heading_leaves_open_can_be_said(name: str) -> None:
    path = FOLDER / name
    assert read(path, StatementLayout(SAID[name])) == expected(FOLDER / f"{name}.said")


def test_there_are_enough_of_them() -> None:
    assert len(FILES) >= 25
