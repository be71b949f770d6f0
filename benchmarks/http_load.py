"""HTTP load from a process of its own: a few keep-alive connections, each with one request at a time.

It has its own HTTP client, because a general one costs more per request than the server that is measured.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle

from benchmarks.processes import CpuMeter, in_own_process

# The header of the last response over a connection (nginx closes one after 1,000 requests).
_LAST_ANSWER = b"\r\nconnection: close"
_HEAD = re.compile(rb"HTTP/1\.1 (\d+).*\r\ncontent-length: (\d+)", re.IGNORECASE | re.DOTALL)
# How long to wait at the end for responses that are still outstanding, in seconds.
LAST_ANSWERS = 10.0


@dataclass
class HttpLoad:
    """Load to generate. `requests` are sent unchanged, in turn, for `warm_up` and then `measured` seconds.
    `expected` is the status of a correct response, `processes` are the pids whose processor time is measured,
    by group, and `worth` is how many events a request carries."""

    port: int
    requests: Sequence[bytes]
    expected: int
    connections: int
    warm_up: float
    measured: float
    processes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    worth: int = 1


@dataclass
class HttpResult:
    """Result of a load. `latencies` are in seconds, of requests sent and answered within the measured time;
    `answered` counts all correct responses, warm-up included; `errors` counts the others by what was
    wrong."""

    measured: float
    worth: int = 1
    latencies: list[float] = field(default_factory=list)
    answered: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    cpu: Mapping[str, float] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        return self.worth * len(self.latencies) / self.measured


def request(method: str, path: str, *, token: str, port: int, body: bytes = b"") -> bytes:
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Token {token}\r\n"
        f"Accept: application/json\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def run_http_load(load: HttpLoad) -> HttpResult:
    return in_own_process(_run, load)


def _run(load: HttpLoad) -> HttpResult:
    return asyncio.run(_generate(load))


async def _generate(load: HttpLoad) -> HttpResult:
    result = HttpResult(load.measured, load.worth)
    begin = time.monotonic() + load.warm_up
    requests = cycle(load.requests)
    clients = [_Client(load, result, requests, begin) for _ in range(load.connections)]
    for client in clients:
        await client.connect()
    await asyncio.sleep(begin - time.monotonic())
    meter = CpuMeter(load.processes)
    await asyncio.sleep(load.measured)
    result.cpu = meter.shares()
    _, unfinished = await asyncio.wait([client.finished for client in clients], timeout=LAST_ANSWERS)
    result.errors["no answer"] += len(unfinished)
    return result


class _Client(asyncio.Protocol):
    """Client with one connection at a time: it sends a request, waits for the whole response, and sends the
    next."""

    def __init__(self, load: HttpLoad, result: HttpResult, requests: Iterator[bytes], begin: float) -> None:
        self.load, self.result, self.requests, self.begin = load, result, requests, begin
        self.end = begin + load.measured
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._received = b""
        self._sent_at = 0.0
        self._connecting: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", self.load.port)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._connecting = None
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        match = _HEAD.match(head)
        if match is None:
            self._stop("answer not understood")
        elif len(body) >= int(match[2]):
            self._received = b""
            self._answered(int(match[1]), last=_LAST_ANSWER in head.lower())

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.finished.done() and self._connecting is None:
            self._stop("connection lost")

    def _send(self) -> None:
        self._sent_at = time.monotonic()
        self.transport.write(next(self.requests))

    def _answered(self, status: int, *, last: bool) -> None:
        now = time.monotonic()
        if status != self.load.expected:
            self.result.errors[f"status {status}"] += 1
        else:
            self.result.answered += 1
            if self.begin <= self._sent_at and now <= self.end:
                self.result.latencies.append(now - self._sent_at)
        if now >= self.end:
            self._stop()
        elif last:
            self._reconnect()
        else:
            self._send()

    def _reconnect(self) -> None:
        self.transport.close()
        self._connecting = asyncio.create_task(self.connect())

    def _stop(self, error: str = "") -> None:
        if error:
            self.result.errors[error] += 1
        self.finished.set_result(None)
        self.transport.close()
