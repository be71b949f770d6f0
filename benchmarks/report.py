"""The table: figures, their aims, and the processor time of each group of processes meanwhile."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.db import connection

from benchmarks.commands import Done
from benchmarks.http_load import HttpResult
from benchmarks.live_load import LiveResult

CPU_GROUPS = ("web", "live", "proxy", "database", "redis", "load", "others")
_HEADINGS = ("measured", "aim", "result", "p50 ms", "p99 ms", "max ms", "wrong", *CPU_GROUPS)
_ABOUT_CPU = (
    "The last columns: processors used (1.00 is one whole processor). `load` is this program, `others` is\n"
    "everything else on the machine: if `others` is not close to 0, measure again."
)


@dataclass(frozen=True)
class Row:
    """Row of the table. `latencies` are in seconds. `wrong` counts wrong responses, sockets or rows, and
    `wrong_about` describes them."""

    name: str
    figure: str
    aim: str = ""
    latencies: Sequence[float] = ()
    wrong: int = 0
    wrong_about: str = ""
    cpu: Mapping[str, float] = field(default_factory=dict)

    def cells(self) -> list[str]:
        times = [
            f"{at(self.latencies, share) * 1000:.1f}" if self.latencies else "" for share in (0.5, 0.99, 1)
        ]
        wrong = f"{self.wrong} ({self.wrong_about})" if self.wrong else str(self.wrong)
        cpu = [f"{self.cpu[group]:.2f}" if group in self.cpu else "" for group in CPU_GROUPS]
        return [self.name, self.aim, self.figure, *times, wrong, *cpu]


def at(values: Sequence[float], share: float) -> float:
    """Return the quantile: the value that this share of `values` does not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def http_row(name: str, aim: str, result: HttpResult, *, counted: str = "requests") -> Row:
    errors = +result.errors
    return Row(
        name=name,
        figure=f"{result.per_second:,.0f} {counted}/s",
        aim=aim,
        latencies=result.latencies,
        wrong=errors.total(),
        wrong_about=", ".join(f"{count}× {what}" for what, count in errors.most_common(3)),
        cpu=result.cpu,
    )


def live_row(name: str, aim: str, result: LiveResult) -> Row:
    not_final = result.sockets - result.final
    return Row(
        name=name,
        figure=f"{result.frames_per_second:,.0f} frames/s, {result.delivered:.1%} of steps,"
        f" {result.final}/{result.sockets} final",
        aim=aim,
        latencies=result.latencies,
        wrong=not_final + result.backwards + result.closed,
        wrong_about=f"{not_final} not final, {result.backwards} backwards, {result.closed} closed",
        cpu=result.cpu,
    )


def command_row(name: str, aim: str, result: Done, *, done: int, counted: str, wrong: int) -> Row:
    """Return the row of a command that processed `done` items, with its memory after start-up."""
    held = [size / 2**20 for size in result.memory[len(result.memory) // 10 :]]  # without its start-up
    return Row(
        name=name,
        figure=f"{done / result.seconds:,.0f} {counted}/s, {min(held):.0f} to {max(held):.0f} MiB",
        aim=aim,
        wrong=wrong,
        wrong_about=result.said,
        cpu=result.cpu,
    )


def memory_row(name: str, size: float) -> Row:
    return Row(name=f"memory: {name}", figure=f"{size / 2**20:.1f} MiB")


def sockets_row(name: str, aim: str, size: float, base: float, sockets: int) -> Row:
    """Return the row of a process's memory with so many sockets, and of what each adds to `base`, its memory
    with none."""
    each = (size - base) / sockets
    return Row(
        name=f"memory: {name}", aim=aim, figure=f"{size / 2**20:.1f} MiB, {each / 1000:.1f} kB a socket"
    )


def machine() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT VERSION(), @@innodb_buffer_pool_size, @@innodb_flush_log_at_trx_commit")
        version, pool, flush = cursor.fetchone()
    return (
        f"{os.cpu_count()} cores ({_processor()}), Python {platform.python_version()}, MariaDB {version} "
        f"(buffer pool {pool >> 20} MiB, {'durable' if flush == 1 else 'NOT durable'} commits)"
    )


def _processor() -> str:
    with open("/proc/cpuinfo") as cpuinfo:
        return next(
            (line.partition(":")[2].strip() for line in cpuinfo if line.startswith("model name")), "?"
        )


def plain(about: str, rows: Sequence[Row]) -> str:
    table = [list(_HEADINGS), *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(_HEADINGS))]
    lines = (
        "  ".join(
            cell.ljust(width) if column < 3 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in table
    )
    return "\n".join([about, "", *lines, "", _ABOUT_CPU, ""])


def markdown(about: str, rows: Sequence[Row]) -> str:
    lines = [_HEADINGS, ["---"] * len(_HEADINGS), *(row.cells() for row in rows)]
    return "\n".join([about, "", *(f"| {' | '.join(line)} |" for line in lines), "", _ABOUT_CPU, ""])
