"""A simulated network against a listening server, and against servers that misbehave."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from customers.models import Line, LineStatus
from telcox.testing.databases import manage
from telcox.testing.embedded import Embedded, serve
from telcox.testing.processes import ROOT, free_port, prepare_child, wait_until

pytestmark = pytest.mark.once

TOKEN = """
from rest_framework.authtoken.models import Token
print(Token.objects.get(user__username="demo").key)
"""
EVENTS = "from usage.models import *; print(UsageEvent.objects.filter(source__startswith='sim-').count())"


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: Any, django_db_blocker: Any
) -> Iterator[Embedded]:
    with django_db_blocker.unblock():
        yield from serve(tmp_path_factory.mktemp("simulated"))


@pytest.fixture(scope="module")
def closed(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: Any, django_db_blocker: Any
) -> Iterator[Embedded]:
    with django_db_blocker.unblock():
        yield from serve(tmp_path_factory.mktemp("closed"), API_OPEN="0")


def of_server(server: Embedded, *arguments: str) -> str:
    return manage(server.env, *arguments)


def events_in(server: Embedded) -> int:
    return int(server.shell(EVENTS))


def numbers(said: str) -> dict[str, int]:
    """`4500 applied, 20 duplicates, 30 rejected (invalid 10, …)` by what stands beside each."""
    found = {
        what: int(number) for number, what in re.findall(r"(\d+) (items|applied|dup|rejected|retries)", said)
    }
    return found | {reason: int(number) for reason, number in re.findall(r"(\w+_\w+|invalid) (\d+)", said)}


@pytest.mark.processes
class TestAgainstAServer:
    def test_receipts_add_up_and_everything_applied_is_there(self, server: Embedded) -> None:
        before = events_in(server)
        said = of_server(
            server, "simulate_usage", f"--url={server.server.url}/", "--rate=0", "--duration=3", "--batch=50",
            "--duplicates=0.2", "--bad=0.1", "--late=0.3", "--seed=5", "--connections=3", "--lines=2",
            "--mix=SOCIAL=3,VOICE=1",
        )  # fmt: skip
        told = numbers(said)
        assert told["items"] == told["applied"] + told["dup"] + told["rejected"] > 100
        assert told["rejected"] == told["invalid"] + told["in_future"] + told["unknown_line"] > 0
        assert told["applied"] == events_in(server) - before
        assert "events/s; a request took" in said
        assert of_server(server, "verify_usage")

    def test_a_rate_is_kept(self, server: Embedded) -> None:
        begun = time.monotonic()
        said = of_server(
            server, "simulate_usage", f"--url={server.server.url}", "--rate=40", "--duration=2", "--batch=15"
        )
        assert numbers(said)["items"] == 80
        assert time.monotonic() - begun > 2

    def test_ctrl_c_ends_it_with_the_summary(self, server: Embedded) -> None:
        before = events_in(server)
        run = subprocess.Popen(
            [
                sys.executable,
                "manage.py",
                "simulate_usage",
                f"--url={server.server.url}",
                "--duration=1000",
                "--batch=5",
            ],
            cwd=ROOT,
            env={**os.environ, **server.env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=prepare_child,
        )
        try:
            wait_until(lambda: events_in(server) > before, 60, "events arrive")
            run.send_signal(signal.SIGINT)
            said, errors = run.communicate(timeout=60)
        finally:
            run.kill()
        assert run.returncode == 0, errors
        assert ", interrupted: " in said
        assert numbers(said)["applied"] == events_in(server) - before, said

    def test_a_closed_api_asks_for_a_token(self, closed: Embedded) -> None:
        command = ["simulate_usage", f"--url={closed.server.url}", "--rate=10", "--duration=1"]
        failed = subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT, env={**os.environ, **closed.env}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert failed.returncode == 1
        assert (
            f"CommandError: {closed.server.url}/api/usage/events answers 401, Unauthorized" in failed.stderr
        )
        assert "Traceback" not in failed.stderr
        token = closed.shell(TOKEN).strip()
        assert "10 applied" in of_server(closed, *command, f"--token={token}")
        assert "10 applied" in manage({**closed.env, "TELCOX_TOKEN": token}, *command)


# --- Servers that misbehave ---


class Stub(ThreadingHTTPServer):
    """Counts as ours does, and first does to each request what `faults` say, one after the other: answers a
    status, or hangs up, before it has counted or after (`lost`)."""

    daemon_threads = True

    def __init__(self, *faults: int | str, headers: dict[str, str] | None = None, lies: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.faults, self.headers, self.lies = list(faults), headers or {}, lies
        self.lock = threading.Lock()
        self.known: set[tuple[str, str]] = set()
        self.bodies: list[bytes] = []
        self.moments: list[float] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def receipt(self, body: bytes) -> bytes:
        keys = [(item["source"], item["event_id"]) for item in json.loads(body)]
        with self.lock:
            applied = len(set(keys) - self.known)
            self.known |= set(keys)
        return json.dumps(
            {
                "received": len(keys),
                "applied": applied - self.lies,
                "duplicates": len(keys) - applied,
                "rejected": 0,
                "rejections": [],
            }
        ).encode()

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Stub

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            fault = self.server.faults.pop(0) if self.server.faults else None
            self.server.bodies.append(body)
            self.server.moments.append(time.monotonic())
        match fault:
            case int():
                self._answer(fault, b'{"detail": "Not so"}', self.server.headers)
            case "hang up":
                self.close_connection = True
            case "lost":
                self.server.receipt(body)
                self.close_connection = True
            case "cut":
                self._answer(200, self.server.receipt(body)[:10], {"Content-Length": "500"})
                self.close_connection = True
            case "nonsense":
                self._answer(200, b"<html>")
            case _:
                self._answer(200, self.server.receipt(body))

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


def simulated(url: str, *arguments: str) -> str:
    out = io.StringIO()
    once = ["--rate=20", "--duration=1", "--batch=10", "--connections=1"]
    call_command("simulate_usage", f"--url={url}", *once, *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
@pytest.mark.usefixtures("seeded")
class TestAgainstMisbehaviour:
    @pytest.mark.parametrize("faults", [[503, 503], [429], ["hang up"], [502, "hang up", 504]])
    def test_what_was_not_acknowledged_is_sent_again_as_it_was(self, faults: list[int | str]) -> None:
        with Stub(*faults) as stub:
            said = numbers(simulated(stub.url))
        assert said["items"] == said["applied"] == len(stub.known)
        assert said["retries"] == len(faults)
        assert set(stub.bodies[: len(faults) + 1]) == {stub.bodies[0]}

    @pytest.mark.parametrize("fault", ["lost", "cut"])
    def test_what_was_counted_though_nobody_was_told_is_a_duplicate_and_agrees(self, fault: str) -> None:
        with Stub(fault) as stub:
            said = numbers(simulated(stub.url))
        assert said == {"items": 20, "applied": 10, "dup": 10, "rejected": 0, "retries": 1}
        assert len(stub.known) == 20

    def test_it_waits_for_as_long_as_it_is_asked_to(self) -> None:
        with Stub(503, headers={"Retry-After": "1"}) as stub:
            simulated(stub.url)
        assert stub.moments[1] - stub.moments[0] >= 1

    @pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 413, 422, 500])
    def test_what_no_retry_can_change_ends_it_at_once(self, status: int) -> None:
        with Stub(status) as stub, pytest.raises(CommandError, match=f"answers {status}, Not so"):
            simulated(stub.url)
        assert len(stub.bodies) == 1

    def test_it_does_not_try_for_ever(self) -> None:
        with pytest.raises(CommandError, match="cannot be reached"):
            simulated(f"http://127.0.0.1:{free_port()}", "--patience=0.5")
        with Stub(*[503] * 99) as stub, pytest.raises(CommandError, match="answers 503, Not so, after"):
            simulated(stub.url, "--patience=0.5")

    def test_receipts_that_do_not_add_up_are_an_error(self) -> None:
        with Stub(lies=1) as stub, pytest.raises(CommandError, match="20 distinct events were sent, and 18"):
            simulated(stub.url)

    def test_what_gives_no_receipts_is_no_server_of_ours(self) -> None:
        with Stub("nonsense") as stub, pytest.raises(CommandError, match="not a receipt"):
            simulated(stub.url)

    @pytest.mark.parametrize(
        "option",
        [
            "--url=127.0.0.1:8000", "--url=ftp://x", "--url=http://", "--url=http://[", "--connections=0",
            "--lines=0", "--lines=99", "--rate=-1", "--rate=nan", "--rate=0.1", "--duration=0",
            "--duration=inf", "--batch=0", "--batch=10001", "--batch=x", "--mix=SOCIAL", "--mix=TELEX=1",
            "--mix=SOCIAL=0", "--mix=SMS=1,SMS=2", "--mix=", "--duplicates=1.1", "--bad=-0.1", "--bad=1",
            "--late=2", "--patience=-1", "--seed=x",
        ],
    )  # fmt: skip
    def test_options_that_make_no_sense_are_refused(self, option: str) -> None:
        with Stub() as stub:
            with pytest.raises(CommandError):
                simulated(stub.url, option)
            assert not stub.bodies

    def test_only_lines_in_service_are_used_and_without_any_it_says_so(self) -> None:
        Line.objects.exclude(phone_number="0934567890").update(status=LineStatus.SUSPENDED)
        with Stub() as stub:
            simulated(stub.url)
            assert {item["phone_number"] for item in json.loads(stub.bodies[0])} == {"0934567890"}
            Line.objects.update(status=LineStatus.SUSPENDED)
            with pytest.raises(CommandError, match="No active line"):
                simulated(stub.url)

    def test_nothing_is_reported_of_when_a_line_was_suspended(self) -> None:
        resumed_at = timezone.now() - timedelta(minutes=1)
        Line.objects.update(resumed_at=resumed_at)
        with Stub() as stub:
            simulated(stub.url, "--late=1")
            moments = [datetime.fromisoformat(item["occurred_at"]) for item in json.loads(stub.bodies[0])]
        assert min(moments) >= resumed_at

    def test_each_run_has_a_source_of_its_own(self) -> None:
        with Stub() as stub:
            said = [numbers(simulated(stub.url, "--seed=1")) for _ in range(2)]
        assert [told["applied"] for told in said] == [20, 20]
        assert len({source for source, _ in stub.known}) == 2

    def test_kept_connections_are_used_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        opened: list[object] = []
        accept: Callable[..., Any] = Stub.process_request

        def count(stub: Stub, *connection: Any) -> None:
            opened.append(connection)
            accept(stub, *connection)

        monkeypatch.setattr(Stub, "process_request", count)
        with Stub() as stub:
            simulated(stub.url, "--rate=0", "--connections=3")
        assert len(stub.bodies) > 3 >= len(opened)
