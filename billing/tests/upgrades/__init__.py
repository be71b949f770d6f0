"""What an operator's database held at each state of the migrations from which it was upgraded (README.md)."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.apps.registry import Apps
from django.core.management import call_command
from django.db import connections, models
from django.db.migrations.executor import MigrationExecutor

from telcox.testing.databases import fresh_database

Key = Any
Values = dict[str, Any]


@dataclass(frozen=True)
class Dump:
    """What the program of one commit wrote into the database that the programs before it had left: rows, and
    columns of rows that were there."""

    commit: str
    state: Mapping[str, str]
    tables: Mapping[str, Mapping[str, list[Any]]]
    changes: Mapping[str, Mapping[str, Values]]

    def rows(self) -> Iterator[tuple[str, Values]]:
        for label, table in self.tables.items():
            for row in table["rows"]:
                yield label, dict(zip(table["columns"], row, strict=True))

    def restore(self, apps: Apps) -> None:
        """Write it by the models of its state."""
        connection = connections["default"]
        with connection.constraint_checks_disabled():
            for label, values in self.rows():
                model = apps.get_model(label)
                model._base_manager.bulk_create([model(**as_stored(model, values))])
            for label, changed in self.changes.items():
                model = apps.get_model(label)
                for key, values in changed.items():
                    found = model._base_manager.filter(pk=key)
                    assert found.update(**as_stored(model, values)) == 1, (label, key)
        connection.check_constraints()


def dumps() -> list[Dump]:
    """Return all of them, oldest first."""
    return [Dump(**json.loads(path.read_text())) for path in sorted(Path(__file__).parent.glob("*.json"))]


def upgrade(dumps: list[Dump]) -> None:
    """Take the database of this connection, which is empty, through the life that the dumps tell, and on to
    the newest migrations."""
    for dump in dumps:
        executor = MigrationExecutor(connections["default"])
        others = [leaf for leaf in executor.loader.graph.leaf_nodes() if leaf[0] not in dump.state]
        dump.restore(executor.migrate([*others, *dump.state.items()]).apps)
    call_command("migrate", verbosity=0)


def as_stored(model: type[models.Model], values: Values) -> Values:
    """Return the values of a row, by its columns, as the model's fields hold them."""
    fields = {field.attname: field for field in model._meta.concrete_fields}
    return {name: fields[name].to_python(value) for name, value in values.items()}


def key_of(model: type[models.Model], values: Values) -> Key:
    """Return the primary key in a row's values."""
    names = [field.attname for field in model._meta.pk_fields]
    return values[names[0]] if len(names) == 1 else tuple(values[name] for name in names)


@contextmanager
def database_of_its_own(folder: Path) -> Iterator[None]:
    """Let the default connection of this thread be one to a new and empty database."""
    before = connections["default"]
    with fresh_database(folder) as url:
        own = type(before)({**before.settings_dict, "NAME": urlsplit(url).path[1:]}, "default")
        connections["default"] = own
        try:
            yield
        finally:
            own.close()
            connections["default"] = before
