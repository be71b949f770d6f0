"""Production's processes, while Redis and MariaDB come and go (design.md, promises 1, 3 and 7)."""

import json
import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from websockets.sync.client import ClientConnection

from telcox.testing.clients import Answer, ask, next_frame, post_json, watch
from telcox.testing.databases import fill_demo, manage
from telcox.testing.processes import wait_until
from telcox.testing.servers import MariaDB, Redis
from telcox.testing.stack import Stack, production_env
from telcox.testing.threads import in_threads

pytestmark = [pytest.mark.processes, pytest.mark.mariadb, pytest.mark.redis, pytest.mark.timeout(300)]

JESUS = "0969786985"
# After so many seconds a database that does not answer counts as away.
HANGS = 3

DEMO_TOKEN = """
from rest_framework.authtoken.models import Token
print(Token.objects.get(user__username="demo").key)
"""


class Running:
    """Two `web` and two `live` on a MariaDB and a Redis of their own."""

    def __init__(self, mariadb: MariaDB, redis: Redis, stack: Stack, token: str) -> None:
        self.mariadb, self.redis, self.stack = mariadb, redis, stack
        self.authorization = {"Authorization": f"Token {token}"}

    def report(self, port: int, **fields: Any) -> Answer:
        event = {"phone_number": JESUS, "category": "SOCIAL", "bytes": 1, **fields}
        return post_json(port, "/api/dev/usage-event", event, **self.authorization)

    def usage(self, port: int) -> Answer:
        return ask(port, "GET", f"/api/customers/{JESUS}/usage", headers=self.authorization)

    def answers(self, port: int) -> bool:
        return self.usage(port).status == 200

    def watch(self, port: int) -> ClientConnection:
        return watch(port, f"phone_number={JESUS}", **self.authorization)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with MariaDB() as mariadb, Redis() as redis:
        quick = {"LIVE_RESYNC_SECONDS": "1", "DATABASE_TIMEOUT_SECONDS": str(HANGS)}
        env = {**production_env(mariadb.url, redis.url), **quick}
        fill_demo(env)
        with Stack(env) as stack:
            token = manage(stack.env, "shell", "--verbosity=0", "-c", DEMO_TOKEN).strip()
            yield Running(mariadb, redis, stack, token)


def sockets_of(port: int) -> float:
    lines = ask(port, "GET", "/metrics").body.decode().splitlines()
    return sum(float(line.split()[1]) for line in lines if line.startswith("telcox_live_sockets"))


def frames_until(socket: ClientConnection, version: int) -> list[dict[str, Any]]:
    frames = [next_frame(socket)]
    while frames[-1]["version"] < version:
        frames.append(next_frame(socket))
    return frames


def pids(running: Running) -> list[int]:
    assert all(process.running for process in running.stack.processes)
    return [process.pid for process in running.stack.processes]


def test_a_socket_on_each_live_sees_an_event_posted_to_either_web(running: Running) -> None:
    web, live = running.stack.web, running.stack.live
    with running.watch(live[0].port) as one, running.watch(live[1].port) as other:
        next_frame(one), next_frame(other)
        for process in web:
            answered = running.report(process.port).body["snapshot"]
            assert next_frame(one) == next_frame(other) == answered


def test_through_the_proxy_the_same(running: Running) -> None:
    proxy = running.stack.proxy.port
    with running.watch(proxy) as socket:
        next_frame(socket)
        for _ in range(4):
            assert running.report(proxy).body["snapshot"] == next_frame(socket)


def test_without_redis_events_are_taken_and_afterwards_open_sockets_see_them(running: Running) -> None:
    web, live = running.stack.web, running.stack.live
    with running.watch(live[0].port) as one, running.watch(live[1].port) as other:
        next_frame(one), next_frame(other)
        before = pids(running)
        running.redis.stop()
        taken = [running.report(process.port) for process in web for _ in range(3)]
        assert [answer.status for answer in taken] == [202] * 6
        assert ask(web[0].port, "GET", "/readyz").status == 200
        running.redis.start()
        last = max(answer.body["snapshot"]["version"] for answer in taken)
        # Nobody connects anew, and the events of the time without Redis arrive as well.
        assert frames_until(one, last)[-1]["version"] == last
        assert frames_until(other, last)[-1]["version"] == last
        for process in web:
            answered = running.report(process.port).body["snapshot"]
            assert frames_until(one, answered["version"])[-1] == answered
            assert frames_until(other, answered["version"])[-1] == answered
        assert pids(running) == before


def test_redis_that_hangs_does_not_hold_up_events(running: Running) -> None:
    web, live = running.stack.web, running.stack.live
    with running.watch(live[0].port) as socket:
        next_frame(socket)
        os.kill(running.redis.pid, signal.SIGSTOP)
        try:
            started = time.monotonic()
            answer = running.report(web[0].port)
            assert answer.status == 202
            assert time.monotonic() - started < 60
        finally:
            os.kill(running.redis.pid, signal.SIGCONT)
        version = answer.body["snapshot"]["version"]
        assert frames_until(socket, version)[-1]["version"] == version


def test_an_alert_is_told_though_it_was_crossed_before_its_watcher_had_joined(running: Running) -> None:
    web, live = running.stack.web[0], running.stack.live[1]
    os.kill(running.redis.pid, signal.SIGSTOP)
    try:
        live.restart()
        with running.watch(live.port) as socket:
            # It has read what was crossed before, and waits for Redis.
            wait_until(lambda: sockets_of(live.port) == 1, 60, "the socket is counted")
            crossing = running.report(web.port, bytes=16 * 2**30).body["snapshot"]
            assert 50 < crossing["percent"] < 80
            assert frames_until(socket, crossing["version"])[-1] == crossing
            alert = next_frame(socket)
            assert (alert["type"], alert["resource"], alert["threshold"]) == ("alert", "DATA", 50)
    finally:
        os.kill(running.redis.pid, signal.SIGCONT)


def test_without_the_database_requests_fail_cleanly_and_work_again_without_a_restart(
    running: Running,
) -> None:
    web, live = running.stack.web, running.stack.live
    with running.watch(live[0].port) as socket:
        next_frame(socket)
        before = pids(running)
        running.mariadb.stop()
        for process in web:
            for answer in (running.report(process.port), running.usage(process.port)):
                assert (answer.status, answer.content_type) == (503, "application/problem+json")
                assert "retry-after" in answer.headers
            assert ask(process.port, "GET", "/readyz").status == 503
            assert ask(process.port, "GET", "/healthz").status == 200
            assert ask(process.port, "GET", "/admin/").status in (302, 503)
            assert ask(process.port, "GET", "/admin/login/").status in (200, 503)
        with running.watch(live[1].port) as late:
            assert next_frame(late)["type"] == "error"
        running.mariadb.start()
        for process in web:
            # The very first request may meet a connection that died with the server, the next ones may not.
            wait_until(partial(running.answers, process.port))
            assert [running.usage(process.port).status for _ in range(20)] == [200] * 20
        answered = running.report(web[0].port).body["snapshot"]
        assert frames_until(socket, answered["version"])[-1] == answered
        with running.watch(live[1].port) as again:
            assert next_frame(again) == answered
        assert pids(running) == before


def test_an_acknowledged_event_survives_the_database_being_killed(running: Running) -> None:
    web = running.stack.web[0].port
    acknowledged = [running.report(web, event_id=f"kill-{number}") for number in range(20)]
    running.mariadb.kill()
    running.mariadb.start()
    wait_until(partial(running.answers, web))
    again = [running.report(web, event_id=f"kill-{number}") for number in range(20)]
    assert [answer.status for answer in acknowledged + again] == [202] * 40
    assert all(answer.body["duplicate"] for answer in again)


def test_a_database_that_hangs_keeps_no_thread_and_what_is_sent_again_counts_once(running: Running) -> None:
    web = running.stack.web[0].port
    names = [f"hang-{number}" for number in range(20)]
    before = running.usage(web).body["total_bytes"]
    os.kill(running.mariadb.pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        refused = in_threads(lambda name: running.report(web, event_id=name), names, threads=len(names))
        assert time.monotonic() - started < 60
        assert {(answer.status, answer.content_type) for answer in refused} == {
            (503, "application/problem+json")
        }
        assert all("retry-after" in answer.headers for answer in refused)
        assert running.usage(web).status == 503
        assert ask(web, "GET", "/readyz").status == 503
        assert ask(web, "GET", "/healthz").status == 200
    finally:
        os.kill(running.mariadb.pid, signal.SIGCONT)
    wait_until(partial(running.answers, web))
    again = [running.report(web, event_id=name) for name in names]
    assert [answer.status for answer in again] == [202] * len(names)
    assert running.usage(web).body["total_bytes"] == before + len(names)


def test_closed_nobody_is_answered_without_a_token(running: Running) -> None:
    for path in (f"/api/customers/{JESUS}/summary", f"/api/customers/{JESUS}/billing", "/api/plans", "/docs"):
        assert ask(running.stack.proxy.port, "GET", path).status == 401, path
    event = {"phone_number": JESUS, "category": "SOCIAL", "bytes": 1}
    assert post_json(running.stack.proxy.port, "/api/dev/usage-event", event).status == 401


def test_the_proxy_keeps_metrics_to_the_inside_and_each_process_has_its_own(running: Running) -> None:
    assert ask(running.stack.proxy.port, "GET", "/metrics").status in (403, 404)
    text = ask(running.stack.web[0].port, "GET", "/metrics").body.decode()
    assert "telcox_http_requests_total" in text
    assert "telcox_live_sockets" in ask(running.stack.live[0].port, "GET", "/metrics").body.decode()


def test_logs_are_json_and_name_no_subscriber(running: Running) -> None:
    for process in (*running.stack.web, *running.stack.live):
        running.usage(process.port)
        log = (process.folder / "log").read_text()
        assert JESUS not in log
        for line in log.splitlines():
            if line.startswith("{"):
                assert {"time", "level", "logger", "request_id", "message"} <= set(json.loads(line))
