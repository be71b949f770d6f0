import os
from argparse import ArgumentTypeError
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

from billing.bank import ImportReport, import_statement
from billing.bank.headings import COLUMNS, SEPARATORS

TAB = "tab"


class Command(BaseCommand):
    help = (
        "Makes payments of the transfers in a bank's statement (CSV). Each reference is imported once: "
        "killed and run again, or run twice, it ends in the same state. Transfers that match no invoice wait "
        "in the back-office; rows that cannot be read are kept nowhere, so they make it exit with 1."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE")
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="show the result and keep nothing; the invoices are locked meanwhile",
        )
        parser.add_argument(
            "--column",
            action="append",
            default=[],
            dest="columns",
            metavar="FIELD=TITLE",
            type=_column,
            help="which column is which, where the heading leaves it open: --column amount=Importe",
        )
        parser.add_argument(
            "--separator",
            choices=[TAB if mark == "\t" else mark for mark in SEPARATORS],
            default="",
            help="column separator (detected from the heading)",
        )
        parser.add_argument(
            "--decimal", choices=[",", "."], default="", help="decimal mark (detected from the amounts)"
        )

    def handle(
        self,
        *args: Any,
        file: str,
        columns: list[tuple[str, str]],
        separator: str,
        decimal: str,
        **options: Any,
    ) -> None:
        name, dry_run = Path(file).name, options["dry_run"]
        try:
            with (
                open(file, "rb") as opened,
                tqdm(total=os.fstat(opened.fileno()).st_size, unit="B", unit_scale=True, disable=None) as bar,
            ):
                report = import_statement(
                    file=_Watched(opened, bar),
                    source=name,
                    at=timezone.now(),
                    columns=dict(columns),
                    separator="\t" if separator == TAB else separator,
                    decimal=decimal,
                    dry_run=dry_run,
                )
        except OSError as error:
            raise CommandError(f"{file}: {error}") from error
        self._tell(f"{name} (dry run)" if dry_run else name, report)

    def _tell(self, name: str, report: ImportReport) -> None:
        for columns in report.columns:
            self.stderr.write("columns: " + ", ".join(f"{ours} = {title}" for ours, title in columns.items()))
        for note in report.notes:
            self.stderr.write(": ".join(filter(None, (f"row {note.row}", note.reference, note.why))))
        if report.untold:
            self.stderr.write(f"and {report.untold} more")
        self.stdout.write(
            f"{name}: {report.read} rows: {report.matched} payment(s) totalling {report.matched_amount}, "
            f"{report.known} already imported, {report.unmatched} waiting, {report.debits} debit(s), "
            f"{report.bad} bad"
        )
        if report.bad:
            raise CommandError(
                f"{report.bad} row(s) could not be read: correct the rows listed above and import the file "
                "again"
            )


def _column(text: str) -> tuple[str, str]:
    name, equals, title = text.partition("=")
    if not (equals and title.strip() and name in COLUMNS):
        raise ArgumentTypeError(f"say one of {', '.join(COLUMNS)}, =, and the title of its column: {text}")
    return name, title


@dataclass
class _Watched:
    """A file that moves a progress bar on as it is read."""

    file: BinaryIO
    bar: Any

    def readline(self, limit: int, /) -> bytes:
        line = self.file.readline(limit)
        self.bar.update(len(line))
        return line
