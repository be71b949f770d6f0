"""Row locks: every `SELECT … FOR UPDATE` is made here, in one lock order for the whole system.

Two transactions that take the same locks in the same order wait for each other; in different orders they
deadlock. So a transaction takes its locks from the top of LOCK_ORDER downwards, and those on rows of one
table in the order of their keys. It leaves out what it does not need.

Some rows are locked because they are written (UPDATE, or the parent of a row that is inserted). These writes
keep the order, too, with two exceptions. Billing a period charges late usage of earlier ones, and only then
is known which invoices that concerns. Beginning a period closes the usage counter of the one before it, after
that period is locked (usage/replacing.py): counting usage locks the period, too, by its foreign key, and then
the counter. If a deadlock happens all the same, because of this or of rows that the database chose to lock,
the transaction is retried (retrying.py).
"""

from typing import Any, TypeVar

from django.db import models

Row = TypeVar("Row", bound=models.Model)

LOCK_ORDER = (
    # Each of these three is locked alone: to edit a plan, send a notice again, purge usage.
    "customers.Plan",
    "billing.Notice",
    "usage.UsageCounter",
    # A run is locked to start, stop or end it. Billing a chunk does not lock the run, because all workers
    # would wait for it.
    "billing.BillingRun",
    "billing.BillingChunk",
    # A bank's transfer, then the invoices or the wallet that it may be for.
    "billing.BankTransfer",
    # An invoice, with the invoices of earlier periods whose late usage it charges.
    "billing.Invoice",
    # Every step of a line (sale, change, suspension, renewal) locks the line.
    "customers.Line",
    "customers.Subscription",
    "billing.ParkedBill",
    # Wallets are locked last but one: periods of many lines may pay from their wallets in one transaction.
    "billing.Wallet",
    # All issuing waits for the series, so its holder must not wait for any other lock.
    "billing.InvoiceSeries",
)


def lock_row(model: type[Row], pk: Any) -> Row:
    """Return the row as it is now, locked until the transaction ends. Raise DoesNotExist if it is gone."""
    return _locking(model._default_manager.filter(pk=pk)).get()


def lock_rows(rows: models.QuerySet[Row], *, skip_locked: bool = False) -> list[Row]:
    """Return these rows as they are now, locked until the transaction ends, in the order of their keys. With
    `skip_locked`, leave out rows that another transaction has locked.

    Read rows of other tables after this call: a statement that waited for a lock still sees those as they
    were when it began. The rows of joined tables are locked as well.
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
