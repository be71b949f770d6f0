"""Threads that report usage as networks do: they send each batch again until it is acknowledged."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from typing import Any

from telcox.testing.network import Account, Event, Network, Source
from telcox.testing.processes import LOOPBACK

PATH = "/api/usage/events"
# Statuses after which the batch is sent again, as after a broken connection.
LATER = frozenset({429, 503})


class Sender(threading.Thread):
    """Thread that sends one source's events in batches of `sizes` (minimum and maximum), to one of `ports`,
    and to the next one after a failure, with pauses of at most `pause` seconds.

    `account` has the acknowledged usage, `answers` counts statuses, broken connections and duplicates. After
    any response but an acknowledgement or one of LATER it stops, and `failure` has the response.
    """

    def __init__(
        self,
        source: Source,
        network: Network,
        ports: Sequence[int],
        *,
        sizes: tuple[int, int],
        pause: float,
        seed: int,
    ) -> None:
        super().__init__(name=source.name, daemon=True)
        self.source, self.sizes, self.pause = source, sizes, pause
        self.account = Account()
        self.acknowledged = 0
        self.asking = False
        self.answers: Counter[str] = Counter()
        self.failure: str | None = None
        self._headers = {**network.authorization, "Content-Type": "application/json"}
        self._ports, self._port = list(ports), seed
        self._chosen = random.Random(seed)  # noqa: S311
        self._ending = threading.Event()
        self._connection: HTTPConnection | None = None

    def end(self) -> None:
        """Stop once the current batch is acknowledged."""
        self._ending.set()

    def run(self) -> None:
        while not self._ending.is_set() and self.failure is None:
            batch = self.source.events(self._chosen.randint(*self.sizes))
            if self._send(batch):
                self.account.book(batch)
                self.acknowledged = self.source.made
            time.sleep(self._chosen.uniform(0, self.pause))

    def _send(self, batch: Sequence[Event]) -> bool:
        body = json.dumps([event._asdict() for event in batch]).encode()
        while self.failure is None:
            try:
                status, answer = self._ask(body)
            except (OSError, HTTPException) as error:
                self.answers[type(error).__name__] += 1
                self._connection = None
            else:
                self.answers[str(status)] += 1
                if status == 200:
                    return self._acknowledges(answer, len(batch))
                if status not in LATER:
                    self.failure = f"{status}: {answer!r}"
            self._port += 1
            time.sleep(self._chosen.uniform(0.05, 0.3))
        return False

    def _ask(self, body: bytes) -> tuple[int, bytes]:
        if self._connection is None:
            port = self._ports[self._port % len(self._ports)]
            self._connection = HTTPConnection(LOOPBACK, port, timeout=30)
        self.asking = True
        try:
            self._connection.request("POST", PATH, body=body, headers=self._headers)
            response = self._connection.getresponse()
            return response.status, response.read()
        finally:
            self.asking = False

    def _acknowledges(self, answer: bytes, sent: int) -> bool:
        receipt: dict[str, Any] = json.loads(answer)
        self.answers["duplicates"] += receipt["duplicates"]
        if receipt["received"] == sent == receipt["applied"] + receipt["duplicates"]:
            return True
        self.failure = f"{sent} sent: {receipt}"
        return False


def finish(senders: Sequence[Sender]) -> Account:
    """End all senders and return the sum of their accounts. Raise AssertionError if one failed."""
    for sender in senders:
        sender.end()
    total = Account()
    for sender in senders:
        sender.join(60)
        assert not sender.is_alive(), f"{sender.name} is not acknowledged"
        assert sender.failure is None, f"{sender.name}: {sender.failure}"
        total.add(sender.account)
    return total
