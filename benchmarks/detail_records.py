"""`import_cdr` as operators run it: a file of detail records, and what its import took in time and memory."""

import random
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks.processes import CpuMeter, memory
from telcox.testing.processes import ROOT

_HEADING = "event_id,phone_number,category,quantity,occurred_at,source\n"
_CATEGORIES = ("SOCIAL", "ENTERTAINMENT", "NAVIGATION_SEARCH")
LOOKED_EVERY = 0.5


@dataclass(frozen=True)
class Imported:
    """`memory` is what the process had in bytes, looked at twice a second; `said` is what it printed."""

    records: int
    seconds: float
    memory: Sequence[int]
    cpu: Mapping[str, float]
    said: str

    @property
    def per_second(self) -> float:
        return self.records / self.seconds


def write_detail_records(
    path: Path, phone_numbers: Sequence[str], *, source: str, records: int, until: datetime
) -> None:
    """A switch's file of the last two hours, in the order of time; anybody calls at any moment."""
    chosen = random.Random(3)  # noqa: S311
    step = timedelta(hours=2) / records
    with path.open("w") as file:
        file.write(_HEADING)
        for number in range(records):
            occurred_at = (until - (records - number) * step).isoformat(timespec="milliseconds")
            file.write(
                f"{source}-{number:010d},{chosen.choice(phone_numbers)},{chosen.choice(_CATEGORIES)},"
                f"{chosen.randrange(1, 2**20)},{occurred_at},{source}\n"
            )


def run_import(
    path: Path, *, records: int, env: Mapping[str, str], processes: Mapping[str, Sequence[int]]
) -> Imported:
    """Start and end of the process included."""
    meter, begin = CpuMeter(processes), time.monotonic()
    importing = subprocess.Popen(
        [sys.executable, "manage.py", "import_cdr", str(path)],
        cwd=ROOT,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    held: list[int] = []
    cpu: Mapping[str, float] = {}
    while importing.poll() is None:
        held.append(memory([importing.pid]))
        cpu = meter.shares()  # of a process that has ended nothing can be told any more
        time.sleep(LOOKED_EVERY)
    seconds = time.monotonic() - begin
    assert importing.stdout
    return Imported(records, seconds, held, cpu, importing.stdout.read().strip())
