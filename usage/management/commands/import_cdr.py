import io
import os
import sys
import tempfile
import zlib
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, reset_queries
from django.utils import timezone
from tqdm import tqdm

from telcox.common.garbage_collector import spare_the_server
from usage.ingestion.cdr import DetailFile, NotADetailRecord, RecordLayout, Records
from usage.ingestion.detail_rows import text_of
from usage.ingestion.earlier_names import EarlierNames
from usage.ingestion.receipts import Receipt
from usage.ingestion.rejected import KEPT
from usage.ingestion.rejects import Rejects
from usage.management.cdr_options import add_layout_options, folder, layout_of
from usage.services import take_usage
from usage.vocabulary import RejectionReason

STANDARD_INPUT = "-"
# Records in one transaction.
BATCH = 2_000
# Rows of each kind that are shown, and kinds, of all files together. Rejected records of one reason and
# detail are a kind, so that thousands of one do not hide one of another.
SHOWN, KINDS = 20, 50


class Command(BaseCommand):
    help = (
        "Import usage from call detail records (CSV, plain or gzip; - is standard input). Each record is "
        "counted once, also if the command is killed and run again, or run twice. Exits with 1 if a record "
        "was lost: if it was neither counted nor kept for a redrive."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE")
        add_layout_options(parser)
        parser.add_argument(
            "--rejects", type=folder, metavar="FOLDER", help="where lost records are kept (beside the file)"
        )
        parser.add_argument("--workers", type=int, default=3, help="batches counted in parallel (3)")

    def handle(self, *args: Any, files: list[str], rejects: Path | None, **options: Any) -> None:
        spare_the_server()
        # SQLite has one writer.
        self.workers = max(1, options["workers"]) if connection.vendor == "mysql" else 1
        self.kinds: Counter[str] = Counter()
        self.lost: list[str] = []
        layout = layout_of(options)
        for name in files:
            try:
                self._import(name, layout, rejects)
            except (OSError, EOFError, zlib.error, NotADetailRecord) as error:
                # What was read before the error is counted; the other files are imported, too.
                self.lost.append(f"{name}: {error}")
        for kind, number in self.kinds.items():
            if number > SHOWN:
                self.stderr.write(f"and {number - SHOWN} more: {kind}")
        if self.lost:
            raise CommandError("\n".join(self.lost))

    def _import(self, name: str, layout: RecordLayout, rejects_folder: Path | None) -> None:
        totals: Counter[str] = Counter()
        lost: Counter[str] = Counter()
        is_stream = name == STANDARD_INPUT
        base, beside = ("stdin", Path()) if is_stream else (Path(name).name, Path(name).parent)
        with _opened(name) as (file, progress):
            text = text_of(file)  # in a variable, because it closes the file when it is deleted
            records = DetailFile(text, layout)
            rejects = Rejects(rejects_folder or _writable(beside), base, records)
            try:
                for batch, receipt in _counted(_known(records, base), self.workers):
                    for what in ("received", "applied", "duplicates", "rejected"):
                        totals[what] += getattr(receipt, what)
                    totals["unused"] += batch.unused
                    totals["others"] += batch.others
                    for row in batch.not_utf8:
                        self._show("not UTF-8, read as Windows-1252", name, row)
                    for rejection in receipt.rejections:
                        row = batch.rows[rejection.index]
                        self._show(f"{rejection.reason}, {rejection.detail}", name, row)
                        if RejectionReason(rejection.reason) not in KEPT:
                            lost[rejection.reason] += 1
                            rejects.add(row, rejection, batch.cells[rejection.index])
                    progress.set_postfix_str(f"{totals['received']:,} records", refresh=False)
                    progress.update((file.tell() if progress.total else totals["received"]) - progress.n)
            finally:
                rejects.close()
                self._sum_up(name, totals)
                if lost:
                    reasons = ", ".join(f"{number} {reason}" for reason, number in lost.most_common())
                    self.lost.append(
                        f"{name}: {lost.total()} record(s) lost ({reasons}). They are kept in "
                        f"{rejects.path}: correct that file and import it"
                    )

    def _show(self, kind: str, name: str, row: int) -> None:
        if kind in self.kinds or len(self.kinds) < KINDS:
            self.kinds[kind] += 1
            if self.kinds[kind] <= SHOWN:
                self.stderr.write(f"{name}, record {row}: {kind}")

    def _sum_up(self, name: str, totals: Counter[str]) -> None:
        further = {
            "without usage (quantity 0)": totals["unused"],
            "rows that are not records": totals["others"],
        }
        self.stdout.write(
            f"{name}: {totals['received'] + totals['unused']} records: {totals['applied']} counted, "
            f"{totals['duplicates']} already counted, {totals['rejected']} rejected"
            + "".join(f", {number} {what}" for what, number in further.items() if number)
        )


def _known(records: DetailFile, name: str) -> Iterator[Records]:
    earlier = EarlierNames(records, name)
    for batch in records.batches(BATCH):
        earlier.restore(batch)
        yield batch


def _writable(path: Path) -> Path:
    return path if os.access(path, os.W_OK) else Path(tempfile.gettempdir())


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
