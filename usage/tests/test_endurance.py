"""Promise 1 at length: an acknowledged event counts exactly once, whatever is killed, retried or sent twice.

In the suite for some seconds; `make endure` takes a hundred rounds and a minute. ENDURE_SEED, which is
printed, makes the same choices again.
"""

import os
import random
import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from django.db import OperationalError, transaction
from django.db.models import F

from telcox.testing.databases import manage, rows
from telcox.testing.killer import Importer, Killer
from telcox.testing.network import Account, Network, Source, events_held, held_by, network_stack
from telcox.testing.senders import Sender, finish
from telcox.testing.servers import MariaDB
from telcox.testing.stack import Stack
from telcox.testing.threads import in_threads
from usage.models import UsageCounter

ROUNDS = int(os.environ.get("ENDURE_ROUNDS", 5))
SECONDS = float(os.environ.get("ENDURE_SECONDS", 5))
SEED = int(os.environ.get("ENDURE_SEED", 0)) or secrets.randbelow(10**9)

pytestmark = [
    pytest.mark.processes,
    pytest.mark.mariadb,
    pytest.mark.redis,
    pytest.mark.timeout(300 + 10 * ROUNDS + 5 * SECONDS),
]


class Running:
    """Two `web` on a MariaDB of their own, the lines of a network, and what was reported of them."""

    def __init__(self, mariadb: MariaDB, stack: Stack, network: Network) -> None:
        self.mariadb, self.stack, self.network = mariadb, stack, network
        self.reported = Account()

    def source(self, name: str) -> Source:
        return Source(name, self.network.phone_numbers, random.Random(f"{SEED} {name}"))

    def senders(self, name: str, count: int, *, sizes: tuple[int, int], pause: float) -> list[Sender]:
        ports = [web.port for web in self.stack.web]
        senders = [
            Sender(
                self.source(f"{name}-{number}"),
                self.network,
                ports,
                sizes=sizes,
                pause=pause,
                seed=SEED + number,
            )
            for number in range(count)
        ]
        for sender in senders:
            sender.start()
        return senders

    def finish(self, senders: Sequence[Sender]) -> Account:
        """Return what the senders were acknowledged. A failure says what errors `web` has logged."""
        try:
            return finish(senders)
        except AssertionError as failure:
            logs = [web.output.read_text() for web in self.stack.web if web.output]
            errors = [line for log in logs for line in log.splitlines() if '"exc_info"' in line]
            raise AssertionError("\n".join([str(failure), *errors[-5:]])) from failure

    def each_event_counts_once(self) -> None:
        """By the account of who reported it; and the database agrees with itself."""
        held, (sums, keys) = held_by(self.mariadb.url), events_held(self.mariadb.url)
        assert held.events == keys == self.reported.events
        assert sums == held.counters == self.reported.counters
        assert held.days == self.reported.days
        assert (
            manage(self.stack.env, "verify_usage")
            == "Counters and daily sums are equal to the sums of their events.\n"
        )


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with network_stack() as parts:
        yield Running(*parts)


def answers(senders: list[Sender]) -> Counter[str]:
    return sum((sender.answers for sender in senders), Counter())


def test_whatever_is_killed_what_was_acknowledged_is_counted_once(running: Running, tmp_path: Path) -> None:
    assert rows(running.mariadb.url, "SELECT @@innodb_flush_log_at_trx_commit") == [(1,)]
    senders = [
        *running.senders("batches", 4, sizes=(1, 300), pause=0.2),
        *running.senders("singles", 4, sizes=(1, 1), pause=0.01),
    ]
    env = {**os.environ, **running.stack.env}
    with Importer(running.source("cdr"), env, tmp_path) as importer:
        killer = Killer(running.mariadb, running.stack.web, importer, senders, random.Random(SEED))
        for _ in range(ROUNDS):
            killer.round()
        running.reported.add(running.finish(senders))
        importer.finish()
        running.reported.add(importer.account)
    sys.stdout.write(
        f"\nENDURE_SEED={SEED}: kills {dict(killer.kills)}, of which while it was busy {dict(killer.hits)};"
        f" {running.reported.events:,} events, {importer.files} files, answers {dict(answers(senders))}\n"
    )
    assert killer.hits.total() >= ROUNDS / 2
    running.each_event_counts_once()


def test_clients_that_collide_are_never_told(running: Running) -> None:
    """Eight with batches of hundreds over the same lines, each in an order of its own."""
    senders = running.senders("colliding", 8, sizes=(200, 1_000), pause=0.0)
    time.sleep(SECONDS)
    reported = running.finish(senders)
    running.reported.add(reported)
    sys.stdout.write(f"\nENDURE_SEED={SEED}: {reported.events:,} events, answers {dict(answers(senders))}\n")
    assert answers(senders).keys() == {"200"}
    running.each_event_counts_once()


@pytest.mark.django_db(transaction=True)
def test_control_without_an_order_that_all_keep_clients_that_collide_are_told(committed: None) -> None:
    """Counters added to in the order in which usage comes."""
    counters = list(UsageCounter.objects.values_list("pk", flat=True))

    @transaction.atomic
    def add(seed: int) -> None:
        for pk in random.Random(seed).sample(counters, len(counters)):
            UsageCounter.objects.filter(pk=pk).update(used_sms=F("used_sms") + 1)

    with pytest.raises(OperationalError, match="Deadlock"):
        in_threads(add, range(10_000), threads=8)
