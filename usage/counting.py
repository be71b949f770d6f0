"""Writing an event down, and adding it to a counter: one statement each.

SQL by hand. For the counter, because the ORM's upsert can only overwrite a column with the new value, and
reading before writing is either a race or, on a row that does not exist yet, a deadlock (two inserts that
each wait for the other's lock). For the event, because compiling its insert costs the ORM as much processor
time as all the rest of recording it.
"""

from functools import cache
from typing import Any

from django.db import connection

from usage.models import COUNTER_FIELDS, DATA_FIELDS, UsageCounter, UsageEvent

_COLUMNS = [*COUNTER_FIELDS.values(), "version"]
_STATE = [*DATA_FIELDS, "version"]
_EVENT_FIELDS = [field for field in UsageEvent._meta.concrete_fields if not field.primary_key]


def _insert(table: str, columns: list[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})"  # noqa: S608


@cache
def _event_statement() -> str:
    return _insert(UsageEvent._meta.db_table, [field.column for field in _EVENT_FIELDS])


def insert_event(event: UsageEvent) -> None:
    """Raises IntegrityError if the event's key is taken."""
    values = [field.get_db_prep_save(getattr(event, field.attname), connection) for field in _EVENT_FIELDS]
    with connection.cursor() as cursor:
        cursor.execute(_event_statement(), values)


@cache
def _counter_statement(vendor: str, answers: bool) -> str:
    """The upsert; `answers` if the database can return what the row is afterwards."""
    table = UsageCounter._meta.db_table
    insert = _insert(table, ["subscription_id", *_COLUMNS])
    returning = f" RETURNING {', '.join(_STATE)}" if answers else ""
    if vendor == "mysql":
        # VALUES() is the one form that MariaDB and MySQL share.
        added = ", ".join(f"{column} = {column} + VALUES({column})" for column in _COLUMNS)
        return f"{insert} ON DUPLICATE KEY UPDATE {added}{returning}"
    added = ", ".join(f"{column} = {table}.{column} + excluded.{column}" for column in _COLUMNS)
    return f"{insert} ON CONFLICT (subscription_id) DO UPDATE SET {added}{returning}"


def add_usage(subscription_id: int, field: str, quantity: int) -> dict[str, Any]:
    """Adds `quantity` to one of the subscription's counters, making the row if need be; returns the data
    counters and `version` as they are then.

    The row stays locked until the transaction ends, so what is returned is this change and no later one.
    Raises IntegrityError if the counter would pass COUNTER_MAX.
    """
    # MariaDB and SQLite can; MySQL is asked once more.
    answers = connection.features.can_return_columns_from_insert
    amounts = [quantity if column == field else 0 for column in _COLUMNS[:-1]]
    with connection.cursor() as cursor:
        cursor.execute(_counter_statement(connection.vendor, answers), [subscription_id, *amounts, 1])
        if answers:
            return dict(zip(_STATE, cursor.fetchone(), strict=True))
    return UsageCounter.objects.values(*_STATE).get(pk=subscription_id)
