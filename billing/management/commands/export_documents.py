from argparse import ArgumentTypeError
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from billing.exports import Selection, csv_of, documents_table, payments_table, write_xlsx
from billing.exports.tables import Row
from billing.models.runs import PERIOD

TABLES = {"invoices": documents_table, "payments": payments_table}


class Command(BaseCommand):
    help = (
        "Export the documents of a period (invoices and credit notes), or the payments of its invoices, to a "
        "CSV or XLSX file for finance."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=TABLES)
        parser.add_argument("period", type=_period, metavar="PERIOD", help="2026-11")
        parser.add_argument("--format", choices=["csv", "xlsx"], default="csv")
        parser.add_argument(
            "--output", type=Path, metavar="FILE", help="file to write (documents-2026-11.csv)"
        )

    def handle(self, *args: Any, what: str, period: str, output: Path | None, **options: Any) -> None:
        table = TABLES[what](Selection(period))
        path = output or Path(f"{table.name}.{options['format']}")
        rows = CountedRows(table.rows)
        table = table._replace(rows=iter(rows))
        try:
            with path.open("wb") as file:
                if options["format"] == "xlsx":
                    write_xlsx(table, file)
                else:
                    file.writelines(csv_of(table))
        except OSError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{path}: {rows.number} rows")


class CountedRows:
    """Yield the rows, and show a progress bar on a terminal."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self.number = 0
        self._rows = rows

    def __iter__(self) -> Iterator[Row]:
        for row in tqdm(self._rows, unit=" rows", disable=None):
            self.number += 1
            yield row


def _period(text: str) -> str:
    try:
        PERIOD(text)
    except ValidationError as error:
        raise ArgumentTypeError("write the period as year and month: 2026-11") from error
    return text
