"""Prepared queries: written with the ORM, compiled once and run many times.

Building and compiling a QuerySet takes more processor time than everything else in a short request together,
and gives the same SQL each time. Use this module for the few queries that most requests consist of, and for
those that every sale, renewal or bill makes.
"""

import inspect
from collections.abc import Callable, Mapping, Set
from datetime import datetime
from typing import Any, NamedTuple

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import QuerySet, Value

from telcox.common.database.bulk import placeholders

Row = dict[str, Any]


class _Placeholder(NamedTuple):
    """Placeholder among the compiled query's parameters for a value that is given at each call."""

    name: str


class _Statement(NamedTuple):
    """SQL of a query, split at its parameters."""

    parts: tuple[str, ...]
    parameters: tuple[Any, ...]
    names: tuple[str, ...]
    converters: list[tuple[int, Any, Any]]

    def with_values(self, values: Mapping[str, Any]) -> tuple[str, list[Any]]:
        sql = [self.parts[0]]
        parameters: list[Any] = []
        for parameter, part in zip(self.parameters, self.parts[1:], strict=True):
            value = values[parameter.name] if type(parameter) is _Placeholder else parameter
            several = type(value) is list
            sql += [placeholders(len(value)) if several else "%s", part]
            parameters += value if several else [value]
        return "".join(sql), parameters


class PreparedQuery:
    """Query that returns the rows of the `values()` QuerySet which `build` makes from its keyword parameters.

    `build` is called with placeholders instead of values, so it may filter by them and must not read them.
    Values are always sent as parameters: text, integers or moments, of the type of the column they are
    compared with. For `__in`, give a collection; an empty one returns no rows, without a query.

    The SQL belongs to a connection, like a prepared statement, and a connection to one thread. So nothing is
    shared between threads, and no lock is needed.
    """

    def __init__(self, build: Callable[..., "QuerySet[Any, Any]"]) -> None:
        self._build = build
        self._names = frozenset(inspect.signature(build).parameters)

    def __call__(self, **values: Any) -> list[Row]:
        if values.keys() != self._names:
            raise TypeError(f"expected {sorted(self._names)}, got {sorted(values)}")
        connection = connections[DEFAULT_DB_ALIAS]
        adapted = {name: _adapted(name, value, connection) for name, value in values.items()}
        if [] in adapted.values():
            return []
        statement = self._statement(connection)
        with connection.cursor() as cursor:
            cursor.execute(*statement.with_values(adapted))
            rows = [list(row) for row in cursor.fetchall()]
        for position, converter, expression in statement.converters:
            for row in rows:
                row[position] = converter(row[position], expression, connection)
        return [dict(zip(statement.names, row, strict=True)) for row in rows]

    def first(self, **values: Any) -> Row | None:
        """Return the first row. The QuerySet itself has `[:1]` if there may be more."""
        return next(iter(self(**values)), None)

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
            tuple(sql.split("%s")),
            tuple(parameters),
            tuple(query.selected or (*query.values_select, *query.annotation_select)),
            [(at, one, expression) for at, (found, expression) in converters.items() for one in found],
        )


def _adapted(name: str, value: Any, connection: BaseDatabaseWrapper) -> Any:
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    several = isinstance(value, list | tuple | Set)
    each = list(value) if several else [value]
    if not all(isinstance(one, str | int) for one in each):
        raise TypeError(f"{name} must be text, integers or a moment")
    return each if several else value
