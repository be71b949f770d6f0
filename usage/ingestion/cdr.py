"""Call and data detail records: CSV with a heading, a record a row (docs/usage.md has the columns)."""

import csv
import gzip
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TextIO
from zoneinfo import ZoneInfo

import msgspec

from usage.ingestion.formats import Malformed, Reported
from usage.ingestion.reports import InvalidReport, UsageReport

COLUMNS = ("phone_number", "category", "quantity", "occurred_at", "source", "event_id")
# A record must say these; the others have a stand-in.
REQUIRED = frozenset({"phone_number", "category", "quantity", "occurred_at"})

_GZIP = b"\x1f\x8b"


class NotADetailRecord(ValueError):
    """The file's heading lacks what every record needs."""


@dataclass(frozen=True)
class Layout:
    """How a file is read: what its columns are called where they are not called as ours (`names`), and the
    zone of moments that come without offset; without one those are refused.

    `source` stands where a file names none; where it names no event, its row's number in the file is the
    event's id, so that the same file makes the same events however often it is read.
    """

    source: str
    names: Mapping[str, str] = field(default_factory=dict)
    time_zone: ZoneInfo | None = None
    delimiter: str = ","


@dataclass(frozen=True, slots=True)
class Record:
    """`row` counts records from 1, and the heading is row 0."""

    row: int
    reported: Reported


def text_of(file: io.BufferedReader) -> TextIO:
    """Its lines, inflated as they are read if it is gzip, whatever it is called. A byte order mark is
    dropped.
    """
    packed = file.peek(2)[:2] == _GZIP
    inflated: Any = gzip.GzipFile(fileobj=file) if packed else file
    return io.TextIOWrapper(inflated, encoding="utf-8-sig", newline="")


def read_cdr(lines: Iterable[str], layout: Layout) -> Iterator[Record]:
    """One record at a time: memory stays the same however long the file is. Raises NotADetailRecord."""
    rows = csv.reader(lines, delimiter=layout.delimiter)
    heading = [name.strip() for name in next(rows, [])]
    position = {
        ours: heading.index(name) for ours in COLUMNS if (name := layout.names.get(ours, ours)) in heading
    }
    if missing := REQUIRED - position.keys():
        raise NotADetailRecord(
            f"no column for {', '.join(sorted(missing))} among: {', '.join(heading)[:200]}"
        )
    for number, row in enumerate(rows, start=1):
        if row:
            yield Record(number, _reported(number, row, position, layout))


def _reported(number: int, row: list[str], position: Mapping[str, int], layout: Layout) -> Reported:
    fields: dict[str, Any] = {
        ours: row[at].strip() for ours, at in position.items() if at < len(row) and row[at].strip()
    }
    fields.setdefault("source", layout.source)
    fields.setdefault("event_id", f"row-{number}")
    try:
        if "occurred_at" not in fields:
            raise InvalidReport("Missing - at `$.occurred_at`")
        fields["occurred_at"] = _moment(fields["occurred_at"], layout.time_zone)
        fields["category"] = fields.get("category", "").upper()
        return msgspec.convert(fields, UsageReport, strict=False).normalize()
    except (msgspec.ValidationError, ValueError) as error:
        return Malformed(str(error)[:200], fields["event_id"])


def _moment(text: str, time_zone: ZoneInfo | None) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        if time_zone is None:
            raise InvalidReport("Expected a moment with its offset (or --time-zone) - at `$.occurred_at`")
        moment = moment.replace(tzinfo=time_zone)
    return moment
