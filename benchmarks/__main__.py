"""`make bench`: measure the system's throughput and latency on this machine, with its production processes.

It prints one table. It needs an empty MariaDB (DATABASE_URL) and a Redis (REDIS_URL), as `bin/with-servers`
starts them. The load is generated on the same machine and takes processor time from the system; the table
says how much.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Iterator

from benchmarks.measure import Bench
from benchmarks.report import Row, machine, markdown, plain
from benchmarks.scale import FULL, QUICK
from telcox.testing.stack import Stack, production_env


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="seconds long: shows that it works, measures nothing"
    )
    parser.add_argument(
        "--large", action="store_true", help="ten minutes more: ten million records, twenty million events"
    )
    parser.add_argument("--markdown", action="store_true", help="the table for docs/performance.md")
    arguments = parser.parse_args()
    database_url, redis_url = os.environ.get("DATABASE_URL", ""), os.environ.get("REDIS_URL", "")
    if not database_url.startswith("mysql") or not redis_url:
        parser.error("needs DATABASE_URL (an empty MariaDB) and REDIS_URL: see `make bench`")
    stack = Stack(production_env(database_url, redis_url))
    # This process, too, uses the stack's settings: it seeds the database.
    os.environ |= stack.env | {"DJANGO_SETTINGS_MODULE": "telcox.settings"}
    try:
        bench = Bench(stack, QUICK if arguments.quick else FULL)
        rows = list(_told(_rows(bench, large=arguments.large)))
    finally:
        stack.close()
    sys.stdout.write("\n" + (markdown if arguments.markdown else plain)(machine(), rows))
    return 1 if any(row.wrong for row in rows) else 0


def _rows(bench: Bench, *, large: bool) -> Iterator[Row]:
    yield bench.python_row("before")
    yield from bench.online_rows()
    # These import models, so they have to come after online_rows, which calls django.setup().
    from benchmarks.billing_day import billing_rows
    from benchmarks.days import day_rows
    from benchmarks.large import large_rows

    if large:
        yield from large_rows(bench)
    yield from day_rows(bench)
    yield from billing_rows(bench)
    yield bench.python_row("after")


def _told(rows: Iterable[Row]) -> Iterator[Row]:
    for row in rows:
        sys.stderr.write(f"{row.name}: {row.figure}\n")
        yield row


if __name__ == "__main__":
    sys.exit(main())
