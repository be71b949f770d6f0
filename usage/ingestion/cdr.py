"""Call and data detail records (CDR): CSV with a heading, one record in a row (docs/usage.md has the
columns)."""

import csv
import gzip
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, TextIO
from zoneinfo import ZoneInfo

import msgspec

from usage.ingestion.formats import Malformed, Reported
from usage.ingestion.reports import InvalidReport, UsageReport

COLUMNS = ("phone_number", "category", "quantity", "occurred_at", "source", "event_id")
# Required columns; the others have a default.
REQUIRED = frozenset({"phone_number", "category", "quantity", "occurred_at"})

_GZIP = b"\x1f\x8b"


_NO_REPORT = (msgspec.ValidationError, ValueError)


class NotADetailRecord(ValueError):
    """The heading of the file lacks a required column."""


@dataclass(frozen=True)
class RecordLayout:
    """Layout of a file. `names` maps names of COLUMNS to those of the file where they differ, and `time_zone`
    is the zone of times without an offset; without a zone such times are refused.

    `source` is used for records that name none. For records without an event id, the row's number in the file
    is the id, so that a file gives the same events each time it is read.
    """

    source: str
    names: Mapping[str, str] = field(default_factory=dict)
    time_zone: ZoneInfo | None = None
    delimiter: str = ","


@dataclass(frozen=True, slots=True)
class Records:
    """Some of a file's records, in order, with their row numbers: the heading is row 0."""

    rows: list[int]
    reported: list[Reported]


def text_of(file: io.BufferedReader) -> TextIO:
    """Return the file's lines, decompressed while they are read if the file is gzip, whatever its name. A
    byte order mark is dropped."""
    packed = file.peek(2)[:2] == _GZIP
    inflated: Any = gzip.GzipFile(fileobj=file) if packed else file
    return io.TextIOWrapper(inflated, encoding="utf-8-sig", newline="")


def read_cdr(lines: Iterable[str], layout: RecordLayout, *, at_once: int) -> Iterator[Records]:
    """Yield the records in batches, so that memory does not grow with the file. Raise NotADetailRecord."""
    rows = csv.reader(lines, delimiter=layout.delimiter)
    heading = [name.strip() for name in next(rows, [])]
    columns = {
        ours: heading.index(name) for ours in COLUMNS if (name := layout.names.get(ours, ours)) in heading
    }
    if missing := REQUIRED - columns.keys():
        raise NotADetailRecord(
            f"missing column: {', '.join(sorted(missing))} among: {', '.join(heading)[:200]}"
        )
    numbered = ((number, row) for number, row in enumerate(rows, start=1) if row)
    while some := list(islice(numbered, at_once)):
        yield Records(
            [number for number, _ in some],
            _reported([_fields(number, row, columns, layout) for number, row in some], layout),
        )


def _fields(number: int, row: list[str], columns: Mapping[str, int], layout: RecordLayout) -> dict[str, Any]:
    """Return a row's fields as text, without blank ones."""
    width = len(row)
    fields: dict[str, Any] = {
        name: text for name, at in columns.items() if at < width and (text := row[at].strip())
    }
    if "source" not in fields:
        fields["source"] = layout.source
    if "event_id" not in fields:
        fields["event_id"] = f"row-{number}"
    return fields


def _reported(records: list[dict[str, Any]], layout: RecordLayout) -> list[Reported]:
    """Decode all rows at once if all are valid, which is usual, and one by one if not."""
    try:
        return [
            report.normalize()
            for report in msgspec.convert(
                [_typed(fields, layout) for fields in records], list[UsageReport], strict=False
            )
        ]
    except _NO_REPORT:
        return [_one(fields, layout) for fields in records]


def _one(fields: dict[str, Any], layout: RecordLayout) -> Reported:
    try:
        return msgspec.convert(_typed(fields, layout), UsageReport, strict=False).normalize()
    except _NO_REPORT as error:
        return Malformed(str(error)[:200], fields["event_id"])


def _typed(fields: dict[str, Any], layout: RecordLayout) -> dict[str, Any]:
    """Convert the time, which may lack its offset, and the category, which may be in lower case. Raise
    InvalidReport for a missing time."""
    if "occurred_at" not in fields:
        raise InvalidReport("Missing - at `$.occurred_at`")
    return {
        **fields,
        "occurred_at": _moment(fields["occurred_at"], layout.time_zone),
        "category": fields.get("category", "").upper(),
    }


def _moment(text: str, time_zone: ZoneInfo | None) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        if time_zone is None:
            raise InvalidReport("Expected a time with its offset (or --time-zone) - at `$.occurred_at`")
        moment = moment.replace(tzinfo=time_zone)
    return moment
