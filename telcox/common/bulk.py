"""Statements over many rows: built from numbers, marks and plain text only, so that whatever else came from
outside is a parameter."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from functools import cache
from typing import TypeVar

Item = TypeVar("Item")

# Keys of one statement: MariaDB turns an IN of a thousand and more into a subquery, which is slower.
KEYS_AT_ONCE = 999
# Rows of one statement.
ROWS_AT_ONCE = 2_000


def chunks(items: Sequence[Item], size: int = KEYS_AT_ONCE) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


@cache
def marks(count: int) -> str:
    """`(%s, %s, %s)`, to stand after IN."""
    return f"({', '.join(['%s'] * count)})"


_PLAIN = re.compile(r"[A-Za-z0-9_.:/-]*")


def is_plain(texts: Iterable[str]) -> bool:
    """Whether these can stand between quotes in a statement of any database as they are: there is nothing in
    them that could end, or escape, anything."""
    return _PLAIN.fullmatch("".join(texts)) is not None


def plain_literals(texts: Sequence[str]) -> str:
    """`'0969786985','0923456789'`. Raises ValueError for any text that is not plain."""
    if not is_plain(texts):
        raise ValueError("text that must be a parameter")
    return "'" + "','".join(texts) + "'"


def moment_literal(moment: datetime) -> str:
    """A moment as every database's column takes it, in UTC: digits and separators only, in quotes."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return f"'{str(moment)[:-6]}'"  # without its +00:00


def date_literal(day: date) -> str:
    return f"'{day}'"
