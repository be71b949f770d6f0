"""Write a new dump: what a script does with this code to the database that the dumps before it make.

    python -m billing.tests.upgrades.write fill.py billing/tests/upgrades/0016_name.json

The script is run as it is; it calls services and commands. See README.md.
"""

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import django
from django.apps import apps
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connections
from django.db.migrations.loader import MigrationLoader

from billing.tests.upgrades import Key, Values, database_of_its_own, dumps, key_of, upgrade

APPS = ("customers", "usage", "billing")

Rows = dict[Key, Values]


def everything() -> dict[str, Rows]:
    """Return each row of our tables by its primary key, as JSON has it."""
    found = {}
    for model in (model for app in APPS for model in apps.get_app_config(app).get_models()):
        if not model._meta.proxy:
            columns = [field.attname for field in model._meta.concrete_fields]
            rows = json.loads(_json(list(model._base_manager.order_by("pk").values(*columns))))
            found[model._meta.label] = {key_of(model, row): row for row in rows}
    return found


def difference(before: Mapping[str, Rows], after: Mapping[str, Rows]) -> dict[str, Any]:
    """Return the rows that are new, and the columns of the others that changed.

    Raise ValueError for what a dump cannot say: rows are gone, or changed where the key has two columns.
    """
    tables, changes = {}, {}
    for label, rows in after.items():
        was = before[label]
        if gone := was.keys() - rows.keys():
            raise ValueError(f"deleted from {label}: {gone}")
        if new := [row for key, row in rows.items() if key not in was]:
            tables[label] = {"columns": list(new[0]), "rows": [list(row.values()) for row in new]}
        changed = {key: _changed(was[key], row) for key, row in rows.items() if key in was}
        if changed := {key: values for key, values in changed.items() if values}:
            if any(isinstance(key, tuple) for key in changed):
                raise ValueError(f"changed in {label}: {list(changed)}")
            changes[label] = changed
    return {"tables": tables, "changes": changes}


def _changed(before: Values, after: Values) -> Values:
    return {name: value for name, value in after.items() if before[name] != value}


def written(dump: Mapping[str, Any]) -> str:
    """Return the text of a dump: a row a line."""
    tables = ",\n".join(
        f'  {_json(label)}: {{"columns": {_json(table["columns"])}, "rows": [\n'
        + ",\n".join(f"    {_json(row)}" for row in table["rows"])
        + "]}"
        for label, table in dump["tables"].items()
    )
    changes = ",\n".join(
        f"  {_json(label)}: {{\n"
        + ",\n".join(f'    "{key}": {_json(values)}' for key, values in rows.items())
        + "}"
        for label, rows in dump["changes"].items()
    )
    head = "".join(f' "{name}": {_json(dump[name])},\n' for name in ("commit", "state"))
    return f'{{\n{head} "tables": {{\n{tables}\n }},\n "changes": {{\n{changes}\n }}\n}}\n'


def _json(value: Any) -> str:
    return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False)


def main(script: str, target: str) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "telcox.settings")
    django.setup()
    with TemporaryDirectory() as folder, database_of_its_own(Path(folder)):
        upgrade(dumps())
        before = everything()
        runpy.run_path(script, run_name="__main__")
        found = difference(before, everything())
        leaves = MigrationLoader(connections["default"]).graph.leaf_nodes()
    commit = subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], text=True).strip()
    state = {app: name for app, name in leaves if app in APPS}
    Path(target).write_text(written({"commit": commit, "state": state, **found}))


if __name__ == "__main__":
    main(*sys.argv[1:])
