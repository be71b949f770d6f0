"""A fault that verification finds."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from telcox.common.database.consistent_read import consistent_read

# Rows read at a time, so that memory is constant.
ROWS_AT_ONCE = 1_000


@dataclass(frozen=True)
class Fault:
    """`of` names the line, period, invoice, series or wallet; `what` says what is wrong with it."""

    of: str
    what: str

    def __str__(self) -> str:
        return f"{self.of}: {self.what}"


def faults_in_batches(
    rows: QuerySet[Any], faults: Callable[[Sequence[Any]], Iterable[Fault]]
) -> Iterator[Fault]:
    """Yield what `faults` finds in these rows: ROWS_AT_ONCE of them are read as of one moment."""
    last = 0
    while True:
        with consistent_read():
            chunk = list(rows.filter(pk__gt=last).order_by("pk")[:ROWS_AT_ONCE])
            found = list(faults(chunk)) if chunk else []
        yield from found
        if not chunk:
            return
        last = chunk[-1].pk
