"""What the tests of all apps begin with."""

from datetime import UTC, datetime

# What `seeded` loads.
FIXTURES = ("catalogue", "customers", "groups", "invoices")
# A moment within the first period of the fixtures' lines.
NOW = datetime(2026, 12, 1, 15, 0, tzinfo=UTC)
