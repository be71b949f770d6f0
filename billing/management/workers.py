"""A command's work, shared among processes: what one of them does in Python, the database does for the other
meanwhile."""

import multiprocessing
import os
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import connection, connections, reset_queries

from billing.sales.periods import Share

_forked = multiprocessing.get_context("fork")


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument(
        "--workers",
        type=_at_least_one,
        help="processes that share the lines (as many as there are cores; on SQLite always one)",
    )


def number(wanted: int | None) -> int:
    """SQLite has one writer at a time, and within somebody's transaction there is nobody else at all."""
    alone = connection.vendor != "mysql" or connection.in_atomic_block
    return 1 if alone else wanted or os.cpu_count() or 1


def shared(work: Callable[[Share], Iterator[Any]], workers: int) -> Iterator[Any]:
    """What the work yields for each share of the lines, as it comes. Raises CommandError if a process of it
    failed; what the others did stays done."""
    if workers == 1:
        yield from work(Share())
        return
    connections.close_all()  # each process opens its own
    results: Any = _forked.Queue()
    processes = [
        _forked.Process(target=_work, args=(work, Share(at, workers), results), daemon=True)
        for at in range(workers)
    ]
    for process in processes:
        process.start()
    for _ in processes:
        while (result := results.get()) is not None:
            yield result
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise CommandError("A worker failed: what it said is above; run again, the rest is done then")


def _work(work: Callable[[Share], Iterator[Any]], share: Share, results: Any) -> None:
    parent = os.getppid()
    try:
        for result in work(share):
            reset_queries()  # in development Django keeps the statements, and these are long
            if os.getppid() != parent:  # killed, and nobody is told any more
                return
            results.put(result)
    finally:
        results.put(None)


def _at_least_one(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not int(text):
        raise ArgumentTypeError("a whole number of at least 1")
    return int(text)
