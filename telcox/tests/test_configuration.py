"""Every setting is documented, is in .env.example, and reaches the containers; its default is told truly."""

import ast
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

import pytest
import yaml

from telcox.testing.image import deployment_check, is_shipped
from telcox.testing.processes import ROOT

pytestmark = pytest.mark.once

COMPOSE = (ROOT / "docker-compose.yml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE)["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}

# `${NAME}`, `${NAME:-default}`, `${NAME:?complaint}`
INTERPOLATED = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")

# Set for whatever runs in a pipeline, by the pipeline.
OF_CI = {"CI"}


class Row(NamedTuple):
    default: str
    section: str


def documented() -> Iterator[tuple[str, Row]]:
    text = (ROOT / "docs" / "configuration.md").read_text()
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        title = section.splitlines()[0]
        for line in section.splitlines():
            if match := re.fullmatch(r"\| `(\w+)` \| (.+?) \| (.+) \| (.+) \|", line):
                yield match[1], Row(match[2], title)


ROWS = list(documented())
OF_COMPOSE = {name: row for name, row in ROWS if row.section == "Docker Compose"}
OF_TOOLS = {name: row for name, row in ROWS if row.section == "Development tools"}
SETTINGS = {name: row for name, row in ROWS if row.section not in ("Docker Compose", "Development tools")}


def fixed() -> set[str]:
    """Return the settings that docs/configuration.md says docker-compose.yml fixes."""
    text = (ROOT / "docs" / "configuration.md").read_text()
    sentence = re.search(r"have no effect on them: ([^.]*)\.", text)
    assert sentence
    return set(re.findall(r"`(\w+)`", sentence[1]))


def of_settings_module() -> Iterator[tuple[str, ast.expr | None]]:
    """Yield each variable that telcox/settings.py reads, with the expression of its default."""
    for node in ast.walk(ast.parse((ROOT / "telcox" / "settings.py").read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("env."):
            assert isinstance(node.args[0], ast.Constant)
            defaults = [keyword.value for keyword in node.keywords if keyword.arg == "default"]
            yield str(node.args[0].value), defaults[0] if defaults else None


def of_script(path: str) -> set[str]:
    """Return the variables that a script in bin/ reads."""
    text = (ROOT / path).read_text()
    if text.startswith("#!/usr/bin/env bash"):
        return set(re.findall(r"\$\{([A-Z][A-Z_]+)(?::?[-?])", text))
    return set(re.findall(r"environ(?:\.get\(|\[)[\"']([A-Z_]+)", text))


SCRIPTS = {f"bin/{path.name}": of_script(f"bin/{path.name}") for path in (ROOT / "bin").iterdir()}
READ = {name for name, _ in of_settings_module()}.union(
    *(names for script, names in SCRIPTS.items() if is_shipped(script))
)


def example() -> dict[str, str]:
    """Return .env.example as it is once every line that is commented out is brought in."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    return {match[1]: match[2] for line in lines if (match := re.fullmatch(r"#?(\w+)=(.*)", line))}


def environment_of(service: str, dotenv: dict[str, str]) -> dict[str, str]:
    """Return what a container's process finds in its environment, as Compose computes it."""

    def value(match: re.Match[str]) -> str:
        return dotenv.get(match[1]) or (match[3] if match[2] == "-" else "")

    from_file = dotenv if OURS[service]["env_file"] == ".env" else {}
    own = OURS[service]["environment"]
    return {**from_file, **{name: INTERPOLATED.sub(value, str(text)) for name, text in own.items()}}


def same(documented: str, literal: str) -> bool:
    try:
        return Decimal(documented) == Decimal(literal)
    except InvalidOperation:
        return documented == literal


def test_documentation_names_each_setting_once_and_no_other() -> None:
    names = [name for name, row in ROWS if row.section != "Docker Compose"]
    assert len(names) == len(set(names))
    assert READ - set(SETTINGS) == set()
    assert set(SETTINGS) - READ - {"TMPDIR"} == set()


def test_documentation_names_what_the_tools_read() -> None:
    read = set().union(*(names for script, names in SCRIPTS.items() if not is_shipped(script)))
    assert read - set(SETTINGS) - set(OF_TOOLS) - OF_CI == set()
    assert set(OF_TOOLS) - read == set()


def literals() -> dict[str, str]:
    """Return the defaults in telcox/settings.py that are plain values, as the environment would have them."""
    found = {}
    for name, default in of_settings_module():
        try:
            value = ast.literal_eval(default) if default else ""
        except ValueError:
            continue  # it is computed: the documentation says how
        found[name] = str(int(value)) if isinstance(value, bool) else "" if value in ([], {}) else str(value)
    return found


@pytest.mark.parametrize(("name", "value"), sorted(literals().items()))
def test_documentation_tells_the_default(name: str, value: str) -> None:
    told = re.findall(r"`([^`]*)`", SETTINGS[name].default)
    if value:
        assert [each for each in told if same(each, value)]
    else:
        assert not SETTINGS[name].default.startswith("`")


def test_the_check_above_sees_defaults_of_each_kind() -> None:
    assert (
        literals().items()
        >= {
            "DEBUG": "1",
            "MAIL_DOCUMENTS": "0",
            "SUSPEND_AFTER_DAYS": "0",
            "USAGE_BATCH_MAX": "10000",
            "LOG_LEVEL": "INFO",
            "REDIS_URL": "",
        }.items()
    )


def test_the_example_has_each_setting_that_can_be_set_and_no_other() -> None:
    can_be_set = (set(SETTINGS) - fixed()) | set(OF_COMPOSE)
    assert set(example()) == can_be_set


def test_the_example_shows_the_default() -> None:
    shown = example()
    for name, row in {**SETTINGS, **OF_COMPOSE}.items():
        default = re.fullmatch(r"`([^`]*)`", row.default)
        if default and name in shown and name != "BSS_URL":
            assert same(default[1], shown[name]), name


@pytest.mark.processes
def test_the_example_is_valid_as_it_is() -> None:
    env = {
        **example(),
        "SECRET_KEY": "a-key-of-a-test-" * 4,
        "DEBUG": "0",
        "DATABASE_URL": "sqlite://:memory:",
    }
    assert deployment_check(ROOT, env) == (0, "")


def test_compose_asks_for_nothing_that_the_example_leaves_out() -> None:
    asked = {match[1] for match in INTERPOLATED.finditer(COMPOSE)}
    assert asked - set(example()) == set()
    assert set(OF_COMPOSE) - asked == set()


def test_compose_requires_what_the_documentation_says_is_required() -> None:
    required = {match[1] for match in INTERPOLATED.finditer(COMPOSE) if match[2] == "?"}
    assert {name for name, row in OF_COMPOSE.items() if row.default == "required"} <= required
    assert {name for name, value in example().items() if name in required and not value} >= required - {
        "ALLOWED_HOSTS"
    }


@pytest.mark.parametrize("service", sorted(OURS))
def test_every_setting_reaches_every_container(service: str) -> None:
    dotenv = {name: f"value-of-{name}" for name in {*SETTINGS, *OF_COMPOSE}}
    found = environment_of(service, dotenv)
    lost = {name for name in SETTINGS if f"value-of-{name}" not in found.get(name, "")}
    # Migrations and tasks may take longer than an answer.
    assert lost == fixed() | ({"DATABASE_TIMEOUT_SECONDS"} if service != "web" else set())
    assert found["DEBUG"] == "0"
    assert "value-of-DB_PASSWORD" in found["DATABASE_URL"]
    assert "value-of-REDIS_PASSWORD" in found["REDIS_URL"]
    assert not found["DB_ROOT_PASSWORD"]


@pytest.mark.parametrize("service", sorted(OURS))
def test_a_container_is_safe_where_nothing_is_set(service: str) -> None:
    found = environment_of(service, {})
    assert found["HTTPS"] == "1"
    assert found["DATABASE_TIMEOUT_SECONDS"] == ("20" if service == "web" else "0")
