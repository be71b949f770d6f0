"""Keep the records of a file that could not be counted, in a file that can be corrected and imported."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from usage.ingestion.cdr import REJECT_COLUMNS, DetailFile
from usage.ingestion.receipts import Rejection

# Not .csv: an import of all *.csv of a folder must not take it.
SUFFIX = ".rejects"


class Rejects:
    """A CSV file with the heading of the imported file, its lost records, and before each its row number and
    the reason, so that its own cells stay in the columns of the heading.

    It is created with the first record, and readable only by its owner, since it has the same personal data
    as the imported file. Its name has the identity of that file: another one of the same name has another.
    """

    def __init__(self, folder: Path, name: str, records: DetailFile) -> None:
        self._folder, self._name, self._records = folder, name, records
        self.path: Path | None = None
        self._file: Any = None
        self._writer: Any = None

    def add(self, row: int, rejection: Rejection, cells: Sequence[str]) -> None:
        """Write a record. Raise OSError."""
        if self.path is None:
            self.path = self._folder / f"{self._name}.{self._records.identity[:8]}{SUFFIX}"
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            self._file = open(descriptor, "w", encoding="utf-8", errors="replace", newline="")  # noqa: SIM115
            self._writer = csv.writer(self._file, delimiter=self._records.delimiter)
            self._writer.writerow([*REJECT_COLUMNS, *self._records.heading])
        self._writer.writerow([row, rejection.reason, rejection.detail, *cells])

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
