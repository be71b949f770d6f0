"""When usage comes faster than the database takes it: refused in time, memory bounded, nothing lost."""

import contextlib
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from telcox.testing.clients import ask
from telcox.testing.crowd import Crowd, batch
from telcox.testing.databases import connected, manage, rows
from telcox.testing.network import Network, Source, network_stack
from telcox.testing.servers import MariaDB
from telcox.testing.stack import Stack

pytestmark = [pytest.mark.processes, pytest.mark.mariadb, pytest.mark.redis, pytest.mark.timeout(300)]

MIB = 1024 * 1024
# What docs/performance.md says a `web` process takes at most.
MEMORY = 400 * MIB
# As large as USAGE_BODY_BYTES lets them be, or nearly.
LARGE = 8 * MIB - 64 * 1024


class Running:
    """Two `web` behind their proxy, on a MariaDB of their own."""

    def __init__(self, mariadb: MariaDB, stack: Stack, network: Network) -> None:
        self.mariadb, self.stack, self.network = mariadb, stack, network
        self.source = Source("crowd", network.phone_numbers, random.Random(5))

    def batches_are_counted_once(self, crowd: Crowd) -> None:
        """The acknowledged ones whole, and the sums agree."""
        counted = rows(
            self.mariadb.url,
            "SELECT SUBSTRING(event_id, 1, 8), COUNT(*) FROM usage_usageevent "
            "WHERE source = 'crowd' GROUP BY 1",
        )
        held = dict(counted)
        assert {name: held.get(name, 0) for name in crowd.acknowledged} == crowd.acknowledged
        assert (
            manage(self.stack.env, "verify_usage")
            == "Counters and daily sums are equal to the sums of their events.\n"
        )


class Watch:
    """What is to be seen of `web` from outside: its memory, and how its other doors are answered."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.memory = 0
        self.answers: dict[str, set[int]] = {}
        self.slowest: dict[str, float] = {}

    def look(self) -> None:
        network, webs = self.running.network, self.running.stack.web
        self.memory = max(self.memory, *(web.memory for web in webs))
        for path in ("/healthz", "/readyz", f"/api/customers/{network.phone_numbers[0]}/summary"):
            began = time.monotonic()
            answer = ask(webs[0].port, "GET", path, headers=network.authorization)
            door = path.rpartition("/")[2]
            self.answers.setdefault(door, set()).add(answer.status)
            self.slowest[door] = max(self.slowest.get(door, 0.0), time.monotonic() - began)
        time.sleep(0.1)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with network_stack() as parts:
        yield Running(*parts)


@contextlib.contextmanager
def slow(mariadb: MariaDB, *, share: float) -> Iterator[None]:
    """It runs for that share of each second, and stands still for the rest."""
    ending = threading.Event()

    def hinder() -> None:
        while not ending.wait(share):
            os.kill(mariadb.pid, signal.SIGSTOP)
            ending.wait(1 - share)
            os.kill(mariadb.pid, signal.SIGCONT)

    thread = threading.Thread(target=hinder)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


@pytest.mark.parametrize("door", ["web", "proxy"])
def test_with_a_slow_database_300_senders_are_served_or_refused_and_nothing_is_lost(
    running: Running, door: str
) -> None:
    bodies = [batch(running.source, 1_000) for _ in range(18)]
    bodies += [batch(running.source, 10_000, size=LARGE), batch(running.source, 400, size=LARGE)]
    port = running.stack.web[0].port if door == "web" else running.stack.proxy.port
    crowd, watch = Crowd(running.network, port, bodies, connections=300, letter=door[0]), Watch(running)
    with slow(running.mariadb, share=0.1):
        crowd.run(10, watch.look)
    sys.stdout.write(
        f"\n{door}: {dict(crowd.answers)} in {crowd.slowest:.1f} s at most, {watch.memory / MIB:.0f} MiB,"
        f" meanwhile {watch.answers} in {watch.slowest}\n"
    )
    assert crowd.answers.keys() == {200, 503}
    assert crowd.reasons == {"too_busy"}
    assert watch.memory < MEMORY
    assert watch.answers["healthz"] == {200}
    assert watch.answers["summary"] <= {200, 503}
    running.batches_are_counted_once(crowd)


def test_while_a_transaction_holds_every_counter_senders_are_refused_and_then_served(
    running: Running,
) -> None:
    web = running.stack.web[0].port
    bodies = [batch(running.source, 1_000), batch(running.source, 1)]
    Crowd(running.network, web, bodies, connections=2, letter="a").run(0.5)  # makes the counters
    crowd, watch = Crowd(running.network, web, bodies, connections=64, letter="l"), Watch(running)
    with connected(running.mariadb.url) as connection:
        connection.cursor().execute("SELECT * FROM usage_usagecounter FOR UPDATE")
        threading.Timer(5, connection.rollback).start()
        crowd.run(8, watch.look)
    assert crowd.answers.keys() == {200, 503}
    assert watch.answers["healthz"] == watch.answers["readyz"] == {200}
    assert crowd.slowest < 60
    running.batches_are_counted_once(crowd)


@pytest.mark.parametrize(("connections", "events", "letter"), [(32, 1, "s"), (4, 1_000, "b")])
def test_a_busy_system_that_is_well_refuses_nobody(
    running: Running, connections: int, events: int, letter: str
) -> None:
    bodies = [batch(running.source, events) for _ in range(connections)]
    proxy = running.stack.proxy.port
    crowd = Crowd(running.network, proxy, bodies, connections=connections, letter=letter)
    crowd.run(4)
    assert crowd.answers.keys() == {200}
    running.batches_are_counted_once(crowd)
