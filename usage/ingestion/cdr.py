"""Call and data detail records (CDR): CSV, one record in a row (docs/usage.md has the columns)."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from typing import Any, TextIO, cast
from zoneinfo import ZoneInfo

import msgspec

from usage.ingestion.detail_rows import UNCLOSED, DetailRows, Row
from usage.ingestion.formats import Malformed, Reported
from usage.ingestion.moments import moment_by_format, moment_of
from usage.ingestion.quantities import quantity_of
from usage.ingestion.reports import CATEGORY_NAMES, CategoryName, InvalidReport, UsageReport
from usage.vocabulary import QUANTITY_MAX

# The source of records that name none.
DEFAULT_SOURCE = "cdr"
COLUMNS = ("phone_number", "category", "quantity", "occurred_at", "source", "event_id")
# Required columns; the others have a default.
REQUIRED = frozenset({"phone_number", "category", "quantity", "occurred_at"})
# Delimiters that are tried if none is given; the heading shows which it is.
DELIMITERS = (",", ";", "\t", "|")
# Names of columns that are joined by a blank: `occurred_at=Date+Time`.
AND = "+"

# Columns of a file of lost records, before those of the file from which they were lost.
REJECT_COLUMNS = ("telcox_record", "telcox_reason", "telcox_detail")

# Lines above the heading, such as a title.
_HEADING_WITHIN = 40
# First cells of rows that begin or end a file. A letter is only a mark in a row that has too few cells for a
# record, and so is a comment: a number in the first column may begin with #.
_MARKS = frozenset(
    [
        "HEADER",
        "HDR",
        "HEAD",
        "TRAILER",
        "TRL",
        "TLR",
        "FOOTER",
        "FTR",
        "EOF",
        "EOT",
        "END",
        "FIN",
        "TOTAL",
        "TOTALS",
        "TOTALES",
        "SUMMARY",
        "RESUMEN",
    ]
)
_LETTERS = frozenset("HTFZ")
# A row below the heading that has the columns' types, as Cisco CUCM writes it, or that underlines the
# heading, as Microsoft's sqlcmd does.
_SQL_TYPE = re.compile(
    r"(?:(?:TINY|SMALL|MEDIUM|BIG)?INT(?:EGER)?|N?(?:VAR)?CHAR2?|STRING|TEXT|UUID|UNIQUEIDENTIFIER|DATETIME2?"
    r"|TIMESTAMP|DATE|TIME|FLOAT|REAL|DOUBLE|LONG|DECIMAL|NUMBER|NUMERIC|BOOL(?:EAN)?|BIT)(?: UNSIGNED)?|-+"
)
_IN_BRACKETS = re.compile(r"\s*\(\s*(?:\d+|MAX)(?:\s*,\s*\d+)?\s*\)", re.IGNORECASE)
# DOS ends a text with Control-Z, and a disk that was full or cut off from power fills files with zeros.
_FILLING = "\x1a\x00"
# In place of bytes that are not text.
_NOT_TEXT = "\ufffd"


class NotADetailRecord(ValueError):
    """The heading of the file lacks a required column, or names one twice."""


@dataclass(frozen=True)
class RecordLayout:
    """Layout of a file, where it differs from the usual one.

    `names` maps names of COLUMNS to those of the file. `time_zone` is the zone of times without an offset;
    without a zone such times are refused. `time_format` is their form for `strptime`, and without one the
    known forms are read. `heading` has the columns of a file without a heading. `categories` maps the file's
    names of categories to ours, and an empty name to that of records that name none. `only` limits the
    records to rows in which a column has one of some values. `source` is used for records that name none.
    """

    source: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    time_zone: ZoneInfo | None = None
    delimiter: str = ""
    time_format: str = ""
    heading: Sequence[str] = ()
    categories: Mapping[str, str] = field(default_factory=dict)
    only: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(slots=True)
class Records:
    """Some of a file's records, in order, with their row numbers (the heading is row 0) and cells.

    `unused` records have a quantity of zero, such as unanswered calls: there is nothing to count, and they
    are not among the others. `others` are rows that are not records. `not_utf8` has the numbers of
    rows that were read as Windows-1252.
    """

    rows: list[int] = field(default_factory=list)
    reported: list[Reported] = field(default_factory=list)
    cells: list[list[str]] = field(default_factory=list)
    unused: int = 0
    others: int = 0
    not_utf8: list[int] = field(default_factory=list)


class DetailFile:
    """A file of detail records: its heading, its identity, and its records.

    A file is identified by its heading, if it has one, and its first record that is not invalid, and a record
    without event id by its file and its row number. So a file is the same one under any name, compressed or
    not, and with more records appended, and another file of the same name is another file. `identity` is
    known once a record was read, and final if `is_identified`.
    """

    def __init__(self, text: TextIO, layout: RecordLayout) -> None:
        """Read the heading. Raise NotADetailRecord."""
        self.layout, self.identity, self.is_identified = layout, "", False
        self._rows = DetailRows(text)
        self.heading = self._read_heading()
        self._rows.width = len(self.heading)
        self._at = self._positions(self.heading)
        self._only = [(self._position(name), values) for name, values in layout.only.items()]
        self._last_used = max([*map(max, self._at.values()), *(at for at, _ in self._only)])
        self._categories = {name: layout.categories.get(name, name) for name in CATEGORY_NAMES}
        self._categories |= {name: ours for name, ours in layout.categories.items() if name}
        self._plain_at = self._plain_positions()

    @property
    def delimiter(self) -> str:
        return self._rows.delimiter

    @property
    def source(self) -> str:
        """Return the source of records that name none. It is not made from the file: an event that has its
        id is the same one in every file."""
        return self.layout.source or DEFAULT_SOURCE

    def made_id(self, row: int) -> str:
        """Return the event id of a record that has none."""
        return f"{self.identity}-{row}"

    def identity_by(self, cells: Sequence[str]) -> str:
        """Return the identity of the file if this is its first record. It is made of content alone: a record
        gives the same one whatever options the file is imported with, in any encoding, and with other blanks,
        quotation marks or delimiters."""
        heading = [] if self.layout.heading else self.heading
        text = "\x1e".join("\x1f".join(cell.strip() for cell in row) for row in (heading, cells))
        return sha256(text.encode(errors="replace")).hexdigest()[:24]

    def batches(self, at_once: int) -> Iterator[Records]:
        """Yield the records in batches, so that memory does not grow with the file."""
        numbered = enumerate(self._rows, start=1)
        while some := list(islice(numbered, at_once)):
            batch = Records()
            for number, row in some:
                self._add(batch, number, row)
            yield batch

    def _read_heading(self) -> list[str]:
        if self.layout.heading:
            self._rows.delimiter = self.layout.delimiter or DELIMITERS[0]
            heading = list(self.layout.heading)
            # A file of lost records always has a heading.
            of_rejects = [*REJECT_COLUMNS, *heading]
            if self._names(self._rows.peek(), self._rows.delimiter) == of_rejects:
                self._rows.line()
                heading = of_rejects
            return self._checked(heading)
        first: list[str] = []
        for _ in range(_HEADING_WITHIN):
            if not (line := self._rows.line()):
                break
            for delimiter in [self.layout.delimiter] if self.layout.delimiter else DELIMITERS:
                names = self._names(line, delimiter)
                first = first or [name for name in names if name]
                if not self._missing(names):
                    self._rows.delimiter = delimiter
                    return self._checked(names)
        return self._checked(first)

    def _names(self, line: str, delimiter: str) -> list[str]:
        return [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]

    def _missing(self, heading: Sequence[str]) -> list[str]:
        missing = REQUIRED - self._positions(heading).keys()
        return sorted(missing - {"category"} if "" in self.layout.categories else missing)

    def _checked(self, heading: list[str]) -> list[str]:
        if missing := self._missing(heading):
            raise NotADetailRecord(f"missing column: {', '.join(missing)} among: {', '.join(heading)[:200]}")
        used = [part for name in COLUMNS for part in self._parts(name, heading)]
        if twice := [name for name in used if heading.count(name) > 1]:
            raise NotADetailRecord(f"the heading has the column {twice[0]} twice")
        return heading

    def _parts(self, ours: str, heading: Sequence[str]) -> list[str]:
        """Return the file's names for one of our columns: several if their cells are to be joined."""
        name = self.layout.names.get(ours, ours)
        return [name] if name in heading else name.split(AND)

    def _positions(self, heading: Sequence[str]) -> dict[str, list[int]]:
        return {
            ours: [heading.index(part) for part in parts]
            for ours in COLUMNS
            if (parts := self._parts(ours, heading)) and all(part in heading for part in parts)
        }

    def _position(self, name: str) -> int:
        if name not in self.heading:
            raise NotADetailRecord(f"missing column: {name} among: {', '.join(self.heading)[:200]}")
        return self.heading.index(name)

    def _add(self, batch: Records, number: int, row: Row) -> None:
        reported: Reported | None = self._plain(number, row)
        if reported is None:
            if not any(cell.strip().strip(_FILLING) for cell in row.cells):
                return
            if self._is_no_record(number, row):
                batch.others += 1
                return
            if not self.is_identified:
                self.identity = self.identity_by(row.cells)
            if not self._is_wanted(row):
                self.is_identified = True
                batch.others += 1
                return
            if not row.is_utf8:
                batch.not_utf8.append(number)
            reported = self._reported(number, row)
            self.is_identified |= not isinstance(reported, Malformed)
            if reported is None:
                batch.unused += 1
                return
        batch.rows.append(number)
        batch.reported.append(reported)
        batch.cells.append(row.cells)

    def _is_wanted(self, row: Row) -> bool:
        return all(at >= len(row.cells) or row.cells[at].strip() in values for at, values in self._only)

    def _is_no_record(self, number: int, row: Row) -> bool:
        """Return whether a row is not a record: a comment, the columns' types or names, or the mark at the
        beginning or the end of a file."""
        cells, first = row.cells, row.cells[0].strip()
        is_full, filled = len(cells) == len(self.heading), sum(bool(cell.strip()) for cell in cells)
        mark = first.rstrip(":").upper()
        if mark in _MARKS and (not is_full or filled < len(REQUIRED)):
            return True
        if (mark in _LETTERS or first.startswith("#")) and not is_full and filled < len(REQUIRED):
            return True
        if number == 1 and all(map(_is_sql_type, filter(None, (cell.strip() for cell in cells)))):
            return True
        return first == self.heading[0] and [cell.strip() for cell in cells] == self.heading

    def _plain_positions(self) -> tuple[int, int, int, int, int | None, int | None] | None:
        """Return the positions of COLUMNS if the records may be plain: each column is one column of the file,
        and all rows are wanted."""
        if self._only or self.layout.time_format or any(len(each) > 1 for each in self._at.values()):
            return None
        if not self._at.keys() >= REQUIRED:
            return None
        at = {name: positions[0] for name, positions in self._at.items()}
        phone_number, category, quantity, occurred_at = (at[name] for name in COLUMNS[:4])
        return phone_number, category, quantity, occurred_at, at.get("source"), at.get("event_id")

    def _plain(self, number: int, row: Row) -> UsageReport | None:
        """Return the report of a record that is written in the usual way, fast. Return None if there is
        anything to look at."""
        cells = row.cells
        if row.fault or not row.is_utf8 or len(cells) != self._rows.width or not self.is_identified:
            return None
        if self._plain_at is None:
            return None
        phone_number, category_at, quantity_at, occurred_at, source_at, event_id_at = self._plain_at
        category = self._categories.get(cells[category_at])
        quantity = cells[quantity_at]
        if category is None or not (quantity.isascii() and quantity.isdigit()) or len(quantity) > 15:
            return None
        source = self.source if source_at is None else cells[source_at].strip()
        event_id = self.made_id(number) if event_id_at is None else cells[event_id_at].strip()
        if not 0 < len(source) <= 64 or not 0 < len(event_id) <= 128 or _NOT_TEXT in event_id:
            return None
        amount = int(quantity)
        if amount == 0:
            return None
        try:
            return UsageReport(
                cells[phone_number],
                cast(CategoryName, category),
                amount,
                source,
                event_id,
                moment_of(cells[occurred_at].strip(), self.layout.time_zone),
            ).normalize()
        except InvalidReport:
            return None

    def _reported(self, number: int, row: Row) -> Reported | None:
        """Return a row's report, or None if it has a quantity of zero."""
        fields: dict[str, str] = {}
        try:
            fields = self._fields(row)
            category = fields["category"] = self._category(fields.get("category", ""))
            quantity = quantity_of(_required(fields, "quantity"), category)
            if quantity == 0:
                return None
            occurred_at = self._moment(_required(fields, "occurred_at"))
            # An apostrophe keeps a spreadsheet from taking +593… for a formula (OWASP, CSV injection).
            phone_number = _required(fields, "phone_number").removeprefix("'")
            source = fields.get("source") or self.source
            event_id = fields.get("event_id") or self.made_id(number)
            if (
                category in CATEGORY_NAMES
                and 0 < quantity <= QUANTITY_MAX
                and len(source) <= 64
                and len(event_id) <= 128
            ):
                return UsageReport(
                    phone_number, cast(CategoryName, category), quantity, source, event_id, occurred_at
                ).normalize()
            # The decoder says what is wrong.
            whole: dict[str, Any] = {**fields, "quantity": quantity, "occurred_at": occurred_at}
            return msgspec.convert(whole, UsageReport).normalize()
        except (msgspec.ValidationError, ValueError) as error:
            return Malformed(str(error)[:200], fields.get("event_id") or self.made_id(number))

    def _fields(self, row: Row) -> dict[str, str]:
        """Return a row's fields as text, without blank ones."""
        cells, width = row.cells, len(self.heading)
        if len(cells) > width and not any(cell.strip() for cell in cells[width:]):
            cells = cells[:width]
        if len(cells) > width or len(cells) <= self._last_used:
            raise InvalidReport(row.fault or f"Expected {width} cells, found {len(cells)}")
        fields = {}
        for name, positions in self._at.items():
            if text := (
                cells[positions[0]].strip()
                if len(positions) == 1
                else " ".join(cells[position].strip() for position in positions).strip()
            ):
                fields[name] = text
        if row.fault and (row.fault != UNCLOSED or any('"' in text for text in fields.values())):
            raise InvalidReport(row.fault)
        if any(_NOT_TEXT in fields.get(name, "") for name in ("source", "event_id")):
            raise InvalidReport("Expected text in UTF-8, UTF-16 with its byte order mark, or Windows-1252")
        return fields

    def _category(self, text: str) -> str:
        return self.layout.categories.get(text) or text.upper()

    def _moment(self, text: str) -> Any:
        if self.layout.time_format:
            return moment_by_format(text, self.layout.time_format, self.layout.time_zone)
        return moment_of(text, self.layout.time_zone)


def _required(fields: Mapping[str, str], name: str) -> str:
    if name not in fields:
        raise InvalidReport(f"Missing - at `$.{name}`")
    return fields[name]


def _is_sql_type(text: str) -> bool:
    return _SQL_TYPE.fullmatch(_IN_BRACKETS.sub("", text).upper()) is not None
