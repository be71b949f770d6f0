"""Past the triggers that keep documents as they are (billing/guards): for tests that tamper."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from django.db import connection

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
