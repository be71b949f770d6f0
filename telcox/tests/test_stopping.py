"""What a process that is asked to stop still does: every socket is told, every request it began is answered,
and nothing new is begun."""

import json
import os
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from typing import Any, Literal

import pytest
from websockets.exceptions import ConnectionClosed

from telcox.testing.clients import RawSocket, ask, closing, next_frame, wait_until_read, watch
from telcox.testing.databases import manage
from telcox.testing.embedded import JESUS, demo_env
from telcox.testing.processes import LOOPBACK, port_answers, wait_until
from telcox.testing.stack import Served

pytestmark = pytest.mark.processes

CLOSE, SERVICE_RESTART = 8, 1012
# Whatever ends within a minute has not waited for what would take it STOP seconds; else it hangs.
PROMPT, STOP = 60.0, 300.0

Start = Callable[..., Served]


@pytest.fixture(scope="module")
def env(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: Any, django_db_blocker: Any
) -> Iterator[dict[str, str]]:
    with django_db_blocker.unblock(), demo_env(tmp_path_factory.mktemp("stopping")) as env:
        yield env


@pytest.fixture
def start(env: dict[str, str]) -> Iterator[Start]:
    with ExitStack() as stack:

        def start(kind: Literal["web", "live"] = "live", **settings: str) -> Served:
            return stack.enter_context(Served(kind, {**env, "LIVE_STOP_SECONDS": str(STOP), **settings}))

        yield start


def stop(server: Served, number: int = signal.SIGTERM) -> None:
    os.kill(server.pid, number)


class Upload:
    """A batch whose request is on its way: all but the end of its body has been sent."""

    def __init__(self, server: Served, events: int, source: str) -> None:
        report = {"phone_number": JESUS, "category": "SOCIAL", "quantity": 1, "source": source}
        body = json.dumps([{**report, "event_id": str(number)} for number in range(events)]).encode()
        self.connection = HTTPConnection(LOOPBACK, server.port, timeout=60)
        self.connection.putrequest("POST", "/api/usage/events")
        self.connection.putheader("Content-Type", "application/json")
        self.connection.putheader("Content-Length", str(len(body)))
        self.connection.endheaders(body[:-1])
        self._end = body[-1:]

    def finish(self) -> None:
        self.connection.send(self._end)

    def wait_until_read(self) -> None:
        """Until the server has taken in what was sent."""
        wait_until_read(self.connection.sock)

    def answer(self) -> tuple[int, dict[str, Any]]:
        response = self.connection.getresponse()
        return response.status, json.loads(response.read())


def events_of(env: dict[str, str], source: str) -> int:
    count = (
        f"from usage.models import UsageEvent; print(UsageEvent.objects.filter(source={source!r}).count())"
    )
    return int(manage(env, "shell", "--verbosity=0", "-c", count))


@pytest.mark.parametrize(
    "kind", [pytest.param("live", marks=pytest.mark.once), pytest.param("web", marks=pytest.mark.mariadb)]
)
@pytest.mark.parametrize("sent", ["nearly all", "all"])
def test_a_batch_on_its_way_is_counted_and_answered_and_nothing_new_is_let_in(
    start: Start, env: dict[str, str], kind: str, sent: str
) -> None:
    server = start(kind)
    source = f"{kind} {sent}"
    upload = Upload(server, 10_000, source)
    upload.wait_until_read()
    if sent == "all":
        upload.finish()
        upload.wait_until_read()
    stop(server)
    wait_until(lambda: not port_answers(server.port), PROMPT, "nobody is let in any more")
    if sent == "nearly all":
        upload.finish()
    status, receipt = upload.answer()
    assert (status, receipt["applied"]) == (200, 10_000)
    assert server.wait(PROMPT) == 0
    assert events_of(env, source) == 10_000


@pytest.mark.once
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_every_socket_is_told_to_come_back_and_the_process_ends_promptly(start: Start, number: int) -> None:
    server = start()
    with watch(server.port, f"phone_number={JESUS}") as one:
        next_frame(one)
        stop(server, number)
        with pytest.raises(ConnectionClosed) as closed:
            one.recv(timeout=PROMPT)
        assert closed.value.rcvd
        assert closed.value.rcvd.code == SERVICE_RESTART
        assert 1 <= json.loads(closed.value.rcvd.reason)["retry_after"] <= 15
    assert server.wait(PROMPT) == 0


@pytest.mark.once
def test_thousands_of_sockets_are_told_and_spread_though_none_answers(start: Start) -> None:
    sockets = 2_000
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    server = start(LIVE_SOCKETS_PER_LINE=str(sockets))
    with ExitStack() as stack:
        opened = [
            stack.enter_context(RawSocket(server.port, f"phone_number={JESUS}")) for _ in range(sockets)
        ]
        for each in opened:
            each.next_frame()
        stop(server)
        last = [each.last_frames()[-1] for each in opened]
        assert server.wait(PROMPT) == 0
    assert {(opcode, closing(payload)[0]) for opcode, payload in last} == {(CLOSE, SERVICE_RESTART)}
    hints = [json.loads(closing(payload)[1])["retry_after"] for _, payload in last]
    busiest = max(hints.count(hint) for hint in set(hints))
    assert busiest < sockets / 50


@pytest.mark.once
def test_who_had_connected_before_is_served_once_more_or_told_to_come_back(start: Start) -> None:
    server = start()
    kept = HTTPConnection(LOOPBACK, server.port, timeout=60)
    kept.request("GET", "/healthz")
    kept.getresponse().read()
    late = socket.create_connection((LOOPBACK, server.port), timeout=60)
    wait_until_read(late)
    upload = Upload(server, 10, "late")  # keeps it from ending
    upload.wait_until_read()
    stop(server)
    wait_until(lambda: not port_answers(server.port), PROMPT, "nobody is let in any more")
    with RawSocket(server.port, f"phone_number={JESUS}", connection=late) as told:
        ((opcode, payload),) = told.last_frames()
        assert (opcode, closing(payload)[0]) == (CLOSE, SERVICE_RESTART)
    kept.request("GET", "/healthz")
    answer = kept.getresponse()
    assert (answer.status, answer.headers["Connection"]) == (200, "close")
    upload.finish()
    assert upload.answer()[0] == 200
    assert server.wait(PROMPT) == 0


@pytest.mark.once
def test_an_idle_connection_keeps_nobody_waiting(start: Start) -> None:
    server = start()
    idle = HTTPConnection(LOOPBACK, server.port)
    idle.request("GET", "/healthz")
    idle.getresponse().read()
    stop(server)
    assert server.wait(PROMPT) == 0


@pytest.mark.once
def test_what_does_not_end_in_time_is_cut_off_and_the_exit_code_says_so(start: Start) -> None:
    server = start(LIVE_STOP_SECONDS="1")
    unfinished = Upload(server, 10, "never")
    unfinished.wait_until_read()
    stop(server)
    assert server.wait(PROMPT) == 1
    unfinished.connection.close()


@pytest.mark.once
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(start: Start, number: int) -> None:
    server = start()
    unfinished = Upload(server, 10, "never")
    unfinished.wait_until_read()
    stop(server)
    wait_until(lambda: not port_answers(server.port), PROMPT, "it is stopping")
    stop(server, number)
    assert server.wait(PROMPT) == -number
    unfinished.connection.close()


@pytest.mark.once
def test_a_process_with_nothing_to_do_ends_at_once(start: Start) -> None:
    server = start()
    assert ask(server.port, "GET", "/healthz").status == 200
    stop(server, signal.SIGINT)
    assert server.wait(PROMPT) == 0
