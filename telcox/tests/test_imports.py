"""Imports point one way (CONTRIBUTING.md): between the apps, and between the rooms of one app."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Lower ones know nothing of higher ones. telcox itself composes and may know everybody.
LAYERS = ["telcox.common", "customers", "usage", "billing", "telcox"]

# Within an app: models and pure modules know nobody, services know them, and the doors know all.
ROOMS = {
    "models": 0,
    "snapshot": 0,
    "rating": 0,
    "ratable": 0,
    "late": 0,
    "sealing": 0,
    "allowances": 0,
    "cycles": 0,
    "catalogue": 1,
    "lifecycle": 1,
    "ingestion": 1,
    "periods": 1,
    "bills": 1,
    "services": 2,
    "sales": 2,
    "wallets": 2,
    "collecting": 2,
    "documents": 2,
    "explaining": 2,
    "closing": 2,
    "runs": 2,
    "paying": 2,
    "crediting": 2,
    "bank": 2,
    "exports": 2,
    "printing": 2,
    "notices": 2,
    "overdue": 2,
    "guards": 1,
    "daily": 2,
    "purging": 2,
    "simulation": 2,
    "verification": 2,
}
DOORS = 3

# What says on one screen who is told of new usage: the service calls it, and it imports pure modules only.
SHARED_WITH_SERVICES = {"usage.broadcast"}

TESTING = ("telcox.testing", "conftest")


def modules() -> dict[str, Path]:
    """Our modules by dotted name, without tests and migrations."""
    found = {}
    for app in ("telcox", "customers", "usage", "billing"):
        for path in (ROOT / app).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if "tests" not in parts and "migrations" not in parts:
                found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from usage.live import broadcast` names a module, `from usage.models import Category` does not.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layer(name: str) -> int | None:
    for index, prefix in enumerate(LAYERS):
        if name == prefix or name.startswith(f"{prefix}."):
            return index
    return None


def room(name: str) -> int:
    return ROOMS.get(name.split(".")[1] if "." in name else "", DOORS)


def is_own(name: str, app: str) -> bool:
    return name == app or name.startswith(f"{app}.")


MODULES = {name: path for name, path in modules().items() if not name.startswith(TESTING)}


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_imports_only_from_its_own_layer_and_lower_ones(name: str) -> None:
    own = layer(name)
    assert own is not None
    too_high = [other for other in imported(MODULES[name]) if (layer(other) or 0) > own]
    assert not too_high


@pytest.mark.parametrize("name", sorted(name for name in MODULES if not name.startswith("telcox")))
def test_within_an_app_doors_know_services_and_services_know_models(name: str) -> None:
    app = name.split(".")[0]
    too_high = [
        other
        for other in imported(MODULES[name])
        if is_own(other, app) and room(other) > room(name) and other not in SHARED_WITH_SERVICES
    ]
    assert not too_high


@pytest.mark.parametrize("name", ["usage.snapshot", "billing.rating", "usage.simulation.traffic"])
def test_pure_modules_know_no_database_no_clock_and_no_settings(name: str) -> None:
    assert not [other for other in imported(MODULES[name]) if other.startswith("django")]


def test_production_code_does_not_import_what_is_for_tests() -> None:
    assert not {
        name: path for name, path in MODULES.items() if any(i.startswith(TESTING) for i in imported(path))
    }


def test_the_checks_above_see_modules() -> None:
    assert {"usage.services", "billing.models", "telcox.common.phone", "telcox.asgi"} <= set(MODULES)
    assert "customers.models.Subscription" in set(imported(MODULES["usage.services"]))
