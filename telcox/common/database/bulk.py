"""SQL statements over many rows, built from numbers, placeholders and plain text only. Any other text from
outside is a parameter."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, TypeVar

from django.db import connection, models

Item = TypeVar("Item")

# Keys in one statement: MariaDB turns an IN of 1,000 values or more into a subquery, which is slower.
KEYS_AT_ONCE = 999
# Rows in one statement.
ROWS_AT_ONCE = 2_000


def chunks(items: Sequence[Item], size: int = KEYS_AT_ONCE) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


@cache
def placeholders(count: int) -> str:
    """Return `(%s, %s, %s)` with `count` placeholders, for use after IN."""
    return f"({', '.join(['%s'] * count)})"


_PLAIN = re.compile(r"[A-Za-z0-9_.:/-]*")


def is_plain(texts: Iterable[str]) -> bool:
    """Return whether these texts can be put in quotes in a statement of any database: they contain nothing
    that could end or escape a literal."""
    return _PLAIN.fullmatch("".join(texts)) is not None


def plain_literals(texts: Sequence[str]) -> str:
    """Return `'0969786985','0923456789'`. Raise ValueError for a text that is not plain."""
    if not is_plain(texts):
        raise ValueError("text that must be a parameter")
    return "'" + "','".join(texts) + "'"


def moment_literal(moment: datetime) -> str:
    """Return the moment as a quoted literal in UTC, as every database's column takes it."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return f"'{str(moment)[:-6]}'"  # without its +00:00


def date_literal(day: date) -> str:
    return f"'{day}'"


Rows = TypeVar("Rows", bound=models.Model)


def bulk_insert(rows: Sequence[Rows]) -> Sequence[Rows]:
    """Insert unsaved rows of one model, and set their keys if the database returns them: MariaDB and SQLite
    do, MySQL does not.

    It does what bulk_create does, which takes five times as long to convert each value to SQL. It is for the
    few tables that get hundreds of thousands of rows, and supports the field types that those have.
    """
    for some in chunks(rows, ROWS_AT_ONCE):
        _insert(some)
    return rows


def _insert(rows: Sequence[models.Model]) -> None:
    table, columns, writers = _columns(type(rows[0]))
    parameters: list[str] = []
    values = ",".join(
        [
            "(" + ",".join([write(row.__dict__[name], parameters) for name, write in writers]) + ")"
            for row in rows
        ]
    )
    statement = f"INSERT INTO {table} ({columns}) VALUES {values}"  # noqa: S608
    returns = connection.features.can_return_rows_from_bulk_insert
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} RETURNING id" if returns else statement, parameters or None)
        if returns:
            for row, (pk,) in zip(rows, cursor.fetchall(), strict=True):
                row.pk = pk
    for row in rows:
        row._state.adding = False


_Writer = Callable[[Any, list[str]], str]


@cache
def _columns(model: type[models.Model]) -> tuple[str, str, list[tuple[str, _Writer]]]:
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    return (
        model._meta.db_table,
        ", ".join(connection.ops.quote_name(field.column) for field in fields),
        [(field.attname, _WRITERS[field.get_internal_type()]) for field in fields],
    )


def _written(literal: Callable[[Any], str]) -> _Writer:
    return lambda value, parameters: "NULL" if value is None else literal(value)


def _text(value: str | None, parameters: list[str]) -> str:
    if value is None:
        return "NULL"
    if _PLAIN.fullmatch(value):
        return f"'{value}'"
    parameters.append(value)
    return "%s"


def _json(value: Any, parameters: list[str]) -> str:
    return _text(None if value is None else json.dumps(value), parameters)


_number, _moment, _day = _written(str), _written(moment_literal), _written(date_literal)
_yes_or_no = _written(lambda value: "1" if value else "0")
_WRITERS: dict[str, _Writer] = {
    "BooleanField": _yes_or_no,
    "CharField": _text,
    "DateField": _day,
    "DateTimeField": _moment,
    "DecimalField": _number,
    "ForeignKey": _number,
    "JSONField": _json,
    "KeyField": _text,
    "OneToOneField": _number,
    "PositiveBigIntegerField": _number,
    "PositiveIntegerField": _number,
    "PositiveSmallIntegerField": _number,
}
