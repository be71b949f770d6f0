"""Queries written with the ORM, compiled once and run many times.

Building and compiling a QuerySet costs more processor time than everything else in a short request together,
and gives the same SQL each time. It is for the few queries that most requests consist of.
"""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import QuerySet, Value

Row = dict[str, Any]


class _Placeholder(NamedTuple):
    """Stands among the compiled query's parameters for a value that is known at each call."""

    name: str


class _Statement(NamedTuple):
    sql: str
    parameters: tuple[Any, ...]
    names: tuple[str, ...]
    converters: list[tuple[int, Any, Any]]


class PreparedQuery:
    """The rows of the `values()` QuerySet that `build` makes of its keyword parameters.

    `build` is called with placeholders in place of values, so it may filter by them and must not look at
    them. Values go to the driver as they are and always as parameters: text or integers, of the type of the
    column they are compared with.

    As a prepared statement does, the SQL belongs to a connection, and a connection to one thread: nothing is
    shared between threads, and no lock is needed.
    """

    def __init__(self, build: Callable[..., "QuerySet[Any, Row]"]) -> None:
        self._build = build
        self._names = frozenset(inspect.signature(build).parameters)

    def __call__(self, **values: str | int) -> list[Row]:
        self._require_known(values)
        connection = connections[DEFAULT_DB_ALIAS]
        statement = self._statement(connection)
        parameters = [values[p.name] if type(p) is _Placeholder else p for p in statement.parameters]
        with connection.cursor() as cursor:
            cursor.execute(statement.sql, parameters)
            rows = [list(row) for row in cursor.fetchall()]
        for position, converter, expression in statement.converters:
            for row in rows:
                row[position] = converter(row[position], expression, connection)
        return [dict(zip(statement.names, row, strict=True)) for row in rows]

    def first(self, **values: str | int) -> Row | None:
        """The first row; the QuerySet itself says `[:1]` where there may be more."""
        return next(iter(self(**values)), None)

    def _require_known(self, values: dict[str, str | int]) -> None:
        if values.keys() != self._names:
            raise TypeError(f"expected {sorted(self._names)}, got {sorted(values)}")
        for name, value in values.items():
            if not isinstance(value, str | int):
                raise TypeError(f"{name} must be text or an integer")

    def _statement(self, connection: BaseDatabaseWrapper) -> _Statement:
        statements: dict[PreparedQuery, _Statement] = vars(connection).setdefault("prepared_queries", {})
        if self not in statements:
            statements[self] = self._compiled(connection)
        return statements[self]

    def _compiled(self, connection: BaseDatabaseWrapper) -> _Statement:
        query = self._build(**{name: Value(_Placeholder(name)) for name in self._names}).query
        compiler = query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        converters = compiler.get_converters([column[0] for column in compiler.select[: compiler.col_count]])
        return _Statement(
            sql,
            tuple(parameters),
            tuple(query.selected or ()),
            [(at, one, expression) for at, (found, expression) in converters.items() for one in found],
        )
