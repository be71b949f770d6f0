"""What a client of the live feed may do, over real sockets: how many, how much, how silent."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from telcox.testing.clients import RawSocket, client_frame, closing, next_frame
from telcox.testing.embedded import BRUNO, CARLA, JESUS, Embedded, serve
from telcox.testing.processes import wait_until

pytestmark = [pytest.mark.once, pytest.mark.processes]

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
MESSAGE_MAX = 16 * 1024

Serve = Callable[..., Embedded]


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: Any, django_db_blocker: Any
) -> Iterator[Serve]:
    """Starts servers with settings of their own."""
    with django_db_blocker.unblock(), ExitStack() as stack:

        def start(**settings: str) -> Embedded:
            return stack.enter_context(contextmanager(serve)(tmp_path_factory.mktemp("limits"), **settings))

        yield start


@pytest.fixture(scope="module")
def embedded(served: Serve) -> Embedded:
    return served()


@pytest.fixture(scope="module")
def narrow(served: Serve) -> Embedded:
    return served(LIVE_SOCKETS_MAX="3", LIVE_SOCKETS_PER_LINE="2")


def refusal(socket: ClientConnection) -> tuple[str, int, str]:
    """The error frame's message, and the close frame's code and reason."""
    error = next_frame(socket)
    assert error["type"] == "error"
    with pytest.raises(ConnectionClosed) as closed:
        socket.recv(timeout=60)
    assert closed.value.rcvd
    return error["message"], closed.value.rcvd.code, closed.value.rcvd.reason


def test_one_socket_too_many_on_a_line_is_told_so_and_to_come_back(narrow: Embedded) -> None:
    with narrow.watch(JESUS) as one, narrow.watch(JESUS) as other, narrow.watch(JESUS) as third:
        next_frame(one), next_frame(other)
        message, code, reason = refusal(third)
        assert code == 1013
        assert "línea" in message
        assert 1 <= json.loads(reason)["retry_after"] <= 15
        assert narrow.sockets() == 2
        with narrow.watch(CARLA) as of_another_line:
            assert next_frame(of_another_line)["phone_number"] == CARLA


def test_one_socket_too_many_in_the_process_is_refused_and_one_that_leaves_makes_room(
    narrow: Embedded,
) -> None:
    wait_until(lambda: narrow.sockets() == 0, 60, "the sockets of other tests have gone")
    with narrow.watch(JESUS) as one, narrow.watch(BRUNO) as other:
        with narrow.watch(CARLA) as third:
            next_frame(one), next_frame(other), next_frame(third)
            for _ in range(5):
                with narrow.watch(CARLA) as fourth:
                    assert refusal(fourth)[1] == 1013
            assert narrow.sockets() == 3
        wait_until(lambda: narrow.sockets() == 2, 60, "the one that left is not counted")
        with narrow.watch(CARLA) as again:
            assert next_frame(again)["type"] == "snapshot"


def test_what_is_refused_for_any_reason_is_not_counted(embedded: Embedded) -> None:
    before = embedded.sockets()
    for number in ("0999999999", "abcdef", ""):
        with embedded.watch(number) as socket:
            assert refusal(socket)[1] in (1000, 1008)
    assert embedded.sockets() == before


def test_texts_at_a_human_pace_are_all_answered(embedded: Embedded) -> None:
    with embedded.watch() as socket:
        next_frame(socket)
        for _ in range(40):
            socket.send("hola")
        assert [next_frame(socket)["type"] for _ in range(40)] == ["noop"] * 40


def flooding(payload: bytes, opcode: int, *, last: bool = True) -> bytes:
    return client_frame(payload, opcode, last=last) * 5_000


@pytest.mark.parametrize(
    "frames",
    [
        flooding(b"hola", TEXT),
        flooding(b"\x00", BINARY),
        flooding(b"", PING),
        flooding(b"", PONG),
        client_frame(b"", TEXT, last=False) + flooding(b"", 0, last=False),
    ],
    ids=["texts", "binary", "pings", "pongs", "empty parts of one message"],
)
def test_a_flood_of_any_kind_ends_with_an_error_and_1008(embedded: Embedded, frames: bytes) -> None:
    with RawSocket(embedded.port, f"phone_number={JESUS}") as socket:
        assert socket.next_frame()[0] == TEXT
        socket.connection.sendall(frames)
        *answers, error, close = socket.last_frames()
        assert json.loads(error[1]) == {"type": "error", "message": "Demasiados mensajes en poco tiempo"}
        assert (close[0], closing(close[1])[0]) == (CLOSE, 1008)
        assert len(answers) <= 50


def memory(pid: int) -> int:
    """Resident, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


def test_a_flood_that_reads_nothing_fills_no_memory_and_disturbs_nobody(embedded: Embedded) -> None:
    pid = embedded.server.pid
    with embedded.watch(CARLA) as other:
        next_frame(other)
        before = memory(pid)
        for _ in range(5):
            with RawSocket(embedded.port, f"phone_number={JESUS}") as socket:
                socket.connection.settimeout(5)
                try:
                    for _ in range(400):
                        socket.connection.sendall(flooding(b"hola", TEXT))
                except OSError:  # cut off
                    pass
                assert embedded.report(CARLA) == next_frame(other)
        assert memory(pid) - before < 8 * 2**20
        wait_until(lambda: embedded.sockets() == 1, 60, "those that flooded are gone")


@pytest.mark.parametrize(
    "frames",
    [
        client_frame(b"x" * (MESSAGE_MAX + 1)),
        # Announced and never sent.
        client_frame(b"")[:1] + b"\xff" + (2**40).to_bytes(8) + bytes(4),
        client_frame(b"x" * 10_000, last=False) + client_frame(b"x" * 10_000, 0),
    ],
    ids=["one frame", "only announced", "in parts"],
)
def test_a_message_that_is_too_large_is_closed_with_1009_and_not_read(
    embedded: Embedded, frames: bytes
) -> None:
    with RawSocket(embedded.port, f"phone_number={JESUS}") as socket:
        assert socket.next_frame()[0] == TEXT
        socket.connection.sendall(frames)
        opcode, payload = socket.next_frame()
        assert (opcode, closing(payload)[0]) == (CLOSE, 1009)
        before = memory(embedded.server.pid)
        try:
            for _ in range(64):
                socket.connection.sendall(b"x" * 2**20)
        except OSError:  # cut off
            pass
        assert memory(embedded.server.pid) - before < 8 * 2**20


def test_a_socket_that_answers_no_ping_is_noticed_and_the_others_stay(served: Serve) -> None:
    server = served(LIVE_PING_SECONDS="1", LIVE_PING_TIMEOUT_SECONDS="5")
    with server.watch() as alive, RawSocket(server.port, f"phone_number={JESUS}") as silent:
        next_frame(alive)
        # Ends when it is cut off, or fails because nothing comes for a minute. Swallowed, all of it.
        assert [opcode for opcode, _ in silent.last_frames()][:2] == [TEXT, PING]
        wait_until(lambda: server.sockets() == 1, 60, "the silent one is not counted")
        time.sleep(3)
        assert server.report() == next_frame(alive)


def test_a_slow_answer_to_a_ping_counts_though_another_ping_was_due(served: Serve) -> None:
    server = served(LIVE_PING_SECONDS="1", LIVE_PING_TIMEOUT_SECONDS="8")
    with RawSocket(server.port, f"phone_number={JESUS}") as slow:
        slow.next_frame()
        opcode, payload = slow.next_frame()
        assert opcode == PING
        time.sleep(3)  # the next one would have been sent after two
        slow.send(payload, PONG)
        time.sleep(5.5)  # by now it would have been cut off
        assert server.sockets() == 1
