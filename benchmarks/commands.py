"""A command as operators run it, and what it took in time and memory."""

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.processes import CpuMeter, memory
from telcox.testing.processes import ROOT

LOOKED_EVERY = 0.5


@dataclass(frozen=True)
class Done:
    """`memory` is what the process and those it started had in bytes, looked at twice a second; `said` is
    what it printed."""

    seconds: float
    memory: Sequence[int]
    cpu: Mapping[str, float]
    said: str


def run_command(*arguments: str, env: Mapping[str, str], processes: Mapping[str, Sequence[int]]) -> Done:
    """Start and end of the process included."""
    meter, begin = CpuMeter(processes), time.monotonic()
    running = subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    held: list[int] = []
    cpu: Mapping[str, float] = {}
    while running.poll() is None:
        held.append(memory([running.pid]))
        cpu = meter.shares()  # of a process that has ended nothing can be told any more
        time.sleep(LOOKED_EVERY)
    seconds = time.monotonic() - begin
    assert running.stdout
    return Done(seconds, held, cpu, running.stdout.read().strip())
