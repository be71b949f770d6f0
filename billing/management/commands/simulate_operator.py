import time
from argparse import ArgumentTypeError
from collections.abc import Iterable, Iterator
from datetime import date
from itertools import chain
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.simulation.days import Setup, Tally, simulate_operator
from billing.simulation.outcome import operator_digest, operator_sums
from billing.verification import find_faults
from telcox.common.errors import DomainError
from usage.verification import find_differences

MOST = 20


class Command(BaseCommand):
    help = (
        "Simulate an operator for months of sales, usage, suspensions and bills in an empty database, and "
        "verify that everything adds up. The same seed gives the same digest on every database."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--lines", type=_whole, default=1_000, help="lines at the start (1000)")
        parser.add_argument(
            "--months", type=_whole, default=24, help="months to simulate, from November 2023 (24)"
        )
        parser.add_argument("--seed", type=int, default=7, help="seed of the random choices (7)")
        parser.add_argument(
            "--steps",
            type=_whole,
            default=0,
            help="random steps a day (3; more if there are more than 1,300 lines)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        setup = Setup(options["lines"], options["months"], options["seed"], options["steps"])
        clock = _Clock()
        try:
            tally = simulate_operator(setup, tell=self._tell)
        except DomainError as refusal:
            raise CommandError(refusal.detail) from refusal
        self.stdout.write(f"{setup.months} months of {setup.lines} lines in {clock.lap()}")
        for line in _summary(tally):
            self.stdout.write(line)
        wrong = list(_first(chain(find_differences(), find_faults(), tally.bank_faults)))
        self.stdout.write(f"verified in {clock.lap()}")
        self.stdout.write(f"digest {operator_digest()} ({clock.lap()})")
        if wrong:
            raise CommandError("\n".join(["It does not add up:", *wrong]))
        self.stdout.write("Everything adds up.")

    def _tell(self, day: date, tally: Tally) -> None:
        run = tally.calendar
        self.stdout.write(
            f"{day}: {run.begun} periods started, {run.ended} lines ended, {run.invoices} invoices totalling "
            f"{run.total}, {tally.steps.total()} steps, {tally.refused.total()} refused"
        )
        self.stdout.flush()


class _Clock:
    """Measure the time since the last call: elapsed, and computed by this process."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.monotonic(), time.process_time()

    def lap(self) -> str:
        wall, cpu = self._wall, self._cpu
        self._wall, self._cpu = time.monotonic(), time.process_time()
        return f"{self._wall - wall:.1f} s, {self._cpu - cpu:.1f} s CPU"


def _summary(tally: Tally) -> Iterator[str]:
    yield f"steps: {_listed(tally.steps.items())}"
    yield f"refused: {_listed((' '.join(key), number) for key, number in tally.refused.items())}"
    yield f"usage: {_listed(tally.usage.items())}"
    yield f"rows of bank statements: {_listed(tally.rows.items())}"
    yield f"{tally.runs} daily runs; {tally.calendar.parked} quarantined bills"
    for name, value in operator_sums().items():
        yield f"{name}: {_listed(value.items()) if isinstance(value, dict) else value}"


def _listed(items: Iterable[tuple[str, Any]]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(items))


def _first(wrong: Iterator[Any]) -> Iterator[str]:
    for number, each in enumerate(wrong):
        if number == MOST:
            yield "…"
            return
        yield str(each)


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ArgumentTypeError("a whole number of at least 1")
    return int(text)
