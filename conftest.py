"""Fixtures of the whole suite. Plain builders of objects are in telcox/testing and in the apps' tests."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.db import connection, transaction
from django.db.backends.base.creation import TEST_DATABASE_PREFIX
from hypothesis import Phase
from hypothesis import settings as hypothesis_settings

from telcox.testing.builders import FIXTURES, NOW
from telcox.testing.databases import remember_migrated
from telcox.testing.rows import Contents

# How many examples a property is tested with that sets no number itself. No deadlines: machines are shared.
hypothesis_settings.register_profile("default", max_examples=100, deadline=None)
hypothesis_settings.register_profile("nightly", max_examples=10_000, deadline=None)
# For bin/mutants: quick, and the same every time.
hypothesis_settings.register_profile(
    "mutants",
    max_examples=50,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],  # that one fails is enough, the least that does is not asked for
)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# Redis's publish/subscribe ignores database numbers, so each worker's groups need names of their own.
if settings.REDIS_URL:
    layer: dict[str, Any] = settings.CHANNEL_LAYERS["default"]
    layer["CONFIG"]["prefix"] = os.environ.get("PYTEST_XDIST_WORKER", "asgi")


# Files that take longest. They run first, so that no worker is left with one of them at the end.
LONGEST = (
    "telcox/tests/test_pressure.py",
    "billing/tests/test_run_endurance.py",
    "billing/tests/test_time_properties.py",
    "usage/tests/test_endurance.py",
    "telcox/tests/test_stopping.py",
    "usage/tests/test_live_limits.py",
    "usage/tests/test_simulate_usage.py",
    "usage/tests/test_import_cdr.py",
    "billing/tests/test_purge_usage.py",
    "billing/tests/test_guards.py",
    "telcox/tests/test_background.py",
    "usage/tests/test_live_alerts.py",
    "usage/tests/test_live.py",
    "billing/tests/test_simulation.py",
    "telcox/tests/test_backoffice.py",
    "telcox/tests/test_outages.py",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip tests that need servers which are not there: `make test` starts them in its second half. Order
    files by how long they take."""
    with_mariadb = "mysql" in settings.DATABASES["default"]["ENGINE"]
    for item in items:
        mariadb, redis = item.get_closest_marker("mariadb"), item.get_closest_marker("redis")
        if item.get_closest_marker("once") and (mariadb or redis):
            raise pytest.UsageError(f"{item.nodeid} is left out of both halves of make test")
        if mariadb and not with_mariadb:
            item.add_marker(pytest.mark.skip(reason="needs MariaDB: second half of make test"))
        if redis and not settings.REDIS_URL:
            item.add_marker(pytest.mark.skip(reason="needs Redis: second half of make test"))
    files = dict.fromkeys([*LONGEST, *(_file(item) for item in items)])
    order = {file: number for number, file in enumerate(files)}
    items.sort(key=lambda item: order[_file(item)])


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[Contents | None]:
    """Create the test database as pytest-django does, and yield its contents, which are restored after each
    test whose work was committed. Yield None if there is no test database, because no test uses one."""
    if not connection.settings_dict["NAME"].startswith((TEST_DATABASE_PREFIX, "file:memorydb_")):
        yield None
        return
    with django_db_blocker.unblock():
        remember_migrated()
        contents = Contents.take(FIXTURES)
    with contents.flushed_after_commits():
        yield contents


@pytest.fixture(scope="module")
def module_db(django_db_setup: Contents, django_db_blocker: Any) -> Iterator[Contents]:
    """Keep a transaction open around the tests of a module: each test finds what a fixture of the module
    wrote in it, and its own writes are rolled back as usual. Do not use it beside tests whose work is
    committed."""
    with ExitStack() as stack:
        with django_db_blocker.unblock():
            stack.enter_context(transaction.atomic())
        yield django_db_setup
        with django_db_blocker.unblock():
            transaction.set_rollback(True)
            stack.close()


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def clock_at_now() -> Iterator[None]:
    """Set the clock to `NOW` and let it run on: for pages and commands that read the clock themselves."""
    with time_machine.travel(NOW, tick=True):
        yield


@pytest.fixture
def seeded(request: pytest.FixtureRequest, clock_at_now: None, db: Any, django_db_setup: Contents) -> None:
    """Insert the catalogue and the demo customers, lines and invoices, with the clock in their first period:
    the fixtures have fixed dates, which pages and commands compare with the clock."""
    if "committed" not in request.fixturenames:  # `committed` inserts them itself
        django_db_setup.insert_fixtures()


@pytest.fixture(autouse=True)
def printed_documents_are_kept_in_memory(settings: Any) -> None:
    in_memory = {"BACKEND": "django.core.files.storage.InMemoryStorage"}
    settings.STORAGES = {**settings.STORAGES, "documents": in_memory}


@pytest.fixture
def open_api(settings: Any) -> None:
    settings.API_OPEN = True


@pytest.fixture
def closed_api(settings: Any) -> None:
    settings.API_OPEN = False


@pytest.fixture
def committed(clock_at_now: None, transactional_db: Any, django_db_setup: Contents) -> Iterator[None]:
    """Insert what `seeded` does and commit it: for tests in which other threads must see it."""
    django_db_setup.insert_fixtures()
    yield
    connection.close()
