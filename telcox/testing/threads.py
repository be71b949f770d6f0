"""Running work in many threads at once, each with a database connection of its own."""

from collections.abc import Callable, Sequence
from threading import Thread
from typing import TypeVar

from django.db import connection

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(work: Callable[[Item], Result], items: Sequence[Item], *, threads: int) -> list[Result]:
    """Distribute `items` among `threads` threads, and return what `work` returned for each item. Raise the
    first exception of any thread."""
    results: dict[int, Result] = {}
    failures: list[Exception] = []

    def run(first: int) -> None:
        try:
            for index in range(first, len(items), threads):
                results[index] = work(items[index])
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    running = [Thread(target=run, args=(first,)) for first in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    if failures:
        raise failures[0]
    return [results[index] for index in range(len(items))]
