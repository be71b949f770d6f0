"""What we import is named in the requirement files, and the lock files fit them."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from telcox.testing.image import files_of_project, is_shipped
from telcox.testing.processes import ROOT

pytestmark = [pytest.mark.once, pytest.mark.processes]

OURS = {"telcox", "customers", "usage", "billing", "benchmarks", "conftest"}
LOCKS = ("requirements.lock", "requirements-dev.lock")

# Those that can be missing where the suite runs on SQLite only (bin/venv).
DISTRIBUTIONS = {"MySQLdb": ["mysqlclient"], **packages_distributions()}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def listed(name: str) -> set[str]:
    lines = (ROOT / name).read_text().splitlines()
    return {canonical(match[1]) for line in lines if (match := re.match(r"([\w.-]+)==", line))}


def imports(path: Path) -> Iterator[str]:
    """Yield the top-level modules that a file imports, also within functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def is_python(path: Path) -> bool:
    return path.suffix == ".py" or (
        path.parent.name == "bin" and "python3" in path.read_text().split("\n")[0]
    )


def imported(*, shipped_only: bool) -> dict[str, set[str]]:
    """Return the distributions that our code imports, with the files that import each."""
    found: dict[str, set[str]] = {}
    for file in files_of_project():
        if not is_python(ROOT / file) or (shipped_only and not is_shipped(file)):
            continue
        for module in set(imports(ROOT / file)) - OURS - sys.stdlib_module_names:
            for distribution in DISTRIBUTIONS.get(module, [module]):
                found.setdefault(canonical(distribution), set()).add(file)
    return found


def test_production_imports_only_what_requirements_txt_names() -> None:
    found = imported(shipped_only=True)
    assert {"django", "redis", "twisted", "autobahn", "billiard", "mysqlclient"} <= set(found)
    named = listed("requirements.txt")
    assert {name: files for name, files in found.items() if name not in named} == {}


def test_everything_else_imports_only_what_the_requirement_files_name() -> None:
    found = imported(shipped_only=False)
    assert {"pytest", "pyyaml", "pillow"} <= set(found)
    named = listed("requirements.txt") | listed("requirements-dev.txt")
    assert {name: files for name, files in found.items() if name not in named} == {}


def test_each_requirement_is_pinned_and_says_why_it_is_there() -> None:
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        assert not line or line.startswith("#") or re.match(r"[\w.-]+==\S+ +# \S", line), line


def test_lock_files_fit_the_requirement_files() -> None:
    done = subprocess.run([ROOT / "bin" / "lock", "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("file", "change", "complaint"),
    [
        ("requirements.txt", (r"redis==\S+", "redis==1.0"), "requirements.txt names redis==1.0"),
        ("requirements.txt", (r"redis==.*\n", ""), "redis is locked for requirements.txt"),
        ("requirements-dev.txt", (r"$", "added==1.0\n"), "requirements-dev.txt names added==1.0"),
        ("requirements-dev.lock", (r"sha256:\w+", "sha256:0"), "asgiref differs from requirements.lock"),
        ("requirements.lock", (r" +--hash=\S+( \\)?\n", ""), "requirements.lock: asgiref has no hash"),
    ],
)
def test_a_lock_file_that_does_not_fit_is_found(
    tmp_path: Path, file: str, change: tuple[str, str], complaint: str
) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("bin/lock", "requirements.txt", "requirements-dev.txt", *LOCKS):
        shutil.copy2(ROOT / name, tmp_path / name)
    changed = re.sub(*change, (tmp_path / file).read_text())
    (tmp_path / file).write_text(changed)
    done = subprocess.run([tmp_path / "bin" / "lock", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert complaint in done.stderr
    assert "make lock" in done.stderr


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_files_name_no_package_index_and_no_folder(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "--hash=sha256:" in text
    assert not re.findall(r"://|--index|--extra-index|--find-links|--trusted-host|^#.*/", text, re.MULTILINE)
