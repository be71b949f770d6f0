"""Fixtures and the moment that the tests of all apps share."""

from datetime import UTC, datetime

# The fixtures that `seeded` inserts.
FIXTURES = ("catalogue", "customers", "groups", "invoices")
# A moment within the first period of the fixtures' lines.
NOW = datetime(2026, 12, 1, 15, 0, tzinfo=UTC)
