"""The floor plan: which package may import which (docs/architecture.md).

Every package of an app, and every module that lies beside them, stands on a floor. It may import itself and
what stands on lower floors, and nothing else: no exceptions, and nothing from its own floor.
"""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
APPS = ("telcox", "customers", "usage", "billing")

# From the ground up. A name stands for the module, or for the package and all that is in it.
FLOORS = [
    # What knows no app: each of these is about one thing.
    "telcox.common.characters",
    "telcox.common.calendar telcox.common.errors telcox.common.fields telcox.common.garbage_collector"
    " telcox.common.heartbeat telcox.common.http_exchange telcox.common.identity telcox.common.logs"
    " telcox.common.mysql telcox.common.phone telcox.common.storage telcox.common.verify_command"
    " telcox.common.typed_numbers",
    "telcox.common.background telcox.common.money telcox.common.database",
    "telcox.common.web telcox.common.office",
    "telcox.common.sockets",
    # Customers, their lines and plans.
    "customers.cycles customers.bss customers.sms",
    "customers.models",
    "customers.catalogue customers.identities customers.lifecycle",
    "customers.services",
    "customers.api customers.admin customers.management customers.apps",
    # Usage, from the network to the screen.
    "usage.vocabulary usage.snapshot usage.broadcast",
    "usage.models",
    "usage.periods",
    "usage.reading usage.ingestion",
    "usage.services usage.purging usage.replacing usage.verification usage.simulation usage.live",
    "usage.api usage.admin usage.management usage.apps",
    # Billing, by offices: an office knows those it builds on.
    "billing.models",
    "billing.guards billing.exports billing.overdue billing.invoicing.steps",
    "billing.rating billing.wallets",
    "billing.bss billing.printing billing.sales",
    "billing.invoicing",
    "billing.settling billing.notices billing.runs",
    "billing.bank billing.verification billing.daily",
    "billing.tasks billing.checks billing.simulation",
    "billing.api billing.admin billing.management billing.apps",
    # The composition.
    "telcox.backoffice telcox.formats telcox.beat telcox.celery",
    "telcox.apps",
    "telcox.settings telcox.urls telcox.asgi telcox.wsgi",
]
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names.split()}

# Values in, values out: no database, no clock, no settings, in these and in all that they import.
PURE = [
    "billing.rating",
    "billing.rating.allowances",
    "billing.rating.late_charges",
    "billing.rating.remaining",
    "billing.rating.rules",
    "billing.rating.values",
    "customers.cycles",
    "usage.ingestion.alerts",
    "usage.ingestion.reports",
    "usage.ingestion.values",
    "usage.simulation.traffic",
    "usage.snapshot",
    "usage.vocabulary",
]
# What pure modules may take from outside the standard library. The calendar converts to local time.
HARMLESS = (
    "msgspec",
    "django.db.models.TextChoices",
    "django.utils.timezone",
    "django.utils.translation",
)
IMPURE_STANDARD_LIBRARY = {"time", "secrets", "socket", "os", "subprocess"}
CLOCKS = {"now", "utcnow", "today", "time", "time_ns", "monotonic"}

# What Django or an operator names. Everything else of billing has an office.
HALL = {"__init__", "apps", "bss", "checks", "daily", "tasks"}
LONGEST_FILE = 400


def _modules() -> dict[str, Path]:
    """Our modules by dotted name, without tests, what is for tests, and migrations."""
    found = {}
    for path in chain.from_iterable((ROOT / app).rglob("*.py") for app in APPS):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if not {"tests", "testing", "migrations"}.intersection(parts):
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


MODULES = _modules()


def imported(name: str) -> Iterator[str]:
    """The modules a module imports, wherever in it; of others' modules with the name that is taken."""
    for node in ast.walk(ast.parse(MODULES[name].read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            assert node.module
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                # `from usage.live import hub` names a module, `from usage.models import UsageDay` does not.
                yield node.module if node.module in MODULES and full not in MODULES else full


def own(name: str) -> bool:
    return name.split(".")[0] in APPS


def place_of(name: str) -> str:
    """The name by which a module stands in the floor plan."""
    parts = name.split(".")
    return next(place for length in range(len(parts), 0, -1) if (place := ".".join(parts[:length])) in FLOOR)


def test_every_module_has_a_place_and_every_place_a_module() -> None:
    places = set()
    for name in MODULES:
        if name not in (*APPS, "telcox.common"):  # nothing but their docstrings
            places.add(place_of(name))
    assert places == set(FLOOR)


@pytest.mark.parametrize("name", sorted(set(MODULES) - {*APPS, "telcox.common"}))
def test_a_module_imports_what_stands_below(name: str) -> None:
    place = place_of(name)
    too_high = [
        other
        for other in imported(name)
        if own(other) and place_of(other) != place and FLOOR[place_of(other)] >= FLOOR[place]
    ]
    assert not too_high


@pytest.mark.parametrize("name", [*APPS, "telcox.common"])
def test_an_app_itself_imports_nothing(name: str) -> None:
    assert not list(imported(name))


def test_no_modules_import_each_other_within_a_place() -> None:
    graph = {name: {other for other in imported(name) if other in MODULES} for name in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"these import each other: {' -> '.join(error.args[1])}")


def reached(name: str) -> set[str]:
    """The module, all that it imports, and so on; with their packages, which are imported with them."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        module = waiting.pop()
        if module in found or module not in MODULES:
            continue
        found.add(module)
        parts = module.split(".")
        waiting += [".".join(parts[:length]) for length in range(1, len(parts))]
        waiting += imported(module)
    return found


def impurities(name: str) -> list[str]:
    """What is not pure in a module's own text: imports from elsewhere, calls of clocks and of chance."""
    found = []
    for other in imported(name):
        root = other.split(".")[0]
        if own(other) or other.startswith(HARMLESS):
            continue
        if root in IMPURE_STANDARD_LIBRARY or root in ("django", "rest_framework", "channels", "celery"):
            found.append(other)
    for node in ast.walk(ast.parse(MODULES[name].read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            # A `random.Random` has its seed; the module's own functions have the machine's.
            chance = ast.unparse(node.func.value) == "random" and node.func.attr != "Random"
            if chance or node.func.attr in CLOCKS:
                found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_reach_no_database_no_clock_and_no_settings(name: str) -> None:
    assert not {module: found for module in reached(name) if (found := impurities(module))}


def test_the_check_of_purity_sees_what_is_not_pure() -> None:
    assert impurities("billing.rating.facts")
    assert "customers.models.catalogue" in reached("billing.rating.facts")
    assert any("now" in found for found in impurities("billing.runs.running"))


def test_production_code_does_not_import_what_is_for_tests() -> None:
    for_tests = ("telcox.testing", "conftest", "benchmarks")
    assert not {name for name in MODULES if any(other.startswith(for_tests) for other in imported(name))}


def test_in_billings_hall_is_only_what_django_or_an_operator_names() -> None:
    assert {path.stem for path in (ROOT / "billing").glob("*.py")} == HALL


def test_no_file_is_too_long_to_read() -> None:
    everything = chain.from_iterable((ROOT / part).rglob("*.py") for part in (*APPS, "benchmarks"))
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in everything
        if "migrations" not in path.parts
    }
    assert not {path: lines for path, lines in lengths.items() if lines > LONGEST_FILE}


def test_the_checks_above_see_modules() -> None:
    assert {"usage.services", "billing.models", "telcox.common.phone", "telcox.asgi"} <= set(MODULES)
    assert "customers.models" in set(imported("usage.periods"))
