"""Switching off the triggers that keep documents unchanged (billing/guards), for tests that tamper."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from django.db import connection

from billing.guards import create_guards, drop_guards, missing_guards
from telcox.common.database.frozen import FrozenQuerySet


@contextmanager
def tampering() -> Iterator[None]:
    """Switch off all guards meanwhile: the triggers of the database and FrozenQuerySet. On MariaDB this
    commits the transaction, so use it only in a test whose work is committed. A database that was migrated
    back has no guards, and gets none."""
    assert connection.vendor == "sqlite" or not connection.in_atomic_block
    guarded = not missing_guards(connection)
    drop_guards(connection)
    try:
        with patch.object(FrozenQuerySet, "frozen", FrozenQuerySet.none):
            yield
    finally:
        if guarded:
            create_guards(connection)
