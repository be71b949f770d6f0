"""Files of this project that its Docker image contains, by .dockerignore, without a Docker engine."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from telcox.testing.processes import ROOT


def files_of_project() -> list[str]:
    """Return the paths of all files that git tracks or would add, relative to the project's folder."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    known = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for path in known.splitlines() if (ROOT / path).is_file()]


def is_shipped(path: str) -> bool:
    """Return whether `COPY . .` copies this path. The last pattern that matches it, or a folder above it,
    decides: https://docs.docker.com/build/concepts/context/#dockerignore-files
    """
    shipped = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!")
        if re.fullmatch(f"{_expression(pattern)}(/.*)?", path):
            shipped = line.startswith("!")
    return shipped


def _expression(pattern: str) -> str:
    """Return the regular expression for a pattern with `*`, which stays within a folder, and `**/`."""
    parts = re.split(r"(\*\*/|\*)", pattern.strip("/"))
    meaning = {"**/": "(?:.*/)?", "*": "[^/]*"}
    return "".join(meaning.get(part, re.escape(part)) for part in parts)


def copy_image(folder: Path) -> None:
    """Copy the files of this project that the image contains into a folder."""
    for path in filter(is_shipped, files_of_project()):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, target)


def deployment_check(folder: Path, env: Mapping[str, str]) -> tuple[int, str]:
    """Return exit code and errors of `manage.py check --deploy` in a folder, with no environment but `env`
    and PATH."""
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **env},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr
