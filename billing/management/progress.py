"""Progress bars of long commands."""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Self

from tqdm import tqdm


class Bars:
    """One bar for each kind of work, on a terminal; elsewhere nothing is printed."""

    def __init__(self, totals: Mapping[str, int]) -> None:
        self._stack = ExitStack()
        self._totals = totals
        self._bars: dict[str, tqdm[None]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    def update(self, work: str, done: int) -> None:
        if work not in self._bars:
            bar: tqdm[Any] = tqdm(total=self._totals[work], desc=work, unit="", disable=None)
            self._bars[work] = self._stack.enter_context(bar)
        self._bars[work].update(done)
