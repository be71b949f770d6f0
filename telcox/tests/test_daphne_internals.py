"""What our server uses of daphne, autobahn and Twisted beyond their documented interfaces.

`telcox/common/sockets/daphne.py` and `stopping.py` override methods and read attributes that the three
libraries may change in any release. Each test here checks one such use: that the method is still called, or
the attribute still means what our code assumes. A test that fails after an upgrade names the part that
changed. The transport is Twisted's own, on a real connection.
"""

import asyncio
import functools
import inspect
import json
import socket
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from autobahn.websocket.protocol import WebSocketProtocol as Autobahn
from daphne.cli import CommandLineInterface
from daphne.http_protocol import HTTPFactory
from daphne.management.commands import runserver
from daphne.server import Server
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.tcp import Server as Transport
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from telcox.common.sockets import daphne as ours
from telcox.common.sockets import stopping
from telcox.testing.clients import client_frame, closing
from telcox.testing.processes import LOOPBACK

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
PING_TIMEOUT = 30

Scenario = Callable[..., Coroutine[Any, Any, None]]


def in_loop(scenario: Scenario) -> Callable[..., None]:
    @functools.wraps(scenario)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(scenario(*args, **kwargs))

    return run


class Connection:
    """A client's end and a server's end, connected by Twisted's TCP transport."""

    def __init__(self) -> None:
        self.scopes: list[Any] = []
        self.events: list[str] = []
        self.server = ours.LiveServer(self.application, endpoints=["unused"], server_name="")
        self.server.connections = {}
        self.server.ws_factory = WebSocketFactory(self.server, server="")
        # As Server.run() does; sizes that are not ours, to see whose count.
        self.server.ws_factory.setProtocolOptions(
            autoPingTimeout=PING_TIMEOUT, maxMessagePayloadSize=2**20, maxFramePayloadSize=2**20
        )
        self.reactor = MemoryReactorClock()
        with socket.create_server((LOOPBACK, 0)) as listening:
            self.client = socket.create_connection(listening.getsockname(), timeout=2)
            accepted, address = listening.accept()
        accepted.setblocking(False)
        self.channel = HTTPFactory(self.server).buildProtocol(None)
        # None: the listening port, of which only logs speak.
        server_port: Any = None
        reactor: Any = self.reactor
        self.transport = Transport(accepted, self.channel, address, server_port, 0, reactor)
        self.channel.makeConnection(self.transport)

    async def application(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        while True:
            event = await receive()
            self.events.append(event["type"])
            if event["type"] == "websocket.connect":
                await send({"type": "websocket.accept"})

    async def send(self, data: bytes) -> None:
        """Send from the client, and let the server and its application handle it."""
        self.client.sendall(data)
        self.transport.doRead()
        await asyncio.sleep(0.01)  # the application's turn

    def receive(self) -> bytes:
        """Let the server write, and return what the client reads, which must be something."""
        self.transport.doWrite()
        data = self.client.recv(2**20)
        assert data, "the server has closed the connection"
        return data

    def frames(self) -> list[tuple[int, bytes]]:
        """Return opcode and payload of the frames that the client reads; each is shorter than 126 bytes."""
        data, found = self.receive(), []
        while data:
            end = 2 + data[1]
            found.append((data[0] & 0x0F, data[2:end]))
            data = data[end:]
        return found

    async def open(self) -> ours.Socket:
        await self.send(
            b"GET /ws/usage HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        assert self.receive().startswith(b"HTTP/1.1 101 ")
        opened = self.transport.protocol
        assert isinstance(opened, ours.Socket)
        return opened

    def close(self) -> None:
        """Lose the connection, as when the client closes it."""
        if self.transport.connected:
            self.transport.connectionLost(Failure(ConnectionDone()))
        self.client.close()


@pytest.fixture
def connection() -> Iterator[Connection]:
    connection = Connection()
    yield connection
    connection.close()


@pytest.fixture(autouse=True)
def extended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put our classes where daphne looks for its own, for the duration of a test."""
    monkeypatch.setattr(WebSocketFactory, "protocol", WebSocketFactory.protocol)
    monkeypatch.setattr(CommandLineInterface, "server_class", CommandLineInterface.server_class)
    monkeypatch.setattr(runserver.Command, "server_cls", runserver.Command.server_cls)
    ours.extend_daphne()


# --- Where daphne looks for the classes that it makes ---


def test_the_command_line_starts_our_server_once_it_has_loaded_the_application(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def load(_: CommandLineInterface, path: str) -> Any:
        assert path == "telcox.asgi:application"
        ours.extend_daphne()  # as telcox.asgi does
        return Connection.application

    started: list[Any] = []
    monkeypatch.setattr(CommandLineInterface, "server_class", Server)
    monkeypatch.setattr(CommandLineInterface, "load_asgi_app", load)
    monkeypatch.setattr(ours.LiveServer, "run", lambda server: started.append(server))
    options = ("--verbosity=0", "--no-server-name", "--ping-interval=7", "--ping-timeout=9", "--port=1")
    CommandLineInterface().run([*options, "telcox.asgi:application"])
    (server,) = started
    assert (server.ping_interval, server.ping_timeout, server.server_name) == (7, 9, "")


def test_runserver_starts_our_server() -> None:
    assert runserver.Command.server_cls is ours.LiveServer
    assert "self.server_cls(" in inspect.getsource(runserver.Command.inner_run)


# --- autobahn's frames ---


@in_loop
async def test_a_socket_is_ours_and_its_application_is_given_its_outlet(connection: Connection) -> None:
    opened = await connection.open()
    (scope,) = connection.scopes
    assert ours.outlet_of(scope) is opened.outlet
    assert opened.server is connection.server
    assert opened.state == Autobahn.STATE_OPEN


@in_loop
async def test_what_a_socket_sets_itself_is_not_replaced_by_its_factory(
    connection: Connection, settings: Any
) -> None:
    opened = await connection.open()
    assert opened.maxMessagePayloadSize == opened.maxFramePayloadSize == settings.LIVE_MESSAGE_BYTES
    assert (opened.failByDrop, opened.closeHandshakeTimeout) == (False, 3)
    await connection.send(client_frame(b"x" * (settings.LIVE_MESSAGE_BYTES + 1)))
    ((opcode, payload),) = connection.frames()
    assert (opcode, closing(payload)[0]) == (CLOSE, 1009)
    assert opened.failedByMe


@pytest.mark.parametrize("opcode", [TEXT, PING, PONG])
@in_loop
async def test_each_frame_is_announced_with_its_opcode_before_it_is_answered(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, opcode: int
) -> None:
    seen = []
    announced = Autobahn.onFrameBegin

    def record(self: Any) -> None:
        seen.append(self.current_frame.opcode)
        announced(self)

    monkeypatch.setattr(Autobahn, "onFrameBegin", record)
    await connection.open()
    await connection.send(client_frame(b"", opcode, last=opcode != TEXT) * 2)
    assert seen == [opcode, opcode]


@in_loop
async def test_frames_after_a_flood_are_neither_parsed_nor_kept(
    connection: Connection, settings: Any
) -> None:
    settings.LIVE_MESSAGES_PER_SECOND = 0.001
    opened = await connection.open()
    outlet = opened.outlet
    assert outlet
    floods = []

    def on_flood() -> None:
        floods.append(1)
        outlet.close(1008)

    outlet.on_flood = on_flood
    await connection.send(client_frame(b"", PING) * 100)
    await connection.send(client_frame(b"", PING) * 100)
    assert floods == [1]
    assert [opcode for opcode, _ in connection.frames()] == [PONG, CLOSE]
    assert opened.data == b""


@in_loop
async def test_any_close_code_can_be_sent_with_a_reason_and_is_counted_once(connection: Connection) -> None:
    counted = ours.CLOSED.labels(stopping.SERVICE_RESTART)._value
    before = counted.get()
    opened = await connection.open()
    opened.close_for_restart()
    assert opened.state == Autobahn.STATE_CLOSING
    ((opcode, payload),) = connection.frames()
    code, reason = closing(payload)
    assert (opcode, code) == (CLOSE, stopping.SERVICE_RESTART)
    assert json.loads(reason).keys() == {"retry_after"}
    assert opened.closeHandshakeTimeoutCall is not None
    await connection.send(client_frame(payload, CLOSE))
    assert counted.get() == before + 1


@in_loop
async def test_the_answer_to_a_close_frame_is_told_apart_and_not_counted(connection: Connection) -> None:
    counted = ours.CLOSED.labels(1000)._value
    before = counted.get()
    await connection.open()
    await connection.send(client_frame((1000).to_bytes(2), CLOSE))
    ((opcode, payload),) = connection.frames()
    assert (opcode, closing(payload)[0]) == (CLOSE, 1000)
    assert counted.get() == before


@in_loop
async def test_a_quiet_socket_is_pinged_once_until_it_answers(connection: Connection) -> None:
    opened = await connection.open()

    def look() -> None:
        opened.last_ping = 0  # quiet for long
        opened.check_timeouts()

    look()
    ((opcode, payload),) = connection.frames()
    assert opcode == PING
    assert opened.autoPingTimeoutCall is not None
    look()
    assert not connection.transport._tempDataLen, "a second ping was sent"
    await connection.send(client_frame(payload, PONG))
    assert opened.autoPingTimeoutCall is None
    look()
    assert [opcode for opcode, _ in connection.frames()] == [PING]


# --- Twisted's transport ---


@in_loop
async def test_a_reader_that_is_behind_clogs_its_outlet_until_all_was_written(connection: Connection) -> None:
    opened = await connection.open()
    outlet = opened.outlet
    assert outlet
    cleared = []
    outlet.on_clear = lambda: cleared.append(1)
    kept = connection.transport.getHandle().getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    assert ours.BUFFERED_MAX <= kept <= 2 * ours.BUFFERED_MAX  # Linux tells the double
    outlet.write(bytes(ours.BUFFERED_MAX))
    assert not outlet.clogged
    outlet.write(b"x")
    assert outlet.clogged
    assert connection.transport not in connection.reactor.readers, "still read from"
    written = 0
    while outlet.clogged:
        written += len(connection.receive())
    assert cleared == [1]
    assert connection.transport in connection.reactor.readers
    while written < ours.BUFFERED_MAX + 1:
        written += len(connection.client.recv(2**20))


@in_loop
async def test_a_reader_that_takes_nothing_is_aborted(connection: Connection, settings: Any) -> None:
    settings.LIVE_STALLED_SECONDS = 0.01
    opened = await connection.open()
    assert opened.outlet
    opened.outlet.write(bytes(100 * ours.BUFFERED_MAX))
    connection.transport.doWrite()
    await asyncio.sleep(0.05)
    connection.reactor.advance(0)
    assert connection.transport.disconnected
    await asyncio.sleep(0.01)
    assert connection.events[-1] == "websocket.disconnect"


@in_loop
async def test_a_clogged_connection_that_is_being_closed_ends_once_it_is_written(
    connection: Connection,
) -> None:
    opened = await connection.open()
    assert opened.outlet
    opened.outlet.write(bytes(ours.BUFFERED_MAX + 1))
    connection.transport.loseConnection()
    assert connection.transport.disconnecting
    written, ended = 0, None
    while not ended and written <= ours.BUFFERED_MAX:
        ended = connection.transport.doWrite()
        written += len(connection.client.recv(2**20))
    # What tells the reactor that the connection is done; never said while a producer is registered.
    assert isinstance(ended or connection.transport.doWrite(), ConnectionDone)


@in_loop
async def test_a_connection_that_is_lost_stops_the_timer_that_would_cut_it_off(
    connection: Connection,
) -> None:
    opened = await connection.open()
    assert opened.outlet
    opened.outlet.write(bytes(ours.BUFFERED_MAX + 1))
    assert opened.outlet._cut
    connection.close()
    assert opened.outlet._cut is None


# --- How daphne ends ---


def test_what_daphne_does_before_its_reactor_ends_is_ours() -> None:
    assert 'addSystemEventTrigger("before", "shutdown", self.kill_all_applications)' in inspect.getsource(
        Server.run
    )
    assert "listener.addCallback(self.listen_success)" in inspect.getsource(Server.run)


@in_loop
async def test_a_server_that_stops_knows_its_sockets_tells_them_and_waits_for_them(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "_let_the_next_signal_kill", lambda: None)
    opened = await connection.open()
    server = connection.server
    assert server._open(lambda protocol: isinstance(protocol, WebSocketProtocol)) == [opened]
    assert server._open(lambda protocol: not isinstance(protocol, WebSocketProtocol)) == []
    application = server.connections[opened]["application_instance"]
    ended = server.kill_all_applications()
    assert isinstance(ended, Deferred)
    stopped = ended.asFuture(asyncio.get_running_loop())
    await asyncio.sleep(2 * stopping.LOOK_SECONDS)
    ((opcode, payload),) = connection.frames()
    assert (opcode, closing(payload)[0]) == (CLOSE, stopping.SERVICE_RESTART)
    assert not stopped.done()
    connection.close()
    await asyncio.wait_for(stopped, 5)
    assert application.cancelled()


@in_loop
async def test_a_request_that_a_stopping_server_answers_is_its_connections_last(
    connection: Connection,
) -> None:
    server = connection.server
    server.stopping = True
    await connection.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    (request,) = server.connections
    (transport,) = server._last_transports
    assert transport is connection.transport
    assert server._unfinished() == 1
    body = {"type": "http.response.body", "body": b"well"}
    for message in ({"type": "http.response.start", "status": 200}, body):
        await server.handle_reply(request, message)
    answer = b""
    while b"well" not in answer:
        answer += connection.receive()
    assert b"\r\nconnection: close\r\n" in answer.lower()
    assert "disconnected" in server.connections[request]
    assert connection.transport.disconnecting
    connection.close()
    assert server._unfinished() == 0
