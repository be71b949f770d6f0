"""Guards: database triggers that refuse to change or delete documents, and what was recorded for good with
them: series, history, payments, wallet entries and issuers.

They also refuse statements that bypass this application. The name of a trigger contains its table, the
statement that it refuses, and a digest of its definition, so that a trigger that is up to date is left alone.
`migrate` creates the triggers (upkeep.py).

The SQL is raw because the ORM has no triggers. It is built from the names of our own models only.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Literal, NamedTuple

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from billing.models import Invoice, InvoiceEvent, InvoiceLine, InvoiceSeries, Issuer, Payment, WalletEntry
from telcox.common.database.frozen import Frozen

Event = Literal["INSERT", "UPDATE", "DELETE"]
PREFIX = "frozen_"
ALWAYS = "1 = 1"
# MariaDB's error number for a failed constraint. Django maps it to IntegrityError, on MySQL as well.
MYSQL_ERROR = 4025


class Guard(NamedTuple):
    """Protection of one table. Rows for which `frozen` holds cannot be deleted, and only the model's MUTABLE
    columns can change in them, and `grows`, a column that may only increase. Rows for which `refused` holds
    cannot be inserted, and a row that is not frozen cannot be changed into one. Both conditions are SQL on
    the row as it is (OLD) and as it would be (NEW)."""

    model: type[Frozen]
    frozen: str = ALWAYS
    refused: str = ""
    grows: str = ""


GUARDS = (
    Guard(
        Invoice,
        frozen="OLD.status <> 'DRAFT'",
        # The series has not assigned that number.
        refused="NEW.number > (SELECT last_number FROM billing_invoiceseries WHERE id = NEW.series_id)",
    ),
    Guard(
        InvoiceLine,
        frozen="EXISTS (SELECT 1 FROM billing_invoice WHERE id = OLD.invoice_id AND status <> 'DRAFT')",
        # A draft has no line_count yet.
        refused="NEW.position > (SELECT line_count FROM billing_invoice WHERE id = NEW.invoice_id)",
    ),
    Guard(InvoiceSeries, frozen="OLD.last_number > 0", grows="last_number"),
    Guard(InvoiceEvent),
    Guard(Payment),
    Guard(WalletEntry),
    Guard(Issuer),
)


def create_guards(connection: BaseDatabaseWrapper) -> None:
    """Create the guards that are missing, and drop those of earlier versions. Raise DatabaseError if the
    server does not allow triggers."""
    there, wanted = _present(connection), _wanted(connection)
    with connection.cursor() as cursor:
        for name in wanted.keys() - there:
            cursor.execute(wanted[name])
        for name in there - wanted.keys():
            _drop(cursor, name)


def drop_guards(connection: BaseDatabaseWrapper, event: Event | None = None) -> None:
    """Drop the guards, or only those against one kind of statement, until `create_guards` is called.

    On MySQL and MariaDB this commits an open transaction.
    """
    suffix = f"_{event.lower()}_" if event else ""
    with connection.cursor() as cursor:
        for name in _present(connection):
            if suffix in name:
                _drop(cursor, name)


def missing_guards(connection: BaseDatabaseWrapper) -> set[str]:
    return _wanted(connection).keys() - _present(connection)


def _drop(cursor: Any, name: str) -> None:
    cursor.execute(f"DROP TRIGGER {name}")


def _present(connection: BaseDatabaseWrapper) -> set[str]:
    """Return the names of our triggers that exist in the database."""
    if connection.vendor == "sqlite":
        names = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    else:
        names = "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE()"
    with connection.cursor() as cursor:
        cursor.execute(names)
        return {name for (name,) in cursor.fetchall() if name.startswith(PREFIX)}


def _wanted(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """Return the CREATE TRIGGER statement of each of our triggers, by its name."""
    made = {}
    for guard in GUARDS:
        table = guard.model._meta.db_table
        for event, when, says in _refusals(guard, connection):
            text = _trigger(connection, table, event, when, f"{table}: {says}")
            name = f"{PREFIX}{table}_{event.lower()}_{sha256(text.encode()).hexdigest()[:8]}"
            made[name] = text.format(name=name)
    return made


def _refusals(guard: Guard, connection: BaseDatabaseWrapper) -> Iterator[tuple[Event, str, str]]:
    """Yield for each kind of statement the condition under which it is refused, and the error message."""
    changed = f"({guard.frozen}) AND NOT ({_same(guard, connection)})"
    if guard.refused:
        yield "INSERT", guard.refused, "no document was issued that this belongs to"
        changed = f"({changed}) OR (NOT ({guard.frozen}) AND {guard.refused})"
    yield "UPDATE", changed, "what is recorded for good is never changed"
    yield "DELETE", guard.frozen, "what is recorded for good is never deleted"


def _same(guard: Guard, connection: BaseDatabaseWrapper) -> str:
    """Return the SQL condition that an update changes none of the columns that must not change."""
    return " AND ".join(
        _equal(connection, field, ">=" if field.name == guard.grows else None)
        for field in guard.model._meta.concrete_fields
        if field.name not in guard.model.MUTABLE or field.name == guard.grows
    )


def _equal(connection: BaseDatabaseWrapper, field: models.Field[Any, Any], compare: str | None) -> str:
    column = connection.ops.quote_name(field.column)
    old, new = f"OLD.{column}", f"NEW.{column}"
    if connection.vendor == "sqlite":
        return f"{new} {compare or 'IS'} {old}"
    if isinstance(field, models.CharField | models.TextField | models.JSONField):
        # Collations treat `Jesús` and `JESUS` as equal.
        old, new = f"CAST({old} AS BINARY)", f"CAST({new} AS BINARY)"
    return f"{new} {compare or '<=>'} {old}"


def _trigger(connection: BaseDatabaseWrapper, table: str, event: Event, when: str, says: str) -> str:
    """Return the CREATE TRIGGER statement, with `{name}` in place of the trigger's name."""
    if connection.vendor == "sqlite":
        return (
            f"CREATE TRIGGER {{name}} BEFORE {event} ON {table} FOR EACH ROW WHEN {when} "
            f"BEGIN SELECT RAISE(ABORT, '{says}'); END"
        )
    return (
        f"CREATE TRIGGER {{name}} BEFORE {event} ON {table} FOR EACH ROW IF {when} THEN "
        f"SIGNAL SQLSTATE '23000' SET MYSQL_ERRNO = {MYSQL_ERROR}, MESSAGE_TEXT = '{says}'; END IF"
    )
