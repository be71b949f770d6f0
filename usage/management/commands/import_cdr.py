import csv
import io
import os
import sys
import zlib
from argparse import ArgumentTypeError
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, reset_queries
from django.utils import timezone
from tqdm import tqdm

from telcox.common.garbage_collector import spare_the_server
from usage.ingestion.cdr import COLUMNS, NotADetailRecord, RecordLayout, Records, read_cdr, text_of
from usage.ingestion.receipts import Receipt
from usage.services import take_usage

STANDARD_INPUT = "-"
# Records in one transaction.
BATCH = 2_000
# Most rejected records that are shown, of all files together.
SHOWN = 20


class Command(BaseCommand):
    help = (
        "Import usage from call detail records (CSV, plain or gzip; - is standard input). Each record is "
        "counted once, also if the command is killed and run again, or run twice."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE")
        parser.add_argument("--source", help="source of records that name none (the file's name)")
        parser.add_argument(
            "--column",
            action="append",
            default=[],
            type=_column,
            metavar="OURS=THEIRS",
            help=f"the file's name for one of the columns {', '.join(COLUMNS)}",
        )
        parser.add_argument("--delimiter", default=",", help="column separator (,)")
        parser.add_argument("--time-zone", type=_time_zone, help="time zone of times without an offset")
        parser.add_argument("--workers", type=int, default=3, help="batches counted in parallel (3)")

    def handle(self, *args: Any, files: list[str], **options: Any) -> None:
        spare_the_server()
        self.shown = 0
        # SQLite has one writer.
        self.workers = max(1, options["workers"]) if connection.vendor == "mysql" else 1
        for name in files:
            layout = RecordLayout(
                source=options["source"] or ("stdin" if name == STANDARD_INPUT else Path(name).name),
                names=dict(options["column"]),
                time_zone=options["time_zone"],
                delimiter=options["delimiter"],
            )
            try:
                totals = self._import(name, layout)
            except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error, NotADetailRecord) as error:
                raise CommandError(f"{name}: {error}") from error
            self.stdout.write(
                f"{name}: {totals['received']} records: {totals['applied']} counted, "
                f"{totals['duplicates']} already counted, {totals['rejected']} rejected"
            )

    def _import(self, name: str, layout: RecordLayout) -> Counter[str]:
        totals: Counter[str] = Counter()
        with _opened(name) as (file, progress):
            text = text_of(file)  # in a variable, because it closes the file when it is deleted
            batches = read_cdr(text, layout, at_once=BATCH)
            for batch, receipt in _counted(batches, self.workers):
                for what in ("received", "applied", "duplicates", "rejected"):
                    totals[what] += getattr(receipt, what)
                self._show_rejections(name, batch, receipt)
                progress.set_postfix_str(f"{totals['received']:,} records", refresh=False)
                progress.update((file.tell() if progress.total else totals["received"]) - progress.n)
        return totals

    def _show_rejections(self, name: str, batch: Records, receipt: Receipt) -> None:
        for rejection in receipt.rejections[: SHOWN - self.shown]:
            self.shown += 1
            row = batch.rows[rejection.index]
            self.stderr.write(f"{name}, record {row}: {rejection.reason}, {rejection.detail}")


def _column(text: str) -> tuple[str, str]:
    ours, _, theirs = text.partition("=")
    if ours not in COLUMNS or not theirs:
        raise ArgumentTypeError(f"write OURS=THEIRS, where OURS is one of {', '.join(COLUMNS)}")
    return ours, theirs


def _time_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError) as error:
        raise ArgumentTypeError(f"unknown time zone: {name}") from error


@contextmanager
def _opened(name: str) -> Iterator[tuple[io.BufferedReader, Any]]:
    """Yield the file and its progress bar: of bytes, or of records if the size is unknown."""
    if name == STANDARD_INPUT:
        with tqdm(unit=" records", desc="stdin", disable=None) as progress:
            yield sys.stdin.buffer, progress  # type: ignore[misc]
        return
    with open(name, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        with tqdm(
            total=size, unit="B", unit_scale=True, unit_divisor=1024, desc=Path(name).name, disable=None
        ) as progress:
            yield file, progress


def _counted(batches: Iterable[Records], workers: int) -> Iterator[tuple[Records, Receipt]]:
    """Yield each batch and its receipt, in order. Several batches are counted at once, because one can be
    read while another waits for the database. Their number is limited, so that memory does not grow with the
    file."""
    if workers == 1:
        for batch in batches:
            yield batch, _count(batch)
        return
    under_way: deque[tuple[Records, Future[Receipt]]] = deque()
    with ThreadPoolExecutor(workers, "import") as pool:
        for batch in batches:
            under_way.append((batch, pool.submit(_count_in_a_thread, batch)))
            if len(under_way) > workers:
                done, future = under_way.popleft()
                yield done, future.result()
        for done, future in under_way:
            yield done, future.result()


def _count(batch: Records) -> Receipt:
    try:
        return take_usage(reported=batch.reported, at=timezone.now())
    finally:
        reset_queries()  # with DEBUG Django keeps all statements, and these are long


def _count_in_a_thread(batch: Records) -> Receipt:
    try:
        return _count(batch)
    finally:
        connection.close()
