"""Load on the live feed: the time from sending a report to reading the frame on each socket, and the last
state that each socket received."""

import re
import select
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.processes import SPAWN, CpuMeter, in_own_process, memory
from benchmarks.reporter import Reports, SentAt, send_reports

_VERSION = re.compile(rb'"version":(\d+)')
_TEXT, _CLOSE, _PING = 0x81, 0x88, 0x89
# Sockets that may wait for their first state at once, so that the server's listen queue is not measured.
OPENED_AT_ONCE = 50
OPENING = 180.0
LAST_FRAMES = 10.0


@dataclass
class LiveLoad:
    """Load to generate. `sockets` are spread evenly over `socket_ports` and over `phone_numbers`. Reports of
    all these numbers, in turn, go to `http_port` over `connections` connections."""

    socket_ports: Sequence[int]
    http_port: int
    token: str
    phone_numbers: Sequence[str]
    sockets: int
    events_per_second: int
    connections: int
    warm_up: float
    measured: float
    processes: Mapping[str, Sequence[int]] = field(default_factory=dict)


@dataclass
class LiveResult:
    """Result of a load. `latencies` are in seconds. `delivered` is the share of the expected frames that were
    read; below 1 is correct, because a state that a newer one replaces before it is sent is left out.

    `final` counts the sockets that received the last state, `backwards` the frames older than the one before,
    `closed` the sockets that did not stay open. `memory` is that of the `live` processes in bytes, with all
    sockets open."""

    sockets: int
    measured: float
    latencies: list[float] = field(default_factory=list)
    delivered: float = 0.0
    final: int = 0
    backwards: int = 0
    closed: int = 0
    memory: int = 0
    cpu: Mapping[str, float] = field(default_factory=dict)

    @property
    def frames_per_second(self) -> float:
        return len(self.latencies) / self.measured


def run_live_load(load: LiveLoad) -> LiveResult:
    return in_own_process(_run, load)


class _Socket:
    """Client that keeps each state's version and when it was read. `line` is the index of its number in
    `phone_numbers`."""

    def __init__(self, port: int, line: int, load: LiveLoad) -> None:
        self.line = line
        self.connection = socket.create_connection(("127.0.0.1", port))
        self.connection.sendall(
            (
                f"GET /ws/usage?phone_number={load.phone_numbers[line]} HTTP/1.1\r\n"
                f"Host: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Version: 13\r\n"
                f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Token {load.token}\r\n\r\n"
            ).encode()
        )
        self.connection.setblocking(False)
        self.read_at: dict[int, float] = {}
        self.first = self.version = 0
        self.backwards = 0
        self.open = True
        self._upgraded = False
        self._received = b""

    def read(self) -> None:
        data = self.connection.recv(65536)
        now = time.monotonic()
        self.open = bool(data)
        self._received += data
        if not self._upgraded:
            head, separator, rest = self._received.partition(b"\r\n\r\n")
            if not separator:
                return
            self.open = head.startswith(b"HTTP/1.1 101")
            self._upgraded, self._received = True, rest
        while self.open and (frame := self._next_frame()):
            self._take(*frame, now)

    def _next_frame(self) -> tuple[int, bytes] | None:
        """Return opcode and payload, or None if the frame is not complete. A server's frames are not masked,
        and TelcoX's are shorter than 64 KiB."""
        if len(self._received) < 4:
            return None
        start, length = 2, self._received[1]
        if length == 126:
            start, length = 4, int.from_bytes(self._received[2:4], "big")
        end = start + length
        if len(self._received) < end:
            return None
        opcode, payload = self._received[0], self._received[start:end]
        self._received = self._received[end:]
        return opcode, payload

    def _take(self, opcode: int, payload: bytes, now: float) -> None:
        if opcode == _TEXT:
            if not (match := _VERSION.search(payload)):
                return  # an alert
            version = int(match[1])
            self.backwards += version < self.version
            self.first = self.first or version
            self.version = version
            self.read_at[version] = now
        elif opcode == _PING:
            # A client has to mask its frames; a mask of zeros leaves the payload unchanged.
            self.connection.send(bytes([0x8A, 0x80 | len(payload), 0, 0, 0, 0]) + payload)
        else:
            self.open = False


def _run(load: LiveLoad) -> LiveResult:
    result = LiveResult(load.sockets, load.measured)
    poll = select.epoll()
    sockets = _open(load, poll)
    pipe, theirs = SPAWN.Pipe()
    reports = Reports(
        port=load.http_port,
        token=load.token,
        phone_numbers=load.phone_numbers,
        per_second=load.events_per_second,
        connections=load.connections,
        seconds=load.warm_up + load.measured,
    )
    reporter = SPAWN.Process(target=send_reports, args=(reports, theirs), daemon=True)
    reporter.start()
    theirs.close()  # so that `pipe` ends when the reporter ends
    poll.register(pipe.fileno(), select.EPOLLIN)
    meter = CpuMeter(load.processes)
    while pipe.fileno() not in _read_ready(poll, sockets, 1.0):
        pass
    sent_at: SentAt = pipe.recv()
    poll.unregister(pipe.fileno())
    result.cpu = meter.shares()
    result.memory = memory(load.processes["live"])
    clients = list(sockets.values())
    bases = _bases(clients, len(load.phone_numbers))
    last = [base + len(sent) for base, sent in zip(bases, sent_at, strict=True)]
    deadline = time.monotonic() + LAST_FRAMES
    while time.monotonic() < deadline and any(s.open and s.version < last[s.line] for s in clients):
        _read_ready(poll, sockets, 0.1)
    _summarize(result, clients, sent_at, bases, load)
    for client in clients:
        client.connection.close()
    return result


def _open(load: LiveLoad, poll: select.epoll) -> dict[int, _Socket]:
    """Open all sockets and read each one's first state, for at most OPENING seconds. Return them by file
    descriptor."""
    sockets: dict[int, _Socket] = {}
    waiting: list[_Socket] = []
    deadline = time.monotonic() + OPENING
    while time.monotonic() < deadline and (waiting or len(sockets) < load.sockets):
        if len(waiting) < OPENED_AT_ONCE and len(sockets) < load.sockets:
            number = len(sockets)
            port = load.socket_ports[number % len(load.socket_ports)]
            client = _Socket(port, number % len(load.phone_numbers), load)
            sockets[client.connection.fileno()] = client
            waiting.append(client)
            poll.register(client.connection.fileno(), select.EPOLLIN)
        else:
            _read_ready(poll, sockets, 0.1)
            waiting = [client for client in waiting if client.open and not client.version]
    return sockets


def _read_ready(poll: select.epoll, sockets: dict[int, _Socket], seconds: float) -> set[int]:
    """Read what has arrived, after waiting at most `seconds` for it. Return the descriptors that were
    ready."""
    ready = [descriptor for descriptor, _ in poll.poll(seconds)]
    for descriptor in ready:
        if client := sockets.get(descriptor):
            try:
                client.read()
            except OSError:
                client.open = False
            if not client.open:
                poll.unregister(descriptor)
    return set(ready)


def _bases(clients: Sequence[_Socket], lines: int) -> list[int]:
    """Return each line's version before its first report."""
    bases = [0] * lines
    for client in clients:
        bases[client.line] = client.first
    return bases


def _summarize(
    result: LiveResult, clients: Sequence[_Socket], sent_at: SentAt, bases: Sequence[int], load: LiveLoad
) -> None:
    begin = min(sent[0] for sent in sent_at if sent) + load.warm_up
    expected = 0
    for client in clients:
        for version, at in enumerate(sent_at[client.line], start=bases[client.line] + 1):
            if at >= begin:
                expected += 1
                if version in client.read_at:
                    result.latencies.append(client.read_at[version] - at)
    result.delivered = len(result.latencies) / expected
    result.final = sum(c.version == bases[c.line] + len(sent_at[c.line]) for c in clients)
    result.backwards = sum(client.backwards for client in clients)
    result.closed = load.sockets - sum(client.open for client in clients)
