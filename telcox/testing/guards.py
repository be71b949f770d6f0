"""Past the triggers that keep documents as they are (billing/guards): for tests that tamper, and for the
flush that ends a test whose work was committed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from django.db import connection
from django.test import TransactionTestCase

from billing.guards import create_guards, drop_guards
from telcox.common.database.frozen import FrozenQuerySet


@contextmanager
def tampering() -> Iterator[None]:
    """No guards meanwhile, neither the database's nor the ORM's. Under MariaDB only in a test whose work is
    committed: it ends the transaction."""
    assert connection.vendor == "sqlite" or not connection.in_atomic_block
    drop_guards(connection)
    try:
        with patch.object(FrozenQuerySet, "frozen", FrozenQuerySet.none):
            yield
    finally:
        create_guards(connection)


@contextmanager
def flushed_past_guards() -> Iterator[None]:
    """Django deletes what a test committed; whoever flushes is refused, as on any database with documents.
    After it, Django lets the guards be put up again (post_migrate)."""
    teardown = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]

    def without_guards(self: Any) -> None:
        drop_guards(connection, "DELETE")
        teardown(self)

    TransactionTestCase._fixture_teardown = without_guards  # type: ignore[attr-defined]
    try:
        yield
    finally:
        TransactionTestCase._fixture_teardown = teardown  # type: ignore[attr-defined]
