"""Files of exported tables: CSV for programs (UTF-8, commas, decimal points), XLSX for people (numbers are
numbers).

Formula injection: a cell that a spreadsheet would take for a formula stays text. In CSV it gets an apostrophe
in front.
"""

import csv
import io
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from typing import IO, Any

import xlsxwriter
from django.utils.text import capfirst

from billing.exports.tables import Row, Table

# Rows in one piece of a CSV file.
ROWS_AT_ONCE = 999
# Rows that fit into a sheet, the heading included.
SHEET_ROWS = 1_048_576
FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def csv_of(table: Table) -> Iterator[bytes]:
    """Yield the CSV file in pieces. It begins with a byte order mark, without which Excel misreads
    accents."""
    yield b"\xef\xbb\xbf" + _lines([[capfirst(str(title)) for title in table.titles]])
    while rows := list(islice(table.rows, ROWS_AT_ONCE)):
        yield _lines([[_plain(cell) for cell in row] for row in rows])


def _lines(rows: list[list[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _plain(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULAS) else cell


def write_xlsx(table: Table, file: IO[bytes], *, sheet_rows: int = SHEET_ROWS) -> None:
    """Write the table as XLSX, in constant memory. Rows that do not fit into a sheet continue in the next
    one."""
    with xlsxwriter.Workbook(file, {"constant_memory": True}) as book:
        sheets = _Sheets(book)
        rows = sheets.begin(table)
        for row in table.rows:
            if rows == sheet_rows:
                rows = sheets.begin(table)
            sheets.write(rows, row)
            rows += 1


class _Sheets:
    def __init__(self, book: Any) -> None:
        self._book = book
        self._title = book.add_format({"bold": True, "bottom": 1})
        self._formats = {
            Decimal: book.add_format({"num_format": "0.00##"}),
            date: book.add_format({"num_format": "yyyy-mm-dd"}),
            datetime: book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
        }

    def begin(self, table: Table) -> int:
        """Begin a sheet with a heading, and return how many rows it has then."""
        self._sheet = self._book.add_worksheet()
        self._sheet.freeze_panes(1, 0)
        self._sheet.set_column(0, len(table.titles) - 1, 18)
        for column, title in enumerate(table.titles):
            self._sheet.write_string(0, column, capfirst(str(title)), self._title)
        return 1

    def write(self, number: int, row: Row) -> None:
        for column, cell in enumerate(row):
            match cell:
                case str():
                    self._sheet.write_string(number, column, cell)
                case Decimal():
                    self._sheet.write_number(number, column, cell, self._formats[Decimal])
                case datetime() | date():
                    self._sheet.write_datetime(number, column, cell, self._formats[type(cell)])
