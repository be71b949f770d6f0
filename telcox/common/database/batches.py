"""Work on many rows in short transactions: keys a chunk at a time, shared among processes."""

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from django.db.models import Model, QuerySet
from django.db.models.functions import Mod

from telcox.common.database.keyset import pages
from telcox.common.database.retrying import retry_lost_locks
from telcox.common.errors import DomainError

logger = logging.getLogger(__name__)

Result = TypeVar("Result")
Row = TypeVar("Row", bound=Model)
# Periods that are ended, renewed or billed in one transaction: enough to be fast, and few enough to hold
# their locks only briefly.
CHUNK = 500


class Share(NamedTuple):
    """One process's share of the lines, if `of` processes share a task. `number` counts from 0."""

    number: int = 0
    of: int = 1

    def among(self, rows: QuerySet[Row], key: str = "line_id") -> QuerySet[Row]:
        if self.of == 1:
            return rows
        return rows.annotate(share=Mod(key, self.of)).filter(share=self.number)


ALL = Share()


def in_pieces(
    work: Callable[[Sequence[int]], Result], keys: Sequence[int], done: str
) -> Iterator[Result | None]:
    """Yield what `work`, a whole transaction, returns for all of these keys. If it is refused, run it for
    each key separately, so that one refused key does not keep the others from being `done`. A refused key is
    logged, and its result is None."""
    try:
        yield retry_lost_locks(partial(work, keys))
    except DomainError as refusal:
        if len(keys) > 1:
            for key in keys:
                yield from in_pieces(work, [key], done)
        else:
            logger.warning("no. %d not %s: %s", keys[0], done, refusal.reason)
            yield None


def in_chunks(
    rows: QuerySet[Any], key: str, size: int = CHUNK, *, by: str = "expiration_at"
) -> Iterator[list[int]]:
    """Yield the values of `key` of these rows, a chunk at a time, in the order of the column `by`: when each
    was due."""
    wanted = rows.values_list(*sorted({by, "pk", key}), named=True)
    for page in pages(wanted, by, size):
        yield [getattr(row, key) for row in page]
