"""Statements over many rows: built from numbers and marks only, so that nothing but parameters carries
text.
"""

from collections.abc import Iterator, Sequence
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


def moment_literal(moment: datetime) -> str:
    """A moment as every database's column takes it, in UTC: digits and separators only, in quotes."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return f"'{str(moment)[:-6]}'"  # without its +00:00


def date_literal(day: date) -> str:
    return f"'{day}'"
