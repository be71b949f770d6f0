"""Speed of Python and of the database on this machine without TelcoX: the upper limit of the other figures.

The clients of the database are processes of their own, so that one Python process is not the limit. Commits
are durable, as in production.
"""

import json
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import MySQLdb  # type: ignore[import-untyped]

from benchmarks.processes import SPAWN

ROWS = 1_000
ROWS_AT_ONCE = 1_000
# The columns, keys and checks of the events table, without its foreign keys.
_EVENTS = "CREATE TABLE benchmark_event LIKE usage_usageevent"
_COUNTERS = "CREATE TABLE benchmark_counter (id BIGINT PRIMARY KEY, used BIGINT UNSIGNED NOT NULL)"


def python_loops_per_second(seconds: float) -> float:
    """Return how often a fixed piece of work is done per second. It only serves to compare runs: machines
    differ by a factor of two, and so does one machine from hour to hour."""
    document = {"items": [{"id": i, "total": i / 7, "name": f"Cliente {i}"} for i in range(12)]}
    begin = time.perf_counter()
    done = 0
    while time.perf_counter() < begin + seconds:
        for _ in range(100):
            json.loads(json.dumps(document))
        done += 100
    return done / (time.perf_counter() - begin)


def updates_per_second(database: dict[str, Any], connections: int, seconds: float) -> float:
    """Return how many one-row updates all connections commit per second, each in its own durable transaction
    and mostly on different rows."""
    _prepare(database, "benchmark_counter", _COUNTERS)
    connection = MySQLdb.connect(**database, autocommit=True)
    connection.cursor().executemany(
        "INSERT INTO benchmark_counter VALUES (%s, %s)", [(i, 0) for i in range(ROWS)]
    )
    return _together(_update, database, connections, seconds)


def inserts_per_second(database: dict[str, Any], seconds: float) -> float:
    """Return how many usage events one connection inserts per second, 1,000 a statement. The database must be
    migrated."""
    _prepare(database, "benchmark_event", _EVENTS)
    return _together(_insert, database, 1, seconds)


def _prepare(database: dict[str, Any], table: str, statement: str) -> None:
    connection = MySQLdb.connect(**database, autocommit=True)
    connection.cursor().execute(f"DROP TABLE IF EXISTS {table}")
    connection.cursor().execute(statement)


def _together(
    work: Callable[[Any, int, int], int], database: dict[str, Any], connections: int, seconds: float
) -> float:
    """Return the work done per second by all processes together. They begin at the same moment."""
    begin = time.time() + 1 + 0.1 * connections
    with ProcessPoolExecutor(connections, mp_context=SPAWN) as pool:
        runs = [pool.submit(_repeat, work, database, number, begin, seconds) for number in range(connections)]
        return sum(run.result() for run in runs) / seconds


def _repeat(
    work: Callable[[Any, int, int], int], database: dict[str, Any], worker: int, begin: float, seconds: float
) -> int:
    cursor = MySQLdb.connect(**database, autocommit=True).cursor()
    time.sleep(max(0.0, begin - time.time()))
    done = turn = 0
    while time.time() < begin + seconds:
        done += work(cursor, worker, turn)
        turn += 1
    return done


def _update(cursor: Any, worker: int, turn: int) -> int:
    row = (worker * 61 + turn * 7) % ROWS
    return int(cursor.execute("UPDATE benchmark_counter SET used = used + 1 WHERE id = %s", [row]))


def _insert(cursor: Any, worker: int, turn: int) -> int:
    first = turn * ROWS_AT_ONCE
    now = "'2026-01-01 00:00:00.123456'"
    rows = ((number, batch_event_id(number)) for number in range(first, first + ROWS_AT_ONCE))
    values = ",".join(
        f"('benchmark','{event_id}','SOCIAL',{1 + number},{now},{now},{number * 7919 % 100_003})"
        for number, event_id in rows
    )
    columns = "source, event_id, category, quantity, occurred_at, ingested_at, subscription_id"
    return int(cursor.execute(f"INSERT INTO benchmark_event ({columns}) VALUES {values}"))  # noqa: S608 - our own


def batch_event_id(number: int) -> str:
    """Return an event_id as network elements give them: in ascending order."""
    return f"session-{number:010d}"
