"""Share a command's work among processes: while one process computes, the database works for another."""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from queue import Empty
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import connection, connections, reset_queries

from billing.management.arguments import at_least_one
from telcox.common.database.batches import Share

_forked = multiprocessing.get_context("fork")


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument(
        "--workers",
        type=at_least_one,
        help="number of processes that share the lines (the number of cores; on SQLite always one)",
    )


def worker_count(wanted: int | None) -> int:
    """Return the number of processes. It is 1 on SQLite, which has one writer at a time, and inside a
    transaction, which other processes cannot see."""
    alone = connection.vendor != "mysql" or connection.in_atomic_block
    return 1 if alone else wanted or os.cpu_count() or 1


def run_shared(work: Callable[[Share], Iterator[Any]], workers: int) -> Iterator[Any]:
    """Do the work for each share of the lines, and yield the results as they come. Raise CommandError if a
    process failed; what the others did stays done."""
    if workers == 1:
        yield from _step_by_step(work, Share())
        return
    connections.close_all()  # each process opens its own
    results: Any = _forked.Queue()
    processes = [
        _forked.Process(target=_work, args=(work, Share(at, workers), results), daemon=True)
        for at in range(workers)
    ]
    for process in processes:
        process.start()
    # A process that is killed sends no last result, so they are asked whether they are alive.
    while any(process.is_alive() for process in processes) or not results.empty():
        with suppress(Empty):
            yield results.get(timeout=0.2)
    if any(process.exitcode for process in processes):
        raise CommandError("A worker failed: its error is above. Run the command again to do the rest")


def wait_for_processes() -> None:
    """Wait until the processes of an interrupted `run_shared` have ended."""
    for process in multiprocessing.active_children():
        process.join()


def _work(work: Callable[[Share], Iterator[Any]], share: Share, results: Any) -> None:
    parent = os.getppid()
    for result in _step_by_step(work, share):
        if os.getppid() != parent:  # the parent was killed, so results go nowhere
            return
        results.put(result)


def _step_by_step(work: Callable[[Share], Iterator[Any]], share: Share) -> Iterator[Any]:
    for result in work(share):
        reset_queries()  # in development Django keeps the statements, and these are long
        yield result
