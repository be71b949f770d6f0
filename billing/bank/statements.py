"""Read a bank statement as banks export it: CSV of any kind, one movement a row. No database, no clock, no
settings.

A row's number is that of its first line in any editor. A text in quotes may go on in the next lines; a stray
quotation mark affects only its own line.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain, islice
from typing import NamedTuple

from billing.bank.amounts import Amount, is_amount, read_amount
from billing.bank.currencies import CODE_CELLS, CODES, is_dollar, is_foreign
from billing.bank.days import check_day, is_day, read_day
from billing.bank.headings import Columns, Heading, cell_at, choose_columns, heading_in
from billing.bank.lines import LINE_MAX, LINES_OF_A_CELL, lines_of, parse
from billing.bank.marks import (
    Mark,
    begins_as_outgoing,
    is_booked,
    is_no,
    mark_of,
    says_outgoing,
    says_unbooked,
)
from billing.bank.values import (
    REFERENCE_MAX,
    BadRow,
    Debit,
    File,
    Row,
    RowFault,
    StatementLayout,
    Transfer,
    Unreadable,
)
from billing.bank.wording import plain
from billing.bank.wording import words as words_of

# The heading is searched in this many lines: above it, banks write the account and the dates.
HEADING_WITHIN = 40
# A title in quotes may go on over this many lines.
LINES_OF_A_HEADING = 4
# This many rows show what a column holds.
SAMPLE = 500
# A line that is a title of a file or of a part of it has no more texts.
TEXTS_OF_A_TITLE = 2
# No mark is longer. Longer texts are not looked up.
MARK_MAX = 40

# So begin workbooks of Excel (new and old), PDF, web pages, which banks call .xls, and XML.
OTHER_FILES = ("PK\x03\x04", "ÐÏ\x11à", "%PDF", "<html", "<HTML", "<!DOCTYPE", "<!doctype", "<table", "<?xml")

# Called with the title that was taken for each of our columns.
Told = Callable[[Mapping[str, str]], None]


def read_statement(
    file: File, layout: StatementLayout, *, today: date | None = None, told: Told | None = None
) -> Iterator[Row]:
    """Yield the file's rows one at a time, in constant memory. Blank lines are skipped, and headings that are
    repeated. `today` bounds the days that a transfer may have; `told` gets the columns that were used.

    Any file can be read; a file that is not a statement gives one bad row, as does a heading that leaves open
    which column has the amounts.
    """
    lines = _Lines(lines_of(file))
    first = next(lines.following(), "")
    heading, around = _find_heading(lines, layout)
    if heading is None:
        is_other = first.lstrip().startswith(OTHER_FILES)
        yield BadRow(1, RowFault.NOT_CSV if is_other else RowFault.NO_HEADING)
        return
    while heading is not None:
        section = _Section(lines, heading, layout, around)
        records = section.records()
        sample, cut_off = _sampled(records)
        try:
            columns = choose_columns(heading, [record.cells for record in sample], layout.decimal)
        except Unreadable as unreadable:
            yield BadRow(heading.number, unreadable.fault)
            return
        if told:
            told(_titles(heading, columns))
        for record in chain(sample, records):
            yield _row(record, heading, columns, layout.decimal, today)
        if cut_off:
            raise cut_off
        heading, around = section.next, section.around


class _Lines:
    """Numbered lines, of which some can be looked at before they are taken."""

    def __init__(self, lines: Iterator[tuple[int, str]]) -> None:
        self._lines = lines
        self._ahead: list[tuple[int, str]] = []

    def __iter__(self) -> Iterator[tuple[int, str]]:
        while True:
            if self._ahead:
                yield self._ahead.pop(0)
            elif (line := next(self._lines, None)) is not None:
                yield line
            else:
                return

    def following(self) -> Iterator[str]:
        """Yield the lines that come next, without taking them."""
        at = 0
        while True:
            if at == len(self._ahead):
                line = next(self._lines, None)
                if line is None:
                    return
                self._ahead.append(line)
            yield self._ahead[at][1]
            at += 1

    def take(self, count: int) -> None:
        del self._ahead[:count]


def _sampled(records: Iterator["_Record"]) -> tuple[list["_Record"], OSError | None]:
    """Return the first records. If the file cannot be read on, return those before, and the error."""
    sample = []
    try:
        for record in islice(records, SAMPLE):
            sample.append(record)  # noqa: PERF402  a list() would lose them
    except OSError as error:
        return sample, error
    return sample, None


# --- Headings ---


class _Around(NamedTuple):
    """What the lines around the rows say of those that follow: the currency is not the dollar; it is a list
    of outgoing money."""

    foreign: bool = False
    outgoing: bool = False

    def after(self, line: str) -> "_Around":
        foreign, outgoing = _says_foreign(line), None
        texts = [text for text in re.split(r"[;\t|]", line) if text.strip('" ')]
        if len(texts) <= TEXTS_OF_A_TITLE and not any(is_amount(text) for text in texts):
            outgoing = says_outgoing(line)
        return _Around(
            self.foreign if foreign is None else foreign, self.outgoing if outgoing is None else outgoing
        )


def _find_heading(lines: _Lines, layout: StatementLayout) -> tuple[Heading | None, _Around]:
    """Return the heading, and what the lines above it say."""
    around = _Around()
    for number, line in lines:
        if heading := _heading_from(lines, number, line, layout):
            return heading, around
        around = around.after(line)
        if number >= HEADING_WITHIN:
            break
    return None, around


def _heading_from(lines: _Lines, number: int, line: str, layout: StatementLayout) -> Heading | None:
    """Return the line as a heading, with the lines after it where a title goes on in them."""
    whole = line
    for count, following in enumerate(chain([""], islice(lines.following(), LINES_OF_A_HEADING))):
        whole = f"{whole} {following}"
        if len(whole) > LINE_MAX:
            break
        if heading := heading_in(number, whole, layout):
            if not parse(whole, heading.separator)[1]:
                lines.take(count)
                return heading
        elif '"' not in whole:
            break
    return heading_in(number, line, layout)


_ACCOUNT_IN = re.compile(rf"\b(?:{'|'.join(CODES).upper()})\b|[€£¥]|\b(?:[Ee]uros?|EUROS?)\b")
_OF_AMOUNTS = words_of("cuenta account iban saldo balance importe monto valor cifra expresado amount")


def _says_foreign(line: str) -> bool | None:
    """Return whether a line above a heading says that the account is in another currency than the dollar;
    None if it says nothing about it."""
    words = set(plain(line).split())
    if words & {"moneda", "divisa", "currency"}:
        return is_foreign(line)
    return True if words & _OF_AMOUNTS and _ACCOUNT_IN.search(line) else None


def _titles(heading: Heading, columns: Columns) -> dict[str, str]:
    used = {"date": (columns.date,), "amount": (columns.amount,), "reference": (columns.reference,)}
    every = {**used, **{name: found for name, found in columns.several.items() if found}}
    return {name: " + ".join(heading.titles[each] for each in found) for name, found in every.items()}


# --- Rows ---


@dataclass(frozen=True, slots=True)
class _Record:
    """Cells of a row. `is_open`: a quotation mark is not closed, and the last cell holds all that follows."""

    number: int
    cells: Sequence[str]
    is_open: bool
    around: _Around


class _Section:
    """Rows under a heading, up to the next one: statements of several accounts or pages have several."""

    def __init__(self, lines: _Lines, heading: Heading, layout: StatementLayout, around: _Around) -> None:
        self._lines, self._heading, self._layout = lines, heading, layout
        self.next: Heading | None = None
        self.around = around

    def records(self) -> Iterator[_Record]:
        heading = self._heading
        for number, line in self._lines:
            cells, is_open = parse(line, heading.separator)
            if is_open and (joined := self._joined(line)):
                cells, is_open = joined, False
            if not any(cells):
                continue
            if self._may_be_heading(cells) and (found := heading_in(number, line, self._layout)):
                if found.titles == heading.titles:
                    continue
                self.next = found
                return
            if not self._is_complete(cells):
                self.around = self.around.after(line)
            yield _Record(number, cells, is_open, self.around)

    def _may_be_heading(self, cells: Sequence[str]) -> bool:
        columns = (*self._heading.columns["date"], *self._heading.columns["amount"])
        return not any(each.isdecimal() for column in columns for each in cell_at(cells, column))

    def _joined(self, line: str) -> list[str] | None:
        """Return the cells of the line and those after it, up to the quotation mark that closes; None if a
        line in between is a row of its own, so that the mark is a stray one."""
        whole = line
        for count, following in enumerate(islice(self._lines.following(), LINES_OF_A_CELL), start=1):
            whole = f"{whole} {following}"
            if len(whole) > LINE_MAX or self._is_row(following):
                return None
            cells, is_open = parse(whole, self._heading.separator)
            if not is_open:
                if len(cells) > self._heading.width or not self._is_complete(cells):
                    return None
                self._lines.take(count)
                return cells
        return None

    def _is_row(self, line: str) -> bool:
        return self._is_complete(parse(line, self._heading.separator)[0])

    def _is_complete(self, cells: Sequence[str]) -> bool:
        columns = self._heading.columns
        amounts = (*columns["amount"], *columns.get("debit", ()))
        return any(is_day(cell_at(cells, each)) for each in columns["date"]) and any(
            is_amount(cell_at(cells, each)) for each in amounts
        )


def _row(record: _Record, heading: Heading, columns: Columns, decimal: str, today: date | None) -> Row:
    cells, width, comma = record.cells, heading.width, heading.separator == ","
    try:
        amount = read_amount(cell_at(cells, columns.amount), decimal)
        if any(cells[width:]) or (comma and _may_be_cut(cells, columns.amount)):
            raise Unreadable(RowFault.OTHER_CELLS)
        if not _came(amount, record, columns, decimal):
            return Debit(record.number)
        if record.is_open and len(cells) != width:
            raise Unreadable(RowFault.OPEN_QUOTE)
        _check_money(record, columns)
        reference = read_reference(cell_at(cells, columns.reference))
        paid_on = read_day(cell_at(cells, columns.date), month_first=columns.month_first)
        if today:
            check_day(paid_on, today)
    except Unreadable as unreadable:
        return BadRow(record.number, unreadable.fault)
    concept, payer = (_joined_text(columns.all_of(name, cells)) for name in ("concept", "payer"))
    return Transfer(record.number, reference, amount.value, paid_on, concept, payer, tuple(cells))


def _may_be_cut(cells: Sequence[str], column: int) -> bool:
    """Return whether the amount may be 25,30 without quotes in a file with commas: 25, and 30 in the next
    cell."""
    return cell_at(cells, column).isdecimal() and bool(re.fullmatch("[0-9]{2}", cell_at(cells, column + 1)))


def _came(amount: Amount, record: _Record, columns: Columns, decimal: str) -> bool:
    """Return whether the row is of incoming money, False if the money went.

    Only what is known to have come has come: by its column, its sign, or its mark. Where the file says
    nothing about it in any column, or has signs and this amount has none, it came. Raise Unreadable if it is
    not clear, or if there is no amount.
    """
    cells = record.cells
    marks = {
        mark_of(cell, columns.letters[column]) if cell else Mark.NEITHER
        for column in columns.several["mark"]
        for cell in [cell_at(cells, column)]
    }
    beside = [cell_at(cells, each) for each in (*columns.unnamed, *columns.several["concept"])]
    if any(1 < len(cell) <= MARK_MAX and mark_of(cell) is Mark.WENT for cell in beside):
        marks.add(Mark.WENT)
    debits = [read_amount(cell, decimal).value for cell in columns.all_of("debit", cells)]
    value = amount.value
    if value < 0 or (value == 0 and (any(debits) or Mark.WENT in marks)):
        return False
    if value == 0:
        raise Unreadable(RowFault.NO_AMOUNT)
    went = any(debits) or Mark.WENT in marks
    came = amount.came or columns.is_credit or Mark.CAME in marks
    if went != came:
        return came
    outgoing = record.around.outgoing or any(map(begins_as_outgoing, beside))
    nothing_says_so = bool(marks) or columns.both_sides or outgoing
    if went or Mark.UNKNOWN in marks or (nothing_says_so and not columns.signed):
        raise Unreadable(RowFault.UNCLEAR)
    return True


def _check_money(record: _Record, columns: Columns) -> None:
    cells = record.cells
    beside = [(each, cell_at(cells, each)) for each in (*columns.unnamed, *columns.several["concept"])]
    foreign = columns.foreign or record.around.foreign
    if foreign or not all(map(is_dollar, columns.all_of("currency", cells))):
        raise Unreadable(RowFault.OTHER_CURRENCY)
    if any(cell in CODE_CELLS for each, cell in beside if each in columns.unnamed):
        raise Unreadable(RowFault.OTHER_CURRENCY)
    if not all(map(is_booked, columns.all_of("state", cells))):
        raise Unreadable(RowFault.NOT_BOOKED)
    if any(is_no(cell_at(cells, each)) == booked for each, booked in columns.answers.items()):
        raise Unreadable(RowFault.NOT_BOOKED)
    if any(says_unbooked(cell) for _each, cell in beside):
        raise Unreadable(RowFault.NOT_BOOKED)


# `1,23E+10`, or what a cell shows that is too narrow or has a wrong formula.
_DESTROYED = re.compile(
    r"[0-9](?:[.,][0-9]+)?E\+[0-9]+|##+|#[A-Z/0]+[!?]|#N/[AD]|#¡[^!]+!|#¿[^?]+\?|Err:[0-9]+", re.IGNORECASE
)


def read_reference(text: str) -> str:
    """Return the reference without blanks. Raise Unreadable."""
    reference = "".join(text.split())
    if _DESTROYED.fullmatch(reference):
        raise Unreadable(RowFault.DESTROYED)
    if not 0 < len(reference) <= REFERENCE_MAX:
        raise Unreadable(RowFault.NO_REFERENCE)
    return reference


def _joined_text(texts: Sequence[str]) -> str:
    return " / ".join(dict.fromkeys(filter(None, texts)))
