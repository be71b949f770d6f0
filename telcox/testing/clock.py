"""A pytest plugin, named in pyproject.toml, that runs tests at another moment and in another time zone.

`--clock "2028-03-01T15:00 Pacific/Auckland"` sets the clock to that moment and the process to that time zone;
the clock runs on from there. Tests that depend on the day on which they are run fail then.

The clock is moved in this process only; a process that a test starts has the machine's clock. `--clock`
therefore leaves out the tests marked `processes`, and fails a test that starts a process and is not marked.
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
    """Return the moment that a local time and a time zone name. Raise ArgumentTypeError for another text."""
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
        # Before tests are collected: modules may look at the clock when they are imported.
        travel = time_machine.travel(moment, tick=True)
        travel.start()
        config.add_cleanup(travel.stop)
        config.pluginmanager.register(_InProcess())


def pytest_report_header(config: pytest.Config) -> list[str]:
    moment = config.getoption("clock")
    return [f"clock: {moment.isoformat()} {moment.tzinfo}"] if moment else []


class _InProcess:
    """Leave out tests that start processes, and fail those that start one without being marked."""

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
