"""Large data: ten million records imported from one file, and requests measured before and after the events
table has twenty million rows."""

import time
from collections.abc import Iterator
from itertools import count
from typing import Any

from django.db import connection

from benchmarks.measure import Bench, sample
from benchmarks.report import Row, http_row

# Rows of one statement.
COPIED_AT_ONCE = 50_000
# Connections: few enough that no request waits for another, so that no queueing is measured.
CALM = 2
# How long the database may take to write its dirty pages, in seconds, and how many may remain.
RESTED_WITHIN, FEW_PAGES = 120.0, 1_000


def large_rows(bench: Bench) -> Iterator[Row]:
    scale, proxy = bench.scale, bench.stack.proxy.port
    _let_it_rest()
    before = bench.batches("large-before", proxy)
    yield http_row("POST usage/events, 1,000 a request, few events yet", "", before, counted="events")
    yield bench.imported(source="large", records=scale.large_import, aim="≤ 300 MiB, flat")
    about = f"beside {_fill(scale.large_table):,} events"
    _let_it_rest()
    after = bench.batches("large-after", proxy)
    share = after.per_second / before.per_second
    yield http_row(
        f"POST usage/events, 1,000 a request, {about}: {share:.0%} of before",
        "≥ 80 % of before",
        after,
        counted="events",
    )
    lines = sample(bench.seeded.phone_numbers)
    for name, path in (("snapshot", "usage"), ("history", "usage/history")):
        paths = [f"/api/customers/{number}/{path}" for number in lines]
        yield bench.get(
            f"GET {name}, {about}, {CALM} connections", "p99 ≤ 10 ms", proxy, paths, connections=CALM
        )


def _let_it_rest() -> None:
    """Wait until the database has written its dirty pages, so that the next measurement does not pay for
    earlier changes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@innodb_max_dirty_pages_pct")
        usual = cursor.fetchone()[0]
        cursor.execute("SET GLOBAL innodb_max_dirty_pages_pct = 0")
        try:
            until = time.monotonic() + RESTED_WITHIN
            while _changed_pages(cursor) > FEW_PAGES and time.monotonic() < until:
                time.sleep(0.5)
        finally:
            cursor.execute("SET GLOBAL innodb_max_dirty_pages_pct = %s", [usual])


def _changed_pages(cursor: Any) -> int:
    cursor.execute("SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_pages_dirty'")
    return int(cursor.fetchone()[1])


def _fill(wanted: int) -> int:
    """Copy the existing events under other keys until the table has `wanted` rows, and return its size.
    Counters are not changed: only the size of the table matters here."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*), MAX(id) FROM usage_usageevent")
        rows, newest = cursor.fetchone()
        for turn in count(1):
            for first in range(0, newest, COPIED_AT_ONCE):
                if rows >= wanted:
                    return int(rows)
                cursor.execute(
                    "INSERT INTO usage_usageevent (source, event_id, subscription_id, category, quantity,"
                    " occurred_at, ingested_at) SELECT %s, id, subscription_id, category, quantity,"
                    " occurred_at, ingested_at FROM usage_usageevent WHERE id > %s AND id <= %s",
                    [f"copy-{turn}", first, min(first + COPIED_AT_ONCE, newest)],
                )
                rows += cursor.rowcount
    raise AssertionError  # unreachable: `count` does not end
