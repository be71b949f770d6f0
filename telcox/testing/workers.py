"""Pytest plugin, named in pyproject.toml, that gives each worker of pytest-xdist its own database of the
Redis server in REDIS_URL. (pytest-django gives each its own database of MariaDB or SQLite.)

It changes the environment before Django's settings are read, and processes that a test starts inherit it.
"""

import os
import re

# Redis has 16 databases, unless it is configured otherwise.
REDIS_DATABASES = 16


def own_redis_url(url: str, worker: str) -> str:
    """Return the URL for a worker that pytest-xdist calls `gw0`, `gw1` …"""
    if not url or not worker:
        return url
    return re.sub(r"/\d*$", "", url) + f"/{int(worker.removeprefix('gw')) % REDIS_DATABASES}"


if "REDIS_URL" in os.environ:
    os.environ["REDIS_URL"] = own_redis_url(
        os.environ["REDIS_URL"], os.environ.get("PYTEST_XDIST_WORKER", "")
    )
