"""Databases for tests that start real processes, which cannot use the database of the test run: each test
has its own."""

import json
import os
import re
import secrets
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, unquote, urlsplit

from django.conf import settings
from django.db import connection

from telcox.common.database.bulk import placeholders
from telcox.testing.processes import ROOT


@contextmanager
def fresh_database(folder: Path) -> Iterator[str]:
    """Create an empty database, an SQLite file or on MariaDB as the suite's own, and yield its DATABASE_URL.
    On MariaDB it is dropped afterwards."""
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


class Dump:
    """Tables, rows and triggers of a database. Making another database from them takes a second, migrating
    one takes ten on MariaDB."""

    def __init__(self, file: bytes = b"", statements: tuple[tuple[str, Any], ...] = ()) -> None:
        self._file, self._statements = file, statements

    @classmethod
    def of_test_database(cls) -> Self:
        if connection.vendor == "sqlite":
            connection.ensure_connection()
            return cls(file=connection.connection.serialize())
        with connection.cursor() as cursor:
            return cls(statements=tuple(_statements(cursor)))

    @classmethod
    def of(cls, url: str) -> Self:
        if url.startswith("sqlite"):
            with closing(sqlite3.connect(_path(url))) as database:
                return cls(file=database.serialize())
        with connected(url) as server, server.cursor() as cursor:
            return cls(statements=tuple(_statements(cursor)))

    def write(self, url: str) -> None:
        """Fill the empty database of this URL with the tables, rows and triggers."""
        if self._file:
            _path(url).write_bytes(self._file)
            return
        with connected(url) as server, server.cursor() as cursor:
            cursor.execute("SET foreign_key_checks = 0")
            for statement, values in self._statements:
                cursor.execute(statement, values)
            server.commit()


def _path(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def _statements(cursor: Any) -> Iterator[tuple[str, Any]]:
    """Yield the statements, with their values, that make a copy of the cursor's MariaDB database."""

    def read(sql: str) -> list[tuple[Any, ...]]:
        cursor.execute(sql)
        return list(cursor.fetchall())

    tables = [name for (name, kind) in read("SHOW FULL TABLES") if kind == "BASE TABLE"]
    for table in tables:
        yield re.sub(r" AUTO_INCREMENT=\d+", "", read(f"SHOW CREATE TABLE {table}")[0][1]), None
        if rows := read(f"SELECT * FROM {table}"):
            marks = ", ".join([placeholders(len(rows[0]))] * len(rows))
            yield f"INSERT INTO {table} VALUES {marks}", [value for row in rows for value in row]
    for trigger in read("SHOW TRIGGERS"):
        yield re.sub(r"^CREATE DEFINER=\S+", "CREATE", read(f"SHOW CREATE TRIGGER {trigger[0]}")[0][2]), None


# By the kind of database ("sqlite", "mysql") and how it was filled ("migrate", "demo").
_dumps: dict[tuple[str, str], Dump] = {}


def remember_migrated() -> None:
    """Dump the test database, which has just been migrated."""
    _dumps[connection.vendor, "migrate"] = Dump.of_test_database()


def _fill(url: str, name: str, make: Callable[[], object]) -> None:
    """Fill an empty database as `make` does. `make` is called once a worker; later databases are copies."""
    key = "sqlite" if url.startswith("sqlite") else "mysql", name
    if key in _dumps:
        _dumps[key].write(url)
    else:
        make()
        _dumps[key] = Dump.of(url)


def migrate(env: Mapping[str, str]) -> None:
    """Migrate the empty database of DATABASE_URL."""
    _fill(env["DATABASE_URL"], "migrate", lambda: manage(env, "migrate", "--verbosity=0"))


def fill_demo(env: Mapping[str, str]) -> None:
    """Migrate the empty database of DATABASE_URL and add demo data."""

    def make() -> None:
        migrate(env)
        manage(env, "demo")

    _fill(env["DATABASE_URL"], "demo", make)


_SHELL = """
import contextlib, io, json, sys, traceback
for line in sys.stdin:
    out, failure = io.StringIO(), ""
    try:
        with contextlib.redirect_stdout(out):
            exec(json.loads(line), {})
    except Exception:
        failure = traceback.format_exc()
    print(json.dumps([out.getvalue(), failure]), flush=True)
"""


class Shell:
    """A `manage.py shell` that starts with the first code to run, and runs all later code, too."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = {**os.environ, **env}
        self._process: subprocess.Popen[str] | None = None

    def run(self, code: str) -> str:
        """Return what the code printed. Raise AssertionError with its traceback if it failed."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "shell", "--verbosity=0", "-c", _SHELL],
                cwd=ROOT,
                env=self._env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(code) + "\n")
        self._process.stdin.flush()
        printed, failure = json.loads(self._process.stdout.readline())
        assert not failure, failure
        return str(printed)

    def close(self) -> None:
        if self._process:
            self._process.communicate()


def manage(env: Mapping[str, str], *arguments: str) -> str:
    """Run `manage.py` with `env` added to this environment, and return what it printed. Raise AssertionError
    if it fails."""
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


def manage_and_kill(env: Mapping[str, str], *arguments: str, when: Callable[[], object]) -> bool:
    """Run `manage.py` and `kill -9` it as soon as `when` is true. Return whether it was still running."""
    run = subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, **env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while run.poll() is None and not when():
        time.sleep(0.01)
    running = run.poll() is None
    run.kill()
    run.wait()
    return running


@contextmanager
def connected(database_url: str) -> Iterator[Any]:
    """Connect to a MariaDB database without Django."""
    import MySQLdb  # type: ignore[import-untyped]  # not installed for `make run`

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
