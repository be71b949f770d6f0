"""Many sockets on one line while it changes some times a second: how long from a report being sent to each
socket's frame being read, and what each socket saw last."""

import json
import re
import select
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.processes import SPAWN, CpuMeter, in_own_process, memory

_VERSION = re.compile(rb'"version":(\d+)')
_TEXT, _CLOSE, _PING = 0x81, 0x88, 0x89
# Sockets opened before the first of them is answered: a listening queue of ours must not be what is measured.
OPENED_AT_ONCE = 50
OPENING = 60.0
LAST_FRAMES = 10.0


@dataclass
class LiveLoad:
    """`sockets` are spread over `socket_ports`; the reports go to `http_port`."""

    socket_ports: Sequence[int]
    http_port: int
    token: str
    phone_number: str
    sockets: int
    events_per_second: int
    warm_up: float
    measured: float
    processes: Mapping[str, Sequence[int]] = field(default_factory=dict)


@dataclass
class LiveResult:
    """Latencies in seconds. `delivered` is the share of frames that came, of sockets × events; a frame that
    the next one overtook is not sent, and that is right. `final` counts the sockets that saw the last
    state; `memory` is that of the processes that serve them, in bytes, while all are open."""

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
    """One client: every state's version, and when it was read."""

    def __init__(self, port: int, load: LiveLoad) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port))
        self.connection.sendall(
            (
                f"GET /ws/usage?phone_number={load.phone_number} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Token {load.token}\r\n\r\n"
            ).encode()
        )
        self.connection.setblocking(False)
        self.read_at: dict[int, float] = {}
        self.version = 0
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
        """Opcode and payload; a server's frames are not masked, and ours are short of 64 KiB."""
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
        if opcode == _TEXT and (match := _VERSION.search(payload)):
            version = int(match[1])
            self.backwards += version < self.version
            self.version = version
            self.read_at[version] = now
        elif opcode == _PING:
            # A client's frames are masked; zeros leave the payload as it is.
            self.connection.send(bytes([0x8A, 0x80 | len(payload), 0, 0, 0, 0]) + payload)
        else:
            self.open = False


def _run(load: LiveLoad) -> LiveResult:
    result = LiveResult(load.sockets, load.measured)
    poll = select.epoll()
    sockets = _open(load, poll)
    pipe, theirs = SPAWN.Pipe()
    reporter = SPAWN.Process(target=_report, args=(load, theirs), daemon=True)
    reporter.start()
    poll.register(pipe.fileno(), select.EPOLLIN)
    meter = CpuMeter(load.processes)
    while pipe.fileno() not in _read_ready(poll, sockets, 1.0):
        pass
    sent_at: dict[int, float] = pipe.recv()
    poll.unregister(pipe.fileno())
    result.cpu = meter.shares()
    result.memory = memory(load.processes["live"])
    last = max(sent_at)
    deadline = time.monotonic() + LAST_FRAMES
    while time.monotonic() < deadline and any(s.open and s.version < last for s in sockets.values()):
        _read_ready(poll, sockets, 0.1)
    _summarize(result, list(sockets.values()), sent_at, load)
    for client in sockets.values():
        client.connection.close()
    return result


def _open(load: LiveLoad, poll: select.epoll) -> dict[int, _Socket]:
    """All of them connected, and each sent its first state."""
    sockets: dict[int, _Socket] = {}
    deadline = time.monotonic() + OPENING
    while time.monotonic() < deadline:
        waiting = sum(client.open and not client.version for client in sockets.values())
        if not waiting and len(sockets) == load.sockets:
            break
        if waiting < OPENED_AT_ONCE and len(sockets) < load.sockets:
            client = _Socket(load.socket_ports[len(sockets) % len(load.socket_ports)], load)
            sockets[client.connection.fileno()] = client
            poll.register(client.connection.fileno(), select.EPOLLIN)
        else:
            _read_ready(poll, sockets, 0.1)
    return sockets


def _read_ready(poll: select.epoll, sockets: dict[int, _Socket], seconds: float) -> set[int]:
    """Reads what there is, waiting for it at the most so long; returns what was ready."""
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


def _report(load: LiveLoad, pipe: Connection) -> None:
    """Sends reports on time, as the network would; then tells which version each made, and when it was
    sent."""
    connection = HTTPConnection("127.0.0.1", load.http_port)
    sent_at: dict[int, float] = {}
    interval = 1 / load.events_per_second
    next_at = time.monotonic()
    for _ in range(int((load.warm_up + load.measured) * load.events_per_second)):
        time.sleep(max(0.0, next_at - time.monotonic()))
        next_at += interval
        now = time.monotonic()
        sent_at[_send_report(connection, load)] = now
    pipe.send(sent_at)


def _send_report(connection: HTTPConnection, load: LiveLoad) -> int:
    body: dict[str, Any] = {"phone_number": load.phone_number, "category": "SOCIAL", "bytes": 1024}
    headers = {"Authorization": f"Token {load.token}", "Content-Type": "application/json"}
    connection.request("POST", "/api/dev/usage-event", json.dumps(body), headers)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 202:
        raise RuntimeError(f"usage-event answered {answer.status}: {content[:200]!r}")
    return int(json.loads(content)["snapshot"]["version"])


def _summarize(result: LiveResult, sockets: list[_Socket], sent_at: dict[int, float], load: LiveLoad) -> None:
    last = max(sent_at)
    begin = min(sent_at.values()) + load.warm_up
    counted = {version: at for version, at in sent_at.items() if at >= begin}
    result.latencies = [
        client.read_at[version] - at
        for version, at in counted.items()
        for client in sockets
        if version in client.read_at
    ]
    result.delivered = len(result.latencies) / (len(counted) * load.sockets)
    result.final = sum(client.version == last for client in sockets)
    result.backwards = sum(client.backwards for client in sockets)
    result.closed = load.sockets - sum(client.open for client in sockets)
