"""The rows of the test database: fixtures, which are loaded once a worker and inserted for each test that
uses them, and the flush after a test whose work was committed.

It uses raw SQL, because it restores rows and not objects. Table names come from this project's models.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple, Self

from django.apps import apps
from django.core.management import call_command
from django.db import connection, transaction
from django.test import TransactionTestCase

from billing.guards import create_guards, drop_guards
from billing.guards.triggers import GUARDS
from telcox.common.database.bulk import placeholders

# Filled by `migrate` and changed by no test. Not flushed, so that permissions keep their primary keys.
_LEFT_ALONE = {"django_migrations", "django_content_type", "auth_permission"}
_GUARDED = {guard.model._meta.db_table for guard in GUARDS}


class Table(NamedTuple):
    """Columns of a table, those of its primary key, and its rows by primary key."""

    columns: tuple[str, ...]
    key: tuple[str, ...]
    rows: dict[tuple[Any, ...], tuple[Any, ...]]


Tables = dict[str, Table]


class Contents:
    """Rows of the migrated database, and the changes that `loaddata` makes to them."""

    def __init__(self, migrated: Tables, loaded: Tables) -> None:
        self._migrated = migrated
        self._fixtures = list(_changes(migrated, loaded))

    @classmethod
    def take(cls, fixtures: Sequence[str]) -> Self:
        """Load the fixtures into the migrated database, read all rows, and roll back."""
        migrated = all_rows()
        with transaction.atomic():
            call_command("loaddata", *fixtures, verbosity=0)
            loaded = all_rows()
            transaction.set_rollback(True)
        return cls(migrated, loaded)

    def insert_fixtures(self) -> None:
        """Make the changes of `loaddata` in a database that is as it was migrated."""
        _execute(self._fixtures)

    def flush(self) -> None:
        """Restore the rows of the migrated database. The guards do not prevent it."""
        changed = {name for name in self._filled() if _read_table(name) != self._migrated[name]}
        with connection.constraint_checks_disabled():
            _empty(changed)
            left = {
                name: table._replace(rows={}) if name in changed else table
                for name, table in self._migrated.items()
            }
            _execute(list(_changes(left, self._migrated)))

    def _filled(self) -> set[str]:
        """Return the tables that have rows, or had some in the migrated database."""
        each = (f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {name})" for name in self._migrated)
        with connection.cursor() as cursor:
            cursor.execute(" UNION ALL ".join(each))
            filled = {name for (name,) in cursor.fetchall()}
        return filled | {name for name, table in self._migrated.items() if table.rows}

    @contextmanager
    def flushed_after_commits(self) -> Iterator[None]:
        """Let tests whose work was committed end with this flush instead of Django's. The guards refuse
        Django's; it also creates all permissions again and loses the rows that migrations wrote."""
        teardown = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]
        TransactionTestCase._fixture_teardown = lambda _: self.flush()  # type: ignore[attr-defined]
        try:
            yield
        finally:
            TransactionTestCase._fixture_teardown = teardown  # type: ignore[attr-defined]


def all_rows() -> Tables:
    """Return every table with its rows. Two results are equal if no row has changed in between."""
    return {name: _read_table(name) for name in _keys()}


@cache
def _keys() -> dict[str, tuple[str, ...]]:
    """Return the columns of each table's primary key."""
    keys = {
        model._meta.db_table: tuple(field.column for field in model._meta.pk_fields)
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy
    }
    return {name: keys[name] for name in sorted(keys.keys() - _LEFT_ALONE)}


def _read_table(name: str) -> Table:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {name}")
        columns = tuple(column[0] for column in cursor.description)
        key = _keys()[name]
        places = [columns.index(column) for column in key]
        return Table(columns, key, {tuple(row[place] for place in places): row for row in cursor.fetchall()})


def _changes(before: Tables, after: Tables) -> Iterator[tuple[str, list[Any]]]:
    """Yield the statements that turn the tables `before` into those `after`, in which no row may be
    missing."""
    for name, table in after.items():
        old = before[name].rows
        assert old.keys() <= table.rows.keys(), f"{name}: rows are missing"
        if new := [row for key, row in table.rows.items() if key not in old]:
            yield _insertion(name, table.columns, len(new)), [value for row in new for value in row]
        for key, row in table.rows.items():
            if key in old and old[key] != row:
                yield _update(name, table), [*row, *key]


def _insertion(table: str, columns: Sequence[str], count: int) -> str:
    values = ", ".join([placeholders(len(columns))] * count)
    return f"INSERT INTO {table} ({', '.join(map(_quoted, columns))}) VALUES {values}"


def _update(name: str, table: Table) -> str:
    values = ", ".join(f"{_quoted(column)} = %s" for column in table.columns)
    key = " AND ".join(f"{_quoted(column)} = %s" for column in table.key)
    return f"UPDATE {name} SET {values} WHERE {key}"


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)


def _execute(statements: Sequence[tuple[str, list[Any]]]) -> None:
    with transaction.atomic(), connection.constraint_checks_disabled(), connection.cursor() as cursor:
        for sql, values in statements:
            cursor.execute(sql, values)


def _empty(tables: Collection[str]) -> None:
    """Delete all rows of these tables. The guards do not prevent it."""
    guarded = _GUARDED.intersection(tables)
    if connection.vendor == "sqlite":
        if guarded:
            drop_guards(connection, "DELETE")
    else:
        # TRUNCATE fires no trigger. Dropping and creating triggers takes twice as long.
        for name in guarded:
            with connection.cursor() as cursor:
                cursor.execute(f"TRUNCATE {name}")
        tables = set(tables) - guarded
    with transaction.atomic(), connection.cursor() as cursor:
        for name in tables:
            cursor.execute(f"DELETE FROM {name}")
    create_guards(connection)
