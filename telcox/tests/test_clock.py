"""`pytest --clock`, with which `make test-ahead` finds tests that depend on the day on which they are run."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from telcox.testing.processes import ROOT

pytestmark = [pytest.mark.once, pytest.mark.processes]

SUITE = """
import subprocess
from datetime import UTC, datetime, timedelta
import pytest

def test_depends_on_the_day():
    assert datetime.now(UTC).strftime("%Y-%m-%d") != "2028-02-29"

def test_depends_on_the_time_zone():
    assert datetime.now() - datetime.now(UTC).replace(tzinfo=None) < timedelta(hours=12)

def test_depends_on_neither():
    assert datetime.now(UTC) < datetime.now(UTC) + timedelta(days=1)

def test_starts_a_process():
    subprocess.run(["true"], check=True)

@pytest.mark.processes
def test_starts_a_process_and_is_marked():
    subprocess.run(["true"], check=True)
"""


def run_suite(folder: Path, *arguments: str) -> str:
    """Run the tests of SUITE by themselves, and return what pytest prints."""
    (folder / "test_it.py").write_text(SUITE)
    options: list[str | Path] = [
        "-p",
        "telcox.testing.clock",
        "-c",
        os.devnull,
        "--rootdir",
        folder,
        "-q",
        "-rA",
    ]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *arguments, folder],
        cwd=ROOT,
        env={**os.environ, "TZ": "UTC"},
        capture_output=True,
        text=True,
        check=False,
    ).stdout


def test_with_the_machines_clock_all_of_them_pass(tmp_path: Path) -> None:
    assert "5 passed" in run_suite(tmp_path)


def test_what_depends_on_the_clock_fails_and_so_does_a_process_that_is_not_marked(tmp_path: Path) -> None:
    # There it is 1 March, and in UTC still 29 February.
    printed = run_suite(tmp_path, "--clock", "2028-03-01T08:00 Pacific/Auckland")
    assert set(re.findall(r"^FAILED .*::(\w+)", printed, re.M)) == {
        "test_depends_on_the_day", "test_depends_on_the_time_zone", "test_starts_a_process",
    }  # fmt: skip
    assert "mark it `processes`" in printed
    assert re.findall(r"^PASSED .*::(\w+)", printed, re.M) == ["test_depends_on_neither"]
    assert "1 deselected" in printed


@pytest.mark.parametrize("moment", ["tomorrow", "2028-03-01T08:00", "2028-03-01T08:00 Nowhere/Land"])
def test_what_is_no_moment_in_a_time_zone_is_refused(tmp_path: Path, moment: str) -> None:
    assert not run_suite(tmp_path, "--clock", moment)
