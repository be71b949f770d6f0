"""Import a bank statement: its transfers become payments, each in a transaction of its own."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from django.conf import settings
from django.db import IntegrityError
from django.utils.translation import gettext_lazy as _

from billing.bank.matching import Series
from billing.bank.statements import read_statement
from billing.bank.taking import take_transfer
from billing.bank.values import BadRow, Debit, File, Row, RowFault, StatementLayout, Transfer
from billing.models import BankProblem, InvoiceSeries
from telcox.common.calendar import local_date
from telcox.common.database.dry_run import commit_unless_dry_run
from telcox.common.database.retrying import retry_lost_locks

logger = logging.getLogger(__name__)

COLUMN_LABELS = {
    "date": _("date"),
    "amount": _("amount"),
    "reference": _("reference"),
    "concept": _("concept"),
    "payer": _("payer"),
    "debit": _("outgoing amount"),
    "mark": _("mark of incoming and outgoing"),
    "currency": _("currency"),
    "state": _("state"),
}
# Maximum number of rows listed one by one; the others are only counted.
NOTED = 1_000


class Note(NamedTuple):
    """Row that a clerk has to look at: an unmatched transfer (with its `reference`) or a bad row."""

    row: int
    reference: str
    why: str


@dataclass
class ImportReport:
    """Outcome of a file's rows: read = matched + known + unmatched + debits + bad.

    `known` rows were imported before, matched or not. `matched_amount` is in dollars. `notes` lists the first
    NOTED rows that are unmatched or bad. `columns` are the titles that were taken for each of our columns;
    several, where a file has several headings.
    """

    read: int = 0
    matched: int = 0
    matched_amount: Decimal = Decimal(0)
    known: int = 0
    debits: int = 0
    problems: Counter[BankProblem] = field(default_factory=Counter)
    faults: Counter[RowFault] = field(default_factory=Counter)
    notes: list[Note] = field(default_factory=list)
    columns: list[dict[str, str]] = field(default_factory=list)

    @property
    def unmatched(self) -> int:
        return self.problems.total()

    @property
    def bad(self) -> int:
        return self.faults.total()

    @property
    def untold(self) -> int:
        """Return how many unmatched and bad rows `notes` leaves out."""
        return self.unmatched + self.bad - len(self.notes)

    def waiting(self) -> list[tuple[str, int]]:
        return [(str(problem.label), rows) for problem, rows in self.problems.items()]

    def faulty(self) -> list[tuple[str, int]]:
        return [(str(fault.label), rows) for fault, rows in self.faults.items()]

    def note_columns(self, titles: Mapping[str, str]) -> None:
        if dict(titles) not in self.columns and len(self.columns) < NOTED:
            self.columns.append(dict(titles))

    def columns_used(self) -> list[list[tuple[str, str]]]:
        return [[(str(COLUMN_LABELS[ours]), title) for ours, title in each.items()] for each in self.columns]

    def count_transfer(self, transfer: Transfer, problem: BankProblem | None, refusal: str) -> None:
        if problem is None:
            self.matched += 1
            self.matched_amount += transfer.amount
        else:
            self.problems[problem] += 1
            self._note(transfer.row, transfer.reference, refusal or str(problem.label))

    def count_bad(self, row: int, fault: RowFault, reference: str = "") -> None:
        self.faults[fault] += 1
        self._note(row, reference, str(fault.label))

    def _note(self, row: int, reference: str, why: str) -> None:
        if len(self.notes) < NOTED:
            self.notes.append(Note(row, reference, why))


def import_statement(
    *,
    file: File,
    source: str,
    at: datetime,
    by: str = "",
    columns: Mapping[str, str] | None = None,
    separator: str = "",
    decimal: str = "",
    dry_run: bool = False,
) -> ImportReport:
    """Record the transfers of a bank statement as payments if it is certain what they pay. The others are
    kept as unmatched, for a clerk (billing.bank.transfers). `source` is the file's name; `columns` says which
    column is which where its heading leaves that open, and goes before BANK_COLUMNS; `separator` and
    `decimal` are used where the file leaves them open (billing.bank.values.StatementLayout).

    Any file gives a report. A reference is imported once, so a file can be imported again after an
    interruption, and by two clerks at once. A dry run does everything in one transaction, which is rolled
    back; the invoices that it would pay are locked until then.
    """
    layout = StatementLayout(_names(columns or {}), separator, decimal)
    series = [Series(*each) for each in InvoiceSeries.objects.values_list("pk", "prefix", "pattern")]
    take = partial(_take, series=series, source=source, at=at, by=by)

    def import_all() -> ImportReport:
        report = ImportReport()
        seen: dict[int, int] = {}
        for row in read_statement(file, layout, today=local_date(at), told=report.note_columns):
            report.read += 1
            if isinstance(row, Transfer) and _is_another(row, seen):
                report.count_bad(row.row, RowFault.OTHER_TRANSFER, row.reference)
            else:
                take(row, report)
        return report

    report = commit_unless_dry_run(import_all, dry_run=True) if dry_run else import_all()
    logger.info(
        "bank statement %s: %d rows, %d payments totalling %s, %d already imported, "
        "%d unmatched, %d debits, %d bad",
        "dry run" if dry_run else "imported",
        report.read,
        report.matched,
        report.matched_amount,
        report.known,
        report.unmatched,
        report.debits,
        report.bad,
    )
    return report


def _is_another(row: Transfer, seen: dict[int, int]) -> bool:
    """Return whether a row of this file has the reference of an earlier one and differs from it in any cell,
    such as the time or the balance: then it is another transfer. `seen` has hashes of both, to be small."""
    cells = hash(row.cells)
    return seen.setdefault(hash(row.reference), cells) != cells


def _names(columns: Mapping[str, str]) -> dict[str, str]:
    """Return the names of columns: those given for this file, else those of the settings."""
    return {**settings.BANK_COLUMNS, **{name: title for name, title in columns.items() if title.strip()}}


def _take(
    row: Row, report: ImportReport, *, series: Iterable[Series], source: str, at: datetime, by: str
) -> None:
    match row:
        case Debit():
            report.debits += 1
        case BadRow():
            report.count_bad(row.row, row.fault)
        case Transfer():
            take = partial(take_transfer, transfer=row, series=series, source=source, at=at, by=by)
            try:
                taken = retry_lost_locks(take)
            except IntegrityError:  # another process imported it at the same time
                taken = retry_lost_locks(take)
            if taken.before is None:
                report.count_transfer(row, taken.problem, taken.refusal)
            elif taken.another:
                report.count_bad(row.row, RowFault.OTHER_TRANSFER, row.reference)
            else:
                report.known += 1
