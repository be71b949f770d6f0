"""Keyset pagination: rows in the order of an indexed column and then of their primary key, where each page
begins after the last row of the one before. A page costs the same however many rows come before it, and rows
that are added or changed meanwhile are neither shown twice nor left out because others moved."""

from collections.abc import Iterator, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from django.db.models import Q, QuerySet

Item = TypeVar("Item")


class Place(NamedTuple):
    """Place of a row in that order: its value of the column, and its primary key."""

    value: Any
    pk: int


class Page(NamedTuple, Generic[Item]):
    """Some rows, and the place after which the next ones are; None if there are no more."""

    items: Sequence[Item]
    last: Place | None


def page_of(found: Sequence[Place], limit: int) -> Page[Place]:
    """Return the first `limit` of the places found. The caller fetches one more than `limit`, which shows
    whether there is a next page."""
    return Page(found[:limit], found[limit - 1] if len(found) > limit else None)


def is_after(by: str, place: Place) -> Q:
    """Return the condition for the rows after a place, in one query. `by` is a column, or `-column` for
    descending order. The query reads all rows with the value of the place: if many rows share a value, use
    `rows_after`."""
    column, beyond = (by[1:], "lt") if by.startswith("-") else (by, "gt")
    alike = Q(**{column: place.value, f"pk__{beyond}": place.pk})
    # The first condition is the range of the index that is read.
    return Q(**{f"{column}__{beyond}e": place.value}) & (Q(**{f"{column}__{beyond}": place.value}) | alike)


def rows_after(rows: "QuerySet[Any, Any]", by: str, place: Place | None, most: int) -> list[Any]:
    """Return the first `most` rows in the order of column `by` and the key, after a place if one is given.
    It takes at most two queries, and each reads one range of the index."""
    in_order = rows.order_by(by, "pk")
    if place is None:
        return list(in_order[:most])
    found = list(in_order.filter(**{by: place.value, "pk__gt": place.pk})[:most])
    if len(found) < most:
        found += in_order.filter(**{f"{by}__gt": place.value})[: most - len(found)]
    return found


def pages(rows: "QuerySet[Any, Any]", by: str, size: int) -> Iterator[list[Any]]:
    """Yield all rows, `size` at a time, so that memory does not grow with their number. Rows that are changed
    or deleted meanwhile do not shift the others. Each row must have the attributes `by` and `pk`."""
    found = rows_after(rows, by, None, size)
    while found:
        yield found
        if len(found) < size:
            return
        found = rows_after(rows, by, Place(getattr(found[-1], by), found[-1].pk), size)
