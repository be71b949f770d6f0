"""Upkeep of the guards: `migrate` creates them, `check --database default` warns if some are missing.

They are dropped while migrations of this app run: these change frozen rows on purpose, and SQLite alters a
table by creating it anew, which fails if triggers refer to it.
"""

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from django.apps import AppConfig
from django.apps import apps as present_apps
from django.apps.registry import Apps
from django.core.checks import CheckMessage, Warning
from django.db import DatabaseError, connections
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor

from billing.guards.triggers import GUARDS, create_guards, drop_guards, missing_guards

APP = "billing"
WITHOUT = (
    "Issued documents are protected from changes by services and models only, not by the database itself. "
    "`manage.py verify_invoices` finds changed documents."
)
REMEDY = (
    "Give the database user the TRIGGER privilege and, on a server with a binary log, set "
    "log_bin_trust_function_creators=1; then run `manage.py migrate` again."
)


def put_aside(
    sender: AppConfig, *, using: str, plan: Sequence[tuple[Migration, bool]] = (), **kwargs: Any
) -> None:
    """Drop the guards before migrations of this app run."""
    if any(migration.app_label == APP for migration, _backwards in plan):
        drop_guards(connections[using])


def put_back(sender: AppConfig, *, using: str, apps: Apps = present_apps, **kwargs: Any) -> None:
    """Create the guards after migrations, unless the tables were migrated back to an earlier version."""
    if not _is_present(apps):
        return
    try:
        create_guards(connections[using])
    except DatabaseError as error:
        sys.stderr.write(f"\nThe database refuses to create triggers: {error}\n{WITHOUT}\n{REMEDY}\n\n")


def _is_present(apps: Apps) -> bool:
    """Return True if the tables have exactly the columns that the guards refer to."""
    for guard in GUARDS:
        try:
            model = apps.get_model(APP, guard.model.__name__)
        except LookupError:
            return False
        if {field.column for field in model._meta.concrete_fields} != {
            field.column for field in guard.model._meta.concrete_fields
        }:
            return False
    return True


def check_guards(
    app_configs: Any, databases: Iterable[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Return a warning for each database that is migrated and lacks guards."""
    warnings: list[CheckMessage] = []
    for name in databases or ():
        if is_migrated(name) and (gone := missing_guards(connections[name])):
            told = f"{len(gone)} of the triggers that guard documents are missing. {WITHOUT}"
            warnings.append(Warning(told, hint=REMEDY, id="billing.W001"))
    return warnings


def is_migrated(database: str) -> bool:
    executor = MigrationExecutor(connections[database])
    return not executor.migration_plan(executor.loader.graph.leaf_nodes(APP))
