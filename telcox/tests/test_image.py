"""What the image holds (.dockerignore): all that runs in production, and nothing else."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from telcox.testing.image import copy_image, deployment_check, files_of_project, is_shipped
from telcox.testing.processes import ROOT

pytestmark = [pytest.mark.once, pytest.mark.processes]

SHIPPED = set(filter(is_shipped, files_of_project()))
PACKAGES = ("telcox", "customers", "usage", "billing", "benchmarks")


def file_of(module: str) -> str | None:
    """Return the file of one of our modules, relative to the project's folder."""
    path = module.replace(".", "/")
    return next((file for file in (f"{path}.py", f"{path}/__init__.py") if (ROOT / file).exists()), None)


def imported_files(file: str) -> Iterator[str]:
    """Yield the files of our modules that a file imports, also within functions."""
    for node in ast.walk(ast.parse((ROOT / file).read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            if name.split(".")[0] in PACKAGES and (found := file_of(name)):
                yield found


@pytest.mark.parametrize(
    "path",
    [
        "telcox/tests/test_image.py",
        "telcox/testing/stack.py",
        "billing/tests/worked_cases/money.py",
        "benchmarks/measure.py",
        "conftest.py",
        "requirements-dev.txt",
        "requirements-dev.lock",
        "bin/stack",
        "bin/with-servers",
        "docs/live.md",
        ".ci/run",
        ".git/config",
        ".env",
        ".venv/bin/python",
        "telcox.sqlite3",
        "documents/8926/document.pdf",
        "billing/__pycache__/bss.cpython-311.pyc",
    ],
)
def test_the_image_leaves_out_what_does_not_run_and_what_is_secret(path: str) -> None:
    assert not is_shipped(path)


def test_the_image_holds_no_test_and_nothing_that_only_tests_use() -> None:
    folders = {folder for path in SHIPPED for folder in path.split("/")[:-1]}
    assert folders & {"tests", "testing", "benchmarks", "docs"} == set()


def test_the_image_holds_every_module_template_and_translation_of_the_apps() -> None:
    of_apps = {
        path
        for path in files_of_project()
        if path.split("/")[0] in PACKAGES[:4] and not {"tests", "testing"} & set(path.split("/"))
    }
    assert of_apps
    assert of_apps - SHIPPED == set()


def test_the_image_holds_the_commands_that_containers_run() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"].values()
    ours = [service for service in services if "build" in service]
    commands = {service["command"] for service in ours}
    checks = {service["healthcheck"]["test"][1] for service in ours if "test" in service["healthcheck"]}
    assert {path for path in SHIPPED if path.startswith("bin/")} == commands | checks


def test_what_the_image_holds_imports_nothing_that_it_leaves_out() -> None:
    scripts = {path for path in SHIPPED if path.startswith("bin/") and "python3" in (ROOT / path).read_text()}
    modules = {path for path in SHIPPED if path.endswith(".py")}
    assert {"billing/tasks.py", "telcox/settings.py"} <= modules
    assert {
        (path, other) for path in modules | scripts for other in imported_files(path) if other not in SHIPPED
    } == set()


def test_the_image_by_itself_is_ready_for_production(tmp_path: Path) -> None:
    copy_image(tmp_path)
    env = {"DEBUG": "0", "SECRET_KEY": "a-key-of-a-test-" * 4, "ALLOWED_HOSTS": "telcox.example"}
    assert deployment_check(tmp_path, env) == (0, "")
