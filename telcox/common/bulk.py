"""Statements over many rows: built from numbers and marks only, so that nothing but parameters carries
text.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from functools import cache
from typing import TypeVar

Item = TypeVar("Item")

# Rows or keys of one statement. MariaDB turns an IN of a thousand and more into a subquery, which is slower.
AT_ONCE = 900


def chunks(items: Sequence[Item], size: int = AT_ONCE) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


@cache
def marks(count: int) -> str:
    """`(%s, %s, %s)`, to stand after IN."""
    return f"({', '.join(['%s'] * count)})"


def moment_literal(moment: datetime) -> str:
    """A moment as every database's column takes it, in UTC: digits and separators only, in quotes."""
    return f"'{moment.astimezone(UTC).replace(tzinfo=None)}'"


def date_literal(day: date) -> str:
    return f"'{day}'"


def moment_from_database(value: object) -> datetime:
    """What a driver gives for a moment: naive in UTC, or on SQLite its text."""
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return moment.replace(tzinfo=UTC)
