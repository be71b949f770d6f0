"""Talking to a process as its users do: over a socket."""

import json
import socket
from http.client import HTTPConnection
from typing import Any, NamedTuple

from websockets.sync.client import ClientConnection, connect

from telcox.testing.processes import LOOPBACK


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
    seconds: float = 30,
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


def watch(port: int, query: str, *, path: str = "/ws/usage", **headers: str) -> ClientConnection:
    """An open socket of the live feed; `recv()` reads its next frame."""
    return connect(
        f"ws://{LOOPBACK}:{port}{path}?{query}", additional_headers=headers, open_timeout=20, proxy=None
    )


def watch_with_small_buffer(port: int, query: str) -> ClientConnection:
    """A socket that takes in little before it is read, so that its server soon notices that nobody does."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect((LOOPBACK, port))
    return connect(f"ws://{LOOPBACK}:{port}/ws/usage?{query}", sock=connection, max_queue=1, proxy=None)


def next_frame(connection: ClientConnection, seconds: float = 20) -> Any:
    return json.loads(connection.recv(timeout=seconds))
