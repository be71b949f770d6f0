"""Read a bank statement as banks export it: CSV of any kind, one movement a line. No database, no clock, no
settings.

Each line of the file is read on its own, so that a stray quotation mark affects only its own line, and a
row's number is the line number in any editor.
"""

import csv
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Protocol

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from telcox.common.money import MONEY_MAX, cents

# Names that banks give the columns. Case, accents and punctuation are ignored; the first name found is used.
NAMES: dict[str, tuple[str, ...]] = {
    "date": ("fecha", "fecha transaccion", "fecha movimiento", "fecha contable", "date", "booking date"),
    "amount": ("valor", "monto", "importe", "credito", "abono", "haber", "amount", "credit"),
    "reference": ("referencia", "documento", "numero documento", "no documento", "reference"),
    "concept": ("concepto", "detalle", "descripcion", "concept", "description"),
    "payer": ("ordenante", "originador", "payer"),
    # Outgoing money is shown in a column of its own, or by a mark.
    "debit": ("debito", "cargo", "debe", "debit"),
    "mark": ("tipo", "signo", "type"),
}
REQUIRED = frozenset({"date", "amount", "reference"})
SEPARATORS = (";", "\t", ",", "|")
DEBIT_MARKS = frozenset({"d", "db", "nd", "debe", "debit", "debito", "cargo"})

# The heading is searched in this many lines: above it, banks write the account and the dates.
HEADING_WITHIN = 40
# Longest line that is read as one, in bytes.
LINE_MAX = 64 * 1024
REFERENCE_MAX = 64


class RowFault(TextChoices):
    """Why a row is bad: it cannot be read, or its reference is that of another transfer."""

    NO_HEADING = "NO_HEADING", _("No row has headings for date, amount and reference")
    NO_DAY = "NO_DAY", _("The date is missing or is not written as 28/11/2026 or 2026-11-28")
    NO_AMOUNT = "NO_AMOUNT", _("The amount is missing")
    AMBIGUOUS = "AMBIGUOUS", _("The amount is ambiguous: choose the decimal mark")
    NO_REFERENCE = "NO_REFERENCE", _("The reference is missing or is longer than 64 characters")
    OTHER_TRANSFER = "OTHER_TRANSFER", _("Another transfer has this reference")


class File(Protocol):
    """The part of a binary file's interface that is used."""

    def readline(self, limit: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class StatementLayout:
    """How to read a file: more names of columns (our name to the bank's names, separated by |), and the
    separator and decimal mark where the file leaves them open."""

    names: Mapping[str, str] = field(default_factory=dict)
    separator: str = ""
    decimal: str = ""


@dataclass(frozen=True, slots=True)
class Transfer:
    """Incoming money, `amount` in dollars. The reference has no blanks: only TelcoX's own references have."""

    row: int
    reference: str
    amount: Decimal
    paid_on: date
    concept: str
    payer: str


@dataclass(frozen=True, slots=True)
class Debit:
    """Outgoing money, which is only counted."""

    row: int


@dataclass(frozen=True, slots=True)
class BadRow:
    row: int
    fault: RowFault


Row = Transfer | Debit | BadRow


def read_statement(file: File, layout: StatementLayout) -> Iterator[Row]:
    """Yield the file's rows one at a time, in constant memory. Blank lines are skipped.

    Any file can be read; a file that is not a statement gives one bad row. The encoding is UTF-8, with or
    without a byte order mark, or Windows-1252.
    """
    lines = _lines(file)
    heading = None
    for number, line in lines:
        heading = _heading(line, layout)
        if heading or number >= HEADING_WITHIN:
            break
    if heading is None:
        yield BadRow(1, RowFault.NO_HEADING)
        return
    for number, line in lines:
        cells = _cells(line, heading.separator)
        if any(cells):
            yield _row(number, heading.named(cells), layout.decimal)


def _lines(file: File) -> Iterator[tuple[int, str]]:
    number = 0
    while line := file.readline(LINE_MAX):
        number += 1
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            text = line.decode("cp1252", "replace")
        yield number, text


def _cells(line: str, separator: str) -> list[str]:
    """Return the visible text of the line's cells."""
    visible = "".join(
        [each if each == separator or each.isprintable() else " " for each in line.rstrip("\r\n")]
    )
    [cells] = csv.reader([visible], delimiter=separator)
    return [" ".join(cell.split()) for cell in cells]


@dataclass(frozen=True, slots=True)
class _Heading:
    separator: str
    columns: Mapping[str, int]

    def named(self, cells: Sequence[str]) -> dict[str, str]:
        return {name: cells[at] if at < len(cells) else "" for name, at in self.columns.items()}


def _heading(line: str, layout: StatementLayout) -> _Heading | None:
    """Return the line as a heading, with the separator that makes it one, or None if it is not a heading."""
    for separator in [layout.separator] if layout.separator else SEPARATORS:
        titles = [_plain(title) for title in _cells(line, separator)]
        columns = {}
        for ours, usual in NAMES.items():
            names = [*map(_plain, layout.names.get(ours, "").split("|")), *usual]
            if found := next((name for name in names if name and name in titles), None):
                columns[ours] = titles.index(found)
        if columns.keys() >= REQUIRED:
            return _Heading(separator, columns)
    return None


def _plain(title: str) -> str:
    """Return `numero documento` for `Número  Documento:`."""
    letters = unicodedata.normalize("NFKD", title.casefold())
    words = "".join([each if each.isalnum() else " " for each in letters if not unicodedata.combining(each)])
    return " ".join(words.split())


def _row(number: int, said: Mapping[str, str], decimal: str) -> Row:
    try:
        amount = _amount(said["amount"], decimal)
        if amount < 0 or _is_debit(amount, said, decimal):
            return Debit(number)
        if amount == 0:
            raise _Unreadable(RowFault.NO_AMOUNT)
        return Transfer(
            row=number,
            reference=_reference(said["reference"]),
            amount=amount,
            paid_on=_day(said["date"]),
            concept=said.get("concept", ""),
            payer=said.get("payer", ""),
        )
    except _Unreadable as unreadable:
        return BadRow(number, unreadable.fault)


class _Unreadable(Exception):
    def __init__(self, fault: RowFault) -> None:
        super().__init__(fault)
        self.fault = fault


def _is_debit(amount: Decimal, said: Mapping[str, str], decimal: str) -> bool:
    by_mark = _plain(said.get("mark", "")) in DEBIT_MARKS or said.get("mark") == "-"
    return by_mark or (amount == 0 and _amount(said.get("debit", ""), decimal) != 0)


_CURRENCY = re.compile(r"US\$|USD|\$|\s|'", re.IGNORECASE)
_SIGNED = re.compile(r"(?P<before>[-+]?)(?P<digits>[0-9.,]+)(?P<after>-?)|\((?P<taken>[0-9.,]+)\)")
_NUMBER = {
    mark: re.compile(
        rf"(?P<whole>[0-9]{{1,3}}([{thousands}][0-9]{{3}})+|[0-9]*)([{mark}](?P<part>[0-9]{{1,2}}))?"
    )
    for mark, thousands in ((".", ","), (",", "."))
}


def _amount(text: str, decimal: str) -> Decimal:
    """Return the amount in dollars, negative if the text says so, 0 if it is blank. 1.234,56 and 1,234.56 are
    the same; 1.234 is ambiguous, and refused unless `decimal` says which mark is the decimal mark."""
    bare = _CURRENCY.sub("", text.replace("−", "-"))
    if not bare:
        return Decimal(0)
    signed = _SIGNED.fullmatch(bare)
    if signed is None:
        raise _Unreadable(RowFault.NO_AMOUNT)
    digits = signed["digits"] or signed["taken"]
    number = _NUMBER[decimal or _decimal_mark(digits)].fullmatch(digits)
    if number is None or not (number["whole"] or number["part"]):
        raise _Unreadable(RowFault.NO_AMOUNT)
    whole = re.sub("[.,]", "", number["whole"]) or "0"
    amount = Decimal(f"{whole}.{number['part'] or 0}")
    if amount > MONEY_MAX:
        raise _Unreadable(RowFault.NO_AMOUNT)
    return -cents(amount) if signed["taken"] or "-" in (signed["before"], signed["after"]) else cents(amount)


def _decimal_mark(digits: str) -> str:
    marks = re.sub("[0-9]", "", digits)
    if len(marks) == 1 and re.fullmatch(r"[1-9][0-9]{0,2}[.,][0-9]{3}", digits):
        raise _Unreadable(RowFault.AMBIGUOUS)
    if len(marks) > 1 and len(set(marks)) == 1:  # 1.234.567
        return "," if marks[0] == "." else "."
    return marks[-1:] or "."


def _reference(text: str) -> str:
    reference = "".join(text.split())
    if not 0 < len(reference) <= REFERENCE_MAX:
        raise _Unreadable(RowFault.NO_REFERENCE)
    return reference


_DAYS = (
    re.compile(r"(?P<day>[0-9]{1,2})[/.-](?P<month>[0-9]{1,2})[/.-](?P<year>20[0-9]{2}|[0-9]{2})([ T].*)?"),
    re.compile(r"(?P<year>20[0-9]{2})[/.-]?(?P<month>[0-9]{2})[/.-]?(?P<day>[0-9]{2})([ T].*)?"),
)


def _day(text: str) -> date:
    """Return the date. The text begins with the day or with the year; a time of day is ignored."""
    for form in _DAYS:
        if found := form.fullmatch(text):
            try:
                return date(2000 + int(found["year"]) % 100, int(found["month"]), int(found["day"]))
            except ValueError:
                break
    raise _Unreadable(RowFault.NO_DAY)
