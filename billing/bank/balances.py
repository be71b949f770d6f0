"""What the balance beside the amounts tells: whether some of the money went. No database, no clock, no
settings."""

from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise

from billing.bank.amounts import read_amount
from billing.bank.values import Unreadable


def money_went(rows: Iterable[tuple[str, str]], decimal: str) -> bool:
    """Return whether the balance falls by the amount of a row, of rows with an amount and the balance after
    it. The oldest row may be the first or the last; where either is possible, no row is said to have gone."""
    read = [_read(amount, balance, decimal) for amount, balance in rows]
    older_first, newer_first = [0, 0], [0, 0]
    for before, after in pairwise(read):
        if before is None or after is None:
            continue
        for counted, step, amount in (
            (older_first, after[1] - before[1], after[0]),
            (newer_first, before[1] - after[1], before[0]),
        ):
            if abs(step) == amount > 0:
                counted[step < 0] += 1
    _rose, fell = max(older_first, newer_first, key=sum)
    if sum(older_first) == sum(newer_first) and 0 in (older_first[1], newer_first[1]):
        return False
    return fell > 0


def _read(amount: str, balance: str, decimal: str) -> tuple[Decimal, Decimal] | None:
    try:
        return read_amount(amount, decimal).value, read_amount(balance, decimal).value
    except Unreadable:
        return None
