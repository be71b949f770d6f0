"""A bank's statement, imported: its transfers become payments, each in a transaction of its own."""

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from django.conf import settings
from django.db import IntegrityError

from billing.bank.matching import Series
from billing.bank.statements import (
    BadRow,
    Debit,
    File,
    Row,
    RowFault,
    StatementLayout,
    Transfer,
    read_statement,
)
from billing.bank.transfers import take_transfer
from billing.models import BankProblem, InvoiceSeries
from telcox.common.database.dry_run import commit_unless_dry_run
from telcox.common.database.retrying import retry_lost_locks

logger = logging.getLogger(__name__)

# Rows that are named one by one; of the others, how many there were.
NOTED = 1_000


class Note(NamedTuple):
    """A row that somebody has to look at: a transfer that waits (`reference`), or a bad row."""

    row: int
    reference: str
    why: str


@dataclass
class ImportReport:
    """What became of a file's rows: read = matched + known + unmatched + debits + bad.

    `known` were imported before, whether they are payments or wait for somebody. `matched_amount` is in
    dollars. `notes` names the first NOTED rows that are unmatched or bad.
    """

    read: int = 0
    matched: int = 0
    matched_amount: Decimal = Decimal(0)
    known: int = 0
    debits: int = 0
    problems: Counter[BankProblem] = field(default_factory=Counter)
    faults: Counter[RowFault] = field(default_factory=Counter)
    notes: list[Note] = field(default_factory=list)

    @property
    def unmatched(self) -> int:
        return self.problems.total()

    @property
    def bad(self) -> int:
        return self.faults.total()

    @property
    def untold(self) -> int:
        """Of those to be looked at, how many `notes` leaves out."""
        return self.unmatched + self.bad - len(self.notes)

    def waiting(self) -> list[tuple[str, int]]:
        return [(str(problem.label), rows) for problem, rows in self.problems.items()]

    def faulty(self) -> list[tuple[str, int]]:
        return [(str(fault.label), rows) for fault, rows in self.faults.items()]

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
    separator: str = "",
    decimal: str = "",
    dry_run: bool = False,
) -> ImportReport:
    """Makes payments of a bank statement's transfers, as far as it is plain what they are for; the others are
    kept, and wait (`assign_transfer`). `source` is what the file is called; `separator` and `decimal` say
    what it does not (billing.bank.statements.StatementLayout).

    Any file gives a report. A reference is imported once, so the same file can be imported again, wherever
    the first time ended, and by two people at once. A dry run is all of it in one transaction, rolled back:
    the invoices that it would pay stay locked meanwhile.
    """
    rows = read_statement(file, StatementLayout(settings.BANK_COLUMNS, separator, decimal))
    series = [Series(*each) for each in InvoiceSeries.objects.values_list("pk", "prefix", "pattern")]
    take = partial(_take, series=series, source=source, at=at, by=by)

    def import_all() -> ImportReport:
        report = ImportReport()
        for row in rows:
            report.read += 1
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
            except IntegrityError:  # somebody else took it at the same time
                taken = retry_lost_locks(take)
            if taken.before is None:
                report.count_transfer(row, taken.problem, taken.refusal)
            elif (taken.before.amount, taken.before.paid_on) == (row.amount, row.paid_on):
                report.known += 1
            else:
                report.count_bad(row.row, RowFault.OTHER_TRANSFER, row.reference)
