"""The measurements, in order: the database without TelcoX, HTTP requests, imports, the live feed."""

import json
import os
import random
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.utils import timezone

from benchmarks.commands import Done, run_command
from benchmarks.detail_records import write_detail_records
from benchmarks.http_load import HttpLoad, HttpResult, request, run_http_load
from benchmarks.live_load import LiveLoad, LiveResult, run_live_load
from benchmarks.processes import listening_on, memory
from benchmarks.raw_limits import (
    batch_event_id,
    inserts_per_second,
    python_loops_per_second,
    updates_per_second,
)
from benchmarks.report import Row, command_row, http_row, live_row, memory_row, sockets_row
from benchmarks.scale import EVENT_SOURCE, Scale
from telcox.testing.stack import Stack

USAGE_EVENT = "/api/dev/usage-event"
USAGE_EVENTS = "/api/usage/events"
# Lines that requests are prepared for: so many that none is asked for twice in a short time.
PREPARED = 2_000


class Bench:
    """Benchmark: it seeds the database, starts the stack and measures. The aims are the project's, for a
    machine of two cores."""

    def __init__(self, stack: Stack, scale: Scale) -> None:
        self.stack, self.scale = stack, scale

    def online_rows(self) -> Iterator[Row]:
        """Yield the figures of the database without TelcoX, then those of web and live in front of it."""
        self.stack.migrate()
        django.setup()
        yield from self._database()
        self._seed()
        self.stack.start()
        self.groups = self._groups()
        yield from self._requests()
        yield from self._live_feed()

    def python_row(self, moment: str) -> Row:
        """Return the speed of the machine itself, with which runs can be compared."""
        figure = python_loops_per_second(self.scale.raw)
        return Row(f"Python, one process: a fixed loop, {moment}", f"{figure:,.0f} loops/s")

    def _database(self) -> Iterator[Row]:
        database = settings.DATABASES["default"]
        address = {
            "host": database["HOST"],
            "port": int(database["PORT"]),
            "user": database["USER"],
            "password": database["PASSWORD"],
            "database": database["NAME"],
        }
        seconds = self.scale.raw
        for connections in (1, self.scale.connections):
            figure = updates_per_second(address, connections, seconds)
            yield Row(
                f"MariaDB: one-row update + commit, {connections} connections", f"{figure:,.0f} commits/s"
            )
        self.bare_inserts = inserts_per_second(address, seconds)
        yield Row(
            "MariaDB: usage events, 1,000 a statement, 1 connection", f"{self.bare_inserts:,.0f} rows/s"
        )

    def _seed(self) -> None:
        from benchmarks.seed import seed  # needs django.setup()

        self.seeded = seed(scale=self.scale, at=timezone.now())

    def _groups(self) -> dict[str, Sequence[int]]:
        return {
            "web": [process.pid for process in self.stack.web],
            "live": [process.pid for process in self.stack.live],
            "proxy": [self.stack.proxy.pid],
            "database": listening_on(int(settings.DATABASES["default"]["PORT"])),
            "redis": listening_on(_port_of(settings.REDIS_URL)),
        }

    # --- REST ---

    def _requests(self) -> Iterator[Row]:
        lines = sample(self.seeded.phone_numbers)
        billed = sample(self.seeded.billed_phone_numbers)
        proxy, web = self.stack.proxy.port, self.stack.web[0].port
        summaries = [f"/api/customers/{number}/summary" for number in lines]
        bills = [f"/api/customers/{number}/billing" for number in billed]
        yield self.get("GET summary", "≥ 700/s", proxy, summaries)
        yield self.get("GET billing, 12 bills", "≥ 700/s", proxy, bills)
        yield self._post("POST usage-event, many lines", "≥ 300/s", proxy, lines)
        yield self._post("POST usage-event, one line", "≥ 300/s", proxy, lines[:1])
        yield self.get("GET billing, one web process, no proxy", "", web, bills)
        yield self._post("POST usage-event, one web process, no proxy", "", web, lines)
        yield self._single("POST usage/events, one a request, many lines", "≥ 1,000/s", proxy, lines)
        yield self._single("POST usage/events, one a request, one line", "≥ 700/s", proxy, lines[:1])
        batches = self.batches("benchmark-batch", proxy)
        share = batches.per_second / self.bare_inserts
        yield http_row(
            f"POST usage/events, {self.scale.batch:,} a request, many lines: {share:.0%} of bare",
            "≥ 40 % of bare inserts",
            batches,
            counted="events",
        )
        yield self.imported(source="benchmark-import", records=self.scale.imported, aim="as batches")
        yield self._memory("one web process", "web")

    def get(
        self, name: str, aim: str, port: int, paths: Sequence[str], *, connections: int | None = None
    ) -> Row:
        requests = [self._request("GET", path, port) for path in paths]
        return http_row(name, aim, self._load(port, 200, requests, connections=connections))

    def _post(self, name: str, aim: str, port: int, phone_numbers: Sequence[str]) -> Row:
        bodies = [{"phone_number": number, "category": "SOCIAL", "bytes": 1024} for number in phone_numbers]
        requests = [self._request("POST", USAGE_EVENT, port, json.dumps(body).encode()) for body in bodies]
        return http_row(name, aim, self._reported(port, 202, requests))

    def _single(self, name: str, aim: str, port: int, phone_numbers: Sequence[str]) -> Row:
        reports = [
            {"phone_number": number, "category": "SOCIAL", "quantity": 1024} for number in phone_numbers
        ]
        requests = [
            self._request("POST", USAGE_EVENTS, port, json.dumps(report).encode()) for report in reports
        ]
        connections = 2 * self.scale.connections
        result = self._reported(port, 200, requests, connections=connections)
        return http_row(f"{name}, {connections} connections", aim, result, counted="events")

    def batches(self, source: str, port: int) -> HttpResult:
        """Post batches of events, each event once. More are prepared than can be counted in the time."""
        scale = self.scale
        chosen = random.Random(2)  # noqa: S311
        at = timezone.now().isoformat()

        def batch(number: int) -> bytes:
            first = number * scale.batch
            reports = [
                {
                    "source": source,
                    "event_id": batch_event_id(event),
                    "phone_number": chosen.choice(self.seeded.phone_numbers),
                    "category": chosen.choice(("SOCIAL", "ENTERTAINMENT", "NAVIGATION_SEARCH")),
                    "quantity": chosen.randrange(1, 2**20),
                    "occurred_at": at,
                }
                for event in range(first, first + scale.batch)
            ]
            return self._request("POST", USAGE_EVENTS, port, json.dumps(reports).encode())

        requests = [batch(number) for number in range(scale.batches)]
        return self._reported(port, 200, requests, worth=scale.batch)

    def imported(self, *, source: str, records: int, aim: str) -> Row:
        lines, at, before = self.seeded.phone_numbers, timezone.now(), _events_recorded()
        with tempfile.TemporaryDirectory(prefix="telcox-records-") as folder:
            file = Path(folder) / "records.csv"
            write_detail_records(file, lines, source=source, records=records, until=at)
            result = self.run("import_cdr", str(file))
        wrong = abs(records - (_events_recorded() - before))
        return command_row(
            f"import_cdr, {records:,} records", aim, result, done=records, counted="records", wrong=wrong
        )

    def run(self, *arguments: str) -> Done:
        """Run `manage.py` with the stack's settings."""
        return run_command(*arguments, env={**os.environ, **self.stack.env}, processes=self.groups)

    def _reported(
        self,
        port: int,
        expected: int,
        requests: Sequence[bytes],
        *,
        worth: int = 1,
        connections: int | None = None,
    ) -> HttpResult:
        """Generate the load, and count as errors by how much acknowledged and stored events differ."""
        before = _events_recorded()
        result = self._load(port, expected, requests, worth=worth, connections=connections)
        result.errors["acknowledged and not recorded once"] += abs(
            result.answered * worth - (_events_recorded() - before)
        )
        return result

    def _request(self, method: str, path: str, port: int, body: bytes = b"") -> bytes:
        return request(method, path, token=self.seeded.token, port=port, body=body)

    def _load(
        self,
        port: int,
        expected: int,
        requests: Sequence[bytes],
        *,
        worth: int = 1,
        connections: int | None = None,
    ) -> HttpResult:
        scale = self.scale
        return run_http_load(
            HttpLoad(
                port=port,
                requests=requests,
                expected=expected,
                connections=connections or scale.connections,
                warm_up=scale.warm_up,
                measured=scale.measured,
                processes=self.groups,
                worth=worth,
            )
        )

    # --- The live feed ---

    def _live_feed(self) -> Iterator[Row]:
        scale, numbers = self.scale, self.seeded.phone_numbers
        direct = [process.port for process in self.stack.live]
        base = memory(self.groups["live"]) / len(direct)
        yield memory_row("one live process, no socket", base)

        about = f"live feed, {scale.sockets} sockets × {scale.events_per_second}/s"
        one_line = partial(self._live, numbers[:1], scale.sockets, scale.events_per_second)
        result = one_line([self.stack.proxy.port])
        yield live_row(about, "p99 ≤ 70 ms, all final", result)
        yield self._sockets("on one line", result, base)
        yield live_row(f"{about}, no proxy", "", one_line(direct))

        sockets, events = scale.spread_sockets, scale.spread_events_per_second
        result = self._live(numbers[:sockets], sockets, events, [self.stack.proxy.port])
        about = f"live feed, {sockets} sockets on as many lines, {events} events/s"
        yield live_row(about, "p99 ≤ 250 ms, all final", result)
        yield self._sockets("on as many lines", result, base, "≤ 40 kB a socket")

    def _live(
        self, phone_numbers: Sequence[str], sockets: int, events_per_second: int, ports: Sequence[int]
    ) -> LiveResult:
        return run_live_load(
            LiveLoad(
                socket_ports=ports,
                http_port=self.stack.proxy.port,
                token=self.seeded.token,
                phone_numbers=phone_numbers,
                sockets=sockets,
                events_per_second=events_per_second,
                connections=2 * self.scale.connections,
                warm_up=self.scale.warm_up,
                measured=self.scale.live,
                processes=self.groups,
            )
        )

    def _sockets(self, where: str, result: LiveResult, base: float, aim: str = "") -> Row:
        processes = len(self.stack.live)
        each = result.sockets // processes
        return sockets_row(
            f"one live process, {each} sockets {where}", aim, result.memory / processes, base, each
        )

    def _memory(self, name: str, group: str) -> Row:
        roots = self.groups[group]
        return memory_row(name, memory(roots) / len(roots))


def _events_recorded() -> int:
    from usage.models import UsageEvent  # needs django.setup()

    return UsageEvent.objects.exclude(source=EVENT_SOURCE).count()


def sample(phone_numbers: Sequence[str]) -> list[str]:
    return random.Random(1).sample(phone_numbers, min(PREPARED, len(phone_numbers)))  # noqa: S311


def _port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port
    return port
