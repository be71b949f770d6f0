"""HTTP and WebSocket clients that talk to a process over a real socket."""

import base64
import json
import os
import socket
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple, Self

from websockets.sync.client import ClientConnection, connect

from telcox.testing.processes import LOOPBACK, wait_until


class Answer(NamedTuple):
    status: int
    content_type: str
    body: Any  # parsed, if it is JSON
    headers: dict[str, str]  # names in lower case


def ask(
    port: int,
    method: str,
    path: str,
    *,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    seconds: float = 60,
) -> Answer:
    connection = HTTPConnection(LOOPBACK, port, timeout=seconds)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        raw = response.read()
        content_type = response.headers.get_content_type()
        parsed = json.loads(raw) if content_type.endswith("json") else raw
        return Answer(response.status, content_type, parsed, {k.lower(): v for k, v in response.getheaders()})
    finally:
        connection.close()


def post_json(port: int, path: str, document: Any, **headers: str) -> Answer:
    return ask(
        port,
        "POST",
        path,
        body=json.dumps(document).encode(),
        headers={"Content-Type": "application/json", **headers},
    )


def wait_until_read(connection: socket.socket) -> None:
    """Wait until the process at the other end, on this machine, has accepted the connection and read all that
    was sent. Raise ProcessFailed after 60 seconds."""
    wait_until(lambda: _is_read(connection), 60, "what was sent is read")


def _is_read(connection: socket.socket) -> bool:
    """Return whether the kernel's table of connections shows, for the other end, that a process has it (its
    inode is not 0) and that its receive queue is empty."""
    here, there = (f"{address[1]:04X}" for address in (connection.getsockname(), connection.getpeername()))
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _state, queues, *_others = fields = line.split()
        if (local.partition(":")[2], remote.partition(":")[2]) == (there, here):
            return fields[9] != "0" and queues.endswith(":00000000")
    return False


def watch(port: int, query: str, *, path: str = "/ws/usage", **headers: str) -> ClientConnection:
    """Return an open socket of the live feed; `recv()` reads its next frame."""
    return connect(
        f"ws://{LOOPBACK}:{port}{path}?{query}",
        additional_headers=headers,
        open_timeout=60,
        ping_interval=None,  # a server that is slow to answer pings is not a failure
        proxy=None,
    )


def watch_with_small_buffer(port: int, query: str) -> ClientConnection:
    """Return a socket with small buffers, so that its server soon notices that the client does not read."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect((LOOPBACK, port))
    return connect(
        f"ws://{LOOPBACK}:{port}/ws/usage?{query}",
        sock=connection,
        max_queue=1,
        ping_interval=None,
        proxy=None,
    )


def next_frame(connection: ClientConnection, seconds: float = 60) -> Any:
    return json.loads(connection.recv(timeout=seconds))


class RawSocket:
    """Live-feed socket that does nothing by itself: it answers no ping and no close frame, and sends the
    frames that it is given, invalid ones too."""

    def __init__(self, port: int, query: str, *, connection: socket.socket | None = None) -> None:
        self.connection = connection or socket.create_connection((LOOPBACK, port), timeout=60)
        key = base64.b64encode(os.urandom(16)).decode()
        self.connection.sendall(
            f"GET /ws/usage?{query} HTTP/1.1\r\nHost: {LOOPBACK}:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self._file = self.connection.makefile("rb")
        assert b"101" in self._file.readline()
        while self._file.readline().strip():
            pass

    def send(self, payload: bytes, opcode: int = 1, *, last: bool = True) -> None:
        self.connection.sendall(client_frame(payload, opcode, last=last))

    def next_frame(self) -> tuple[int, bytes]:
        """Return opcode and payload. Raise ConnectionError if the connection ends first."""
        head = self._exactly(2)
        length = head[1]
        if length == 126:
            length = int.from_bytes(self._exactly(2))
        return head[0] & 0x0F, self._exactly(length)

    def last_frames(self) -> list[tuple[int, bytes]]:
        """Return all frames until the other end closes or drops the connection."""
        frames = []
        try:
            while True:
                frames.append(self.next_frame())
        except ConnectionError:
            return frames

    def _exactly(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            raise ConnectionResetError
        return data

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self._file.close()
        self.connection.close()


def client_frame(payload: bytes, opcode: int = 1, *, last: bool = True) -> bytes:
    """Return a client's frame by RFC 6455, section 5.2, with a mask of zeros, which leaves the payload
    unchanged."""
    length = len(payload)
    head = bytes([opcode | (0x80 if last else 0)])
    if length < 126:
        head += bytes([0x80 | length])
    elif length < 1 << 16:
        head += b"\xfe" + length.to_bytes(2)
    else:
        head += b"\xff" + length.to_bytes(8)
    return head + bytes(4) + payload


def closing(payload: bytes) -> tuple[int, str]:
    """Return code and reason of a close frame."""
    return int.from_bytes(payload[:2]), payload[2:].decode()
