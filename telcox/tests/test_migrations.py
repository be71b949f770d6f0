"""What landed migrations need of our own code, which changes after them."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OURS = ("telcox", "customers", "usage", "billing")

# Migrations need these, so they keep their names and their meaning.
PROMISED = {
    "telcox.common.fields",  # KeyField: a column that is compared byte by byte
    "telcox.common.calendar.local_date",  # usage 0003: the operator's day of a moment
    "billing.models.series",  # validate_pattern: read when a migration is loaded, called by none
}


def imported(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_migrations_import_only_what_keeps_its_name_and_meaning() -> None:
    migrations = [path for app in OURS for path in (ROOT / app).glob("migrations/*.py")]
    assert len(migrations) > 25
    found = {
        name for path in migrations for name in imported(path.read_text()) if name.partition(".")[0] in OURS
    }
    assert found == PROMISED
