"""Fixtures of the whole suite. Plain builders of objects are in telcox/testing/builders.py."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from hypothesis import settings as hypothesis_settings

from telcox.testing.guards import flushed_past_guards

FIXTURES = ("catalogue", "customers", "groups", "invoices")

# How often a property is tried that does not say so itself. No deadlines: machines are shared.
hypothesis_settings.register_profile("default", max_examples=100, deadline=None)
hypothesis_settings.register_profile("nightly", max_examples=10_000, deadline=None)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# A moment within the first period of the fixtures' lines.
NOW = datetime(2026, 12, 1, 15, 0, tzinfo=UTC)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what needs servers that are not there; `make test` brings them in its second half."""
    with_mariadb = "mysql" in settings.DATABASES["default"]["ENGINE"]
    for item in items:
        if item.get_closest_marker("mariadb") and not with_mariadb:
            item.add_marker(pytest.mark.skip(reason="needs MariaDB: second half of make test"))
        if item.get_closest_marker("redis") and not settings.REDIS_URL:
            item.add_marker(pytest.mark.skip(reason="needs Redis: second half of make test"))


@pytest.fixture(scope="session", autouse=True)
def flushing() -> Iterator[None]:
    with flushed_past_guards():
        yield


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def seeded(db: Any) -> None:
    """The original's customers, lines and invoices, and the catalogue."""
    call_command("loaddata", *FIXTURES, verbosity=0)


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
def committed(transactional_db: Any) -> Iterator[None]:
    """As `seeded`, really committed: for tests in which other threads must see it. With the series that
    migrations made, and a test before this one has flushed."""
    from billing.models import InvoiceSeries

    call_command("loaddata", *FIXTURES, verbosity=0)
    for prefix in ("001-001", "001-002"):
        InvoiceSeries.objects.get_or_create(prefix=prefix)
    yield
    connection.close()
