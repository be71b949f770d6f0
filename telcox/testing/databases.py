"""A database of its own for a test that starts real processes; the test run's own database has no place for
them."""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from django.conf import settings
from django.db import connection

from telcox.testing.processes import ROOT


@contextmanager
def fresh_database(folder: Path) -> Iterator[str]:
    """The DATABASE_URL of a new, empty database on the kind of server the suite runs on: a file, or
    MariaDB."""
    name = f"telcox_{secrets.token_hex(4)}"
    server = settings.DATABASES["default"]
    if server["ENGINE"].endswith("sqlite3"):
        yield f"sqlite:///{folder / name}.sqlite3"
        return
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    try:
        password = quote(server["PASSWORD"], safe="")
        yield f"mysql://{server['USER']}:{password}@{server['HOST']}:{server['PORT']}/{name}"
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name}")


def manage(env: Mapping[str, str], *arguments: str) -> str:
    """What `manage.py` printed, run with these settings on top of ours."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def manage_and_kill(env: Mapping[str, str], *arguments: str, after: float) -> bool:
    """`kill -9` of `manage.py` so many seconds after it was started; whether it was still running then."""
    run = subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, **env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(after)
    running = run.poll() is None
    run.kill()
    run.wait()
    return running


@contextmanager
def connected(database_url: str) -> Iterator[Any]:
    """A connection to a MariaDB of a test's own, without anything of ours in between."""
    import MySQLdb  # type: ignore[import-untyped]  # what `make run` can do without

    address = urlsplit(database_url)
    connection = MySQLdb.connect(
        host=address.hostname,
        port=address.port,
        user=address.username,
        password=unquote(address.password or ""),
        database=address.path[1:],
        connect_timeout=10,
    )
    with closing(connection):
        yield connection


def rows(database_url: str, sql: str, *values: object) -> list[tuple[Any, ...]]:
    with connected(database_url) as connection, connection.cursor() as cursor:
        cursor.execute(sql, values or None)
        return list(cursor.fetchall())
