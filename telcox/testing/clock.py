"""Pytest plugin, named in pyproject.toml, that runs tests at another moment and in another time zone.

`--clock "2028-03-01T15:00 Pacific/Auckland"` sets the clock to that moment and the process to that time zone;
the clock runs on from there. It finds tests that depend on the day on which they are run.

The clock is moved in this process only; a process that a test starts has the machine's clock. So `--clock`
leaves out the tests marked `processes`, and fails an unmarked test that starts a process.
"""

import subprocess
from argparse import ArgumentTypeError
from collections.abc import Generator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
import time_machine


def parse_moment(text: str) -> datetime:
    """Return the moment given as a local time and a time zone. Raise ArgumentTypeError for any other text."""
    local, _, zone = text.partition(" ")
    try:
        return datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone))
    except (ValueError, ZoneInfoNotFoundError) as error:
        raise ArgumentTypeError(
            f"{text!r} is not a local time and a time zone, such as '2028-03-01T15:00 Pacific/Auckland'"
        ) from error


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--clock",
        type=parse_moment,
        metavar="MOMENT",
        help="run as if it were '2028-03-01T15:00 Pacific/Auckland'",
    )


def pytest_configure(config: pytest.Config) -> None:
    if moment := config.getoption("clock"):
        # Before tests are collected, because modules may read the clock when they are imported.
        travel = time_machine.travel(moment, tick=True)
        travel.start()
        config.add_cleanup(travel.stop)
        config.pluginmanager.register(_InProcess())


def pytest_report_header(config: pytest.Config) -> list[str]:
    moment = config.getoption("clock")
    return [f"clock: {moment.isoformat()} {moment.tzinfo}"] if moment else []


class _InProcess:
    """Plugin that leaves out tests marked `processes`, and fails others that start a process."""

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        left_out = [item for item in items if item.get_closest_marker("processes")]
        items[:] = [item for item in items if not item.get_closest_marker("processes")]
        config.hook.pytest_deselected(items=left_out)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(subprocess.Popen, "__init__", _refuse)
            return (yield)


def _refuse(*_: Any, **__: Any) -> None:
    pytest.fail("This test starts a process, whose clock --clock does not move: mark it `processes`.")
