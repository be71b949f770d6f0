"""A server with the demo data, for tests over sockets."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from telcox.testing.databases import fill_demo, fresh_database, manage
from telcox.testing.stack import Served, production_env


@contextmanager
def demo_server(kind: str, folder: Path, **settings: str) -> Iterator[Served]:
    """Run the `embedded` server, or production's `web`, on a database of its own below `folder`, with the API
    open and these settings."""
    with fresh_database(folder) as url:
        env = {"DATABASE_URL": url, "REDIS_URL": "", "DEBUG": "1", **settings}
        fill_demo(env)
        if kind == "web":
            env |= {**production_env(url, ""), "API_OPEN": "1", "STATIC_ROOT": str(folder / "static")}
            manage(env, "collectstatic", "--noinput", "--verbosity=0")
        with Served("live" if kind == "embedded" else "web", env) as server:
            yield server
