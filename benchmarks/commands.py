"""A management command, run as an operator runs it, and the time, memory and processor time it took."""

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
    """Result of a command. `memory` has the bytes that the process and its children held, sampled twice a
    second; `said` is what it printed."""

    seconds: float
    memory: Sequence[int]
    cpu: Mapping[str, float]
    said: str


def run_command(*arguments: str, env: Mapping[str, str], processes: Mapping[str, Sequence[int]]) -> Done:
    """Run `manage.py` with these arguments. `seconds` of the result include the start and end of the
    process."""
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
        cpu = meter.shares()  # a process that has ended has no figures any more
        time.sleep(LOOKED_EVERY)
    seconds = time.monotonic() - begin
    assert running.stdout
    return Done(seconds, held, cpu, running.stdout.read().strip())
