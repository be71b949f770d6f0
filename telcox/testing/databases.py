"""A database of its own for a test that starts real processes; the test run's own database has no place for
them."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

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
