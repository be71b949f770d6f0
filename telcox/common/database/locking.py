"""Row locks: every lock on a row is taken here, in one order for the whole system.

Two transactions that take the same locks in the same order wait for each other; in different orders they
deadlock. So a transaction takes its locks from the top of LOCK_ORDER downwards, and those on rows of one
table in the order of their keys. It may leave out what it does not need.

Some rows are locked by being written (UPDATE, or the parent of a row that is inserted); these writes keep the
order too. One does not: billing a period charges late usage of earlier ones, and only then is known which
invoices that concerns. Where that, or the database's own choice of rows, ends in a deadlock all the same, the
work is begun anew (retrying.py).
"""

from typing import Any, TypeVar

from django.db import models

Row = TypeVar("Row", bound=models.Model)

LOCK_ORDER = (
    # A plan is edited by itself; so is a notice sent again, and usage purged.
    "customers.Plan",
    "billing.Notice",
    "usage.UsageCounter",
    # A run is started, stopped and ended under its own lock. Whoever bills a chunk does not lock the run,
    # which all of them would wait for.
    "billing.BillingRun",
    "billing.BillingChunk",
    # A bank's transfer, then the invoices that it may be for.
    "billing.BankTransfer",
    # With an invoice those of earlier periods of which it charges late usage.
    "billing.Invoice",
    # Whatever is sold on a line, or happens to it, holds the line.
    "customers.Line",
    "customers.Subscription",
    "billing.ParkedBill",
    # Money moves last but one: many lines' periods may pay from their wallets in one transaction.
    "billing.Wallet",
    # All issuing waits for the series, so nothing else is waited for once it is locked.
    "billing.InvoiceSeries",
)


def lock_row(model: type[Row], pk: Any) -> Row:
    """Return the row as it is now, locked until the transaction ends. Raises DoesNotExist if it is gone."""
    return _locking(model._default_manager.filter(pk=pk)).get()


def lock_rows(rows: models.QuerySet[Row], *, skip_locked: bool = False) -> list[Row]:
    """Return these rows as they are now, locked until the transaction ends, in the order of their keys;
    without those that another transaction has locked, if they are to be skipped.

    Ask for rows of other tables after this: a statement that waited for a lock still sees those as they were
    when it began. The rows of joined tables are locked as well.
    """
    return list(_locking(rows, skip_locked))


def lock_keys(rows: models.QuerySet[Row]) -> list[int]:
    """Lock these rows as `lock_rows` does, and return their keys only."""
    return list(_locking(rows).values_list("pk", flat=True))


def _locking(rows: models.QuerySet[Row], skip_locked: bool = False) -> models.QuerySet[Row]:
    place_of(rows.model)
    return rows.select_for_update(skip_locked=skip_locked).order_by("pk")


def place_of(model: type[models.Model]) -> int:
    """Return the model's place in LOCK_ORDER. Raises LookupError if it has none yet."""
    if model._meta.label not in LOCK_ORDER:
        raise LookupError(f"{model._meta.label} is to be locked, and has no place in LOCK_ORDER")
    return LOCK_ORDER.index(model._meta.label)
