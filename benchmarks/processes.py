"""Running work in another process, and the processor time and memory of the processes that are measured."""

import multiprocessing
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

Result = TypeVar("Result")

# Not forked, so that no connection or lock of this process is inherited.
SPAWN = multiprocessing.get_context("spawn")
_TICKS = os.sysconf("SC_CLK_TCK")


def in_own_process(function: Callable[..., Result], *args: Any) -> Result:
    with ProcessPoolExecutor(1, mp_context=SPAWN) as pool:
        return pool.submit(function, *args).result()


class CpuMeter:
    """Processor time that each group of processes used since the meter was made, as a share of one processor
    (1.0 is one whole processor). A group is given by the pids at its root; their descendants belong to it.

    "load" is the process that made the meter. "others" is the rest of the machine, with the time that its
    host took (steal).
    """

    def __init__(self, groups: Mapping[str, Sequence[int]]) -> None:
        self._groups = {**groups, "load": [os.getpid()]}
        self._since = time.monotonic()
        self._before = self._seconds()

    def shares(self) -> dict[str, float]:
        elapsed = time.monotonic() - self._since
        now = self._seconds()
        shares = {name: (now[name] - self._before[name]) / elapsed for name in now}
        ours = sum(shares[name] for name in self._groups)
        return {**shares, "others": max(0.0, shares["others"] - ours)}

    def _seconds(self) -> dict[str, float]:
        seconds = dict.fromkeys(self._groups, 0.0)
        for name, _, spent in _members(self._groups):
            seconds[name] += spent
        return {**seconds, "others": _machine_seconds()}


def memory(roots: Sequence[int]) -> int:
    """Return the bytes that these processes and their descendants have in memory. A page that several
    processes share is divided among them (PSS)."""
    return sum(_proportional_set_size(pid) for _, pid, _ in _members({"": roots}))


def _members(groups: Mapping[str, Sequence[int]]) -> list[tuple[str, int, float]]:
    """Return group, pid and processor seconds of each process that belongs to a group."""
    parents, used = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := _stat(entry)):
            parents[int(entry.name)], used[int(entry.name)] = stat
    names = {pid: name for name, roots in groups.items() for pid in roots}
    found = ((_group(pid, names, parents), pid, spent) for pid, spent in used.items())
    return [(name, pid, spent) for name, pid, spent in found if name is not None]


def _proportional_set_size(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def _machine_seconds() -> float:
    """Return the seconds of all processors together: user, nice, system, irq, softirq and steal."""
    with Path("/proc/stat").open() as stat:
        fields = [int(field) for field in stat.readline().split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / _TICKS


def _stat(process: Path) -> tuple[int, float] | None:
    """Return the parent's pid and the processor seconds used so far, or None if the process has ended."""
    try:
        fields = (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1]), (int(fields[11]) + int(fields[12])) / _TICKS


def _group(pid: int, groups: Mapping[int, str], parents: Mapping[int, int]) -> str | None:
    """Return the group of the process, or of its nearest ancestor that has one."""
    while pid and pid not in groups:
        pid = parents.get(pid, 0)
    return groups.get(pid)


def listening_on(port: int) -> list[int]:
    """Return the pids of this machine that listen on a TCP port over IPv4. It is empty if this user may not
    see them."""
    sockets = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        columns = line.split()
        if columns[3] == "0A" and int(columns[1].rpartition(":")[2], 16) == port:
            sockets.add(f"socket:[{columns[9]}]")
    return [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and sockets & set(_open_files(entry))
    ]


def _open_files(process: Path) -> list[str]:
    try:
        return [os.readlink(file) for file in (process / "fd").iterdir()]
    except OSError:
        return []
