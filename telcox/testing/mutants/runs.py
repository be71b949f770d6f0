"""Runs of pytest in processes forked for them: one that sees which test runs which line, and one for each
mutant, with the tests that run its line."""

import importlib
import json
import os
import signal
import sqlite3
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

import pytest

from telcox.testing.mutants.mutations import Mutant
from telcox.testing.processes import ROOT

# Imported before a process is forked, so that it has them at once. Nothing of ours, and nothing that needs
# our settings.
_WARM = (
    "celery",
    "channels.layers",
    "django.contrib.admin",
    "django.core.management.commands.migrate",
    "django.db.backends.sqlite3.base",
    "django.test.client",
    "drf_spectacular",
    "hypothesis.strategies",
    "jsonschema",
    "msgspec",
    "openpyxl",
    "pypdf",
    "time_machine",
)
_OPTIONS = ("-q", "-p", "no:cacheprovider", "--hypothesis-seed=0", "--no-header", "--tb=no")
# Tests that see no mutant, because they ask another process or another database.
_NOT = "not mariadb and not redis and not processes"


# How many files of tests are tried before all others, because they are likely to notice. Most mutants are
# killed by them, and collecting all tests takes longer than running these.
_FIRST = 3


class Seen(NamedTuple):
    """What the tests do without a change: how many seconds each takes, and which of them runs a line."""

    seconds: dict[str, float]
    failed: list[str]
    by_line: dict[str, dict[int, set[str]]]

    def tests_of(self, mutant: Mutant) -> set[str]:
        """Return the tests that run the changed line; if it runs at import, those that run any line of its
        file."""
        lines = self.by_line.get(mutant.file, {})
        seen = [tests for line, tests in lines.items() if not mutant.lines or line in mutant.lines]
        return set().union(*seen)


def warm_up() -> None:
    """Import what all runs need, so that no run has to."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "telcox.settings")
    for name in _WARM:
        importlib.import_module(name)
    ours = [name for name in sys.modules if name.split(".")[0] in ("billing", "usage", "customers")]
    assert not ours, f"imported before they are mutated: {ours}"


def see(files: list[str], tests: list[str], folder: Path) -> Seen:
    """Run the tests without a change and return what they do. Keep the migrated database in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    told, log = folder / "seen.json", folder / "seen.log"
    if not told.exists():
        plugins = [_Database(folder), _Tracing(files, told)]
        status = _forked(lambda: pytest.main([*tests, *_OPTIONS, "-m", _NOT], plugins), timeout=3600, log=log)
        if status not in (0, 1) or not told.exists():
            raise RuntimeError(log.read_text()[-3000:])
    read = json.loads(told.read_text())
    by_line = {
        file: {int(line): set(of_line) for line, of_line in lines.items()}
        for file, lines in read["by_line"].items()
    }
    return Seen(read["seconds"], read["failed"], by_line)


class Trials:
    """Tries mutants, and learns which files of tests notice changes of which file."""

    def __init__(self, seen: Seen, folder: Path, seconds: float) -> None:
        """`seconds`: the quickest tests are run that take that long together without a change."""
        self._seen, self._folder, self._seconds = seen, folder, seconds
        self._kills: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def is_killed(self, mutant: Mutant) -> bool:
        """Return whether one of the tests that run the mutant's line fails, or takes far too long."""
        by_file: defaultdict[str, list[str]] = defaultdict(list)
        for test in self._seen.tests_of(mutant):
            by_file[test.partition("::")[0]].append(test)
        cost = {file: self._cost(tests) for file, tests in by_file.items()}
        kills = self._kills[mutant.file]
        likely = sorted(by_file, key=lambda file: (-kills[file], cost[file] / len(by_file[file])))[:_FIRST]
        rest, spent = [], 0.0
        for file in sorted(by_file.keys() - set(likely), key=lambda file: cost[file]):
            spent += cost[file]
            if spent > self._seconds:
                break
            rest.append(file)
        return any(
            self._fails(mutant, {test for file in files for test in by_file[file]})
            for files in (likely, rest)
            if files
        )

    def _cost(self, tests: Iterable[str]) -> float:
        return sum(self._seen.seconds[test] for test in tests)

    def _fails(self, mutant: Mutant, tests: set[str]) -> bool:
        name = f"{mutant.file.replace('/', '-')}-{mutant.line}-{mutant.operator}-{threading.get_ident()}"
        failed = self._folder / f"{name}.failed"
        failed.unlink(missing_ok=True)
        files = sorted({test.partition("::")[0] for test in tests})

        def run() -> int:
            _import_instead(str(ROOT / mutant.file), mutant.source)
            plugins = [_Database(self._folder), _Chosen(tests, self._seen.seconds, failed)]
            return int(pytest.main([*files, *_OPTIONS, "-x", "-m", _NOT], plugins))

        timeout = 120 + 10 * self._cost(tests)
        status = _forked(run, timeout=timeout, log=self._folder / f"{name}.log")
        if failed.exists():
            self._kills[mutant.file][failed.read_text()] += 1
        return status != 0


def _forked(run: Callable[[], int], *, timeout: float, log: Path) -> int:
    """Return the exit status of a process that runs this, or -1 if it took longer than `timeout` seconds."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        status = 70
        try:
            os.setsid()
            output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(output, 1)
            os.dup2(output, 2)
            sys.dont_write_bytecode = True
            status = int(run())
        finally:
            sys.stdout.flush()
            os._exit(status)
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -1


def _import_instead(path: str, source: str) -> None:
    """Import this source for the file of this path."""
    get_code = SourceFileLoader.get_code

    def code(loader: SourceFileLoader, fullname: str) -> CodeType | None:
        if loader.path == path:
            return compile(source, path, "exec", dont_inherit=True)
        return get_code(loader, fullname)

    SourceFileLoader.get_code = code  # type: ignore[assignment,method-assign]


class _Database:
    """Migrates once, and copies that database from then on."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "migrated.sqlite3"

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self) -> None:
        from django.core.management.commands.migrate import Command
        from django.db import connection

        handle, file = Command.handle, self._file

        def migrate(*arguments: Any, **options: Any) -> None:
            Command.handle = handle  # type: ignore[method-assign]  # tests migrate, too
            connection.ensure_connection()
            if file.exists():
                with sqlite3.connect(file) as source:
                    source.backup(connection.connection)
                return
            handle(*arguments, **options)
            with sqlite3.connect(file) as target:
                connection.connection.backup(target)

        Command.handle = migrate  # type: ignore[method-assign]


class _Chosen:
    """Runs these tests only, the quickest files first, and writes down the file in which one fails."""

    def __init__(self, tests: set[str], seconds: dict[str, float], failed: Path) -> None:
        self._tests, self._failed = tests, failed
        self._seconds: defaultdict[str, float] = defaultdict(float)
        for test in tests:
            self._seconds[test.partition("::")[0]] += seconds[test]

    @pytest.hookimpl(wrapper=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Iterator[None]:
        yield
        items[:] = [item for item in items if item.nodeid in self._tests]
        items.sort(key=lambda item: self._seconds[item.nodeid.partition("::")[0]])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed.write_text(report.nodeid.partition("::")[0])


class _Tracing:
    """Writes down which test runs which lines of these files."""

    def __init__(self, files: list[str], told: Path) -> None:
        self._files = {str(ROOT / file): file for file in files}
        self._told = told
        self._lines: set[tuple[str, int]] = set()
        # Run by a fixture that several tests of a file share.
        self._shared: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
        self._of_test: dict[str, set[tuple[str, int]]] = {}
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._failed: list[str] = []

    def _enter(self, frame: FrameType, event: str, _argument: Any) -> Any:
        return self._step if frame.f_code.co_filename in self._files else None

    def _step(self, frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line":
            self._lines.add((frame.f_code.co_filename, frame.f_lineno))
        return self._step

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._lines = self._of_test[item.nodeid] = set()
        threading.settrace(self._enter)
        sys.settrace(self._enter)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            threading.settrace(None)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Iterator[None]:
        if fixturedef.scope == "function":
            return (yield)
        before, self._lines = self._lines, set()
        try:
            return (yield)
        finally:
            self._shared[request.node.nodeid.partition("::")[0]] |= self._lines
            self._lines = before

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] += report.duration
        if report.failed:
            self._failed.append(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        by_line: dict[str, dict[int, list[str]]] = {file: {} for file in self._files.values()}
        for test, lines in self._of_test.items():
            for path, line in lines | self._shared[test.partition("::")[0]]:
                by_line[self._files[path]].setdefault(line, []).append(test)
        told = {"seconds": self._seconds, "failed": self._failed, "by_line": by_line}
        self._told.write_text(json.dumps(told))
