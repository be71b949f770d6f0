"""Switching off the triggers that keep documents unchanged (billing/guards), for tests that tamper."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from django.db import connection

from billing.guards import create_guards, drop_guards
from telcox.common.database.frozen import FrozenQuerySet


@contextmanager
def tampering() -> Iterator[None]:
    """Switch off all guards meanwhile: the triggers of the database and FrozenQuerySet. On MariaDB this
    commits the transaction, so use it only in a test whose work is committed."""
    assert connection.vendor == "sqlite" or not connection.in_atomic_block
    drop_guards(connection)
    try:
        with patch.object(FrozenQuerySet, "frozen", FrozenQuerySet.none):
            yield
    finally:
        create_guards(connection)
