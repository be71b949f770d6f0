"""Options of `import_cdr` that describe the layout of a file."""

import csv
from argparse import ArgumentTypeError
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import CommandParser

from usage.ingestion.cdr import AND, COLUMNS, DEFAULT_SOURCE, RecordLayout
from usage.ingestion.reports import CATEGORY_NAMES

TAB = ("tab", "\\t")


def add_layout_options(parser: CommandParser) -> None:
    parser.add_argument("--source", help=f"source of records that name none ({DEFAULT_SOURCE})")
    parser.add_argument(
        "--column",
        action="append",
        default=[],
        type=_column,
        metavar="OURS=THEIRS",
        help=f"the file's name for one of the columns {', '.join(COLUMNS)}; date and time in two columns are "
        f"written occurred_at=DATE{AND}TIME",
    )
    parser.add_argument(
        "--category",
        action="append",
        default=[],
        type=_category,
        metavar="[THEIRS=]OURS",
        help="category of the records that name none, or the file's name for one of ours",
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        type=_condition,
        metavar="COLUMN=VALUE",
        help="count only rows with this value in the column; give it again for more values",
    )
    parser.add_argument(
        "--heading", default="", metavar="NAME,NAME…", help="columns of a file that has no heading"
    )
    parser.add_argument(
        "--delimiter", type=_delimiter, help="column separator, or tab (found by the heading)"
    )
    parser.add_argument("--time-zone", type=_time_zone, help="time zone of times without an offset")
    parser.add_argument(
        "--format",
        type=_time_format,
        help="form of the times, as Python's strptime takes it: %%d/%%m/%%Y %%H:%%M:%%S",
    )


def layout_of(options: Mapping[str, Any]) -> RecordLayout:
    only: defaultdict[str, set[str]] = defaultdict(set)
    for column, value in options["only"]:
        only[column].add(value)
    [heading] = csv.reader([options["heading"]])
    return RecordLayout(
        source=options["source"] or "",
        names=dict(options["column"]),
        time_zone=options["time_zone"],
        delimiter=options["delimiter"] or "",
        time_format=options["format"] or "",
        heading=[name.strip() for name in heading],
        categories=dict(options["category"]),
        only={column: frozenset(values) for column, values in only.items()},
    )


def folder(text: str) -> Path:
    if not (path := Path(text)).is_dir():
        raise ArgumentTypeError(f"not a folder: {text}")
    return path


def _column(text: str) -> tuple[str, str]:
    ours, _, theirs = text.partition("=")
    if ours not in COLUMNS or not theirs:
        raise ArgumentTypeError(f"write OURS=THEIRS, where OURS is one of {', '.join(COLUMNS)}")
    return ours, theirs


def _category(text: str) -> tuple[str, str]:
    theirs, _, ours = text.rpartition("=")
    if ours.upper() not in CATEGORY_NAMES:
        raise ArgumentTypeError(f"write [THEIRS=]OURS, where OURS is one of {', '.join(CATEGORY_NAMES)}")
    return theirs, ours.upper()


def _condition(text: str) -> tuple[str, str]:
    column, is_there, value = text.partition("=")
    if not column or not is_there:
        raise ArgumentTypeError("write COLUMN=VALUE")
    return column, value


def _delimiter(text: str) -> str:
    delimiter = "\t" if text in TAB else text
    if len(delimiter) != 1 or delimiter.isalnum() or delimiter in '"\r\n':
        raise ArgumentTypeError("write one character that is no letter, digit or quotation mark, or tab")
    return delimiter


def _time_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError) as error:
        raise ArgumentTypeError(f"unknown time zone: {name}") from error


def _time_format(form: str) -> str:
    some = datetime(2026, 11, 24, 15, 30, 45, tzinfo=UTC)
    try:
        read = datetime.strptime(some.strftime(form), form)
    except ValueError as error:
        raise ArgumentTypeError(f"not a form of strptime: {form}") from error
    if read.date() != some.date():
        raise ArgumentTypeError(f"a form without year, month or day: {form}")
    if read.hour == some.hour - 12:
        raise ArgumentTypeError(f"a form of 12 hours (%I) without %p: {form}")
    return form
