"""Hundreds of connections that report usage at once, each as fast as it is answered."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence

from telcox.testing.network import Network, Source
from telcox.testing.processes import LOOPBACK

# Stands in a prepared body for what makes its event_ids its own; as long as what takes its place.
_NAME = "NNNNNNNN"


def batch(source: Source, events: int, *, size: int = 0) -> bytes:
    """A body of so many events, of so many bytes at least, from which any number of batches can be made."""
    items = [
        event._replace(event_id=f"{_NAME}-{event.event_id}")._asdict() for event in source.events(events)
    ]
    blanks = " " * max(0, (size - len(json.dumps(items))) // events)
    return (f"[{f',{blanks}'.join(json.dumps(item) for item in items)}]").encode()


class Crowd:
    """`bodies` are dealt out to the connections, and sent again and again, each time as another batch; one
    that is refused comes again when Retry-After says.

    `letter` begins the names of its batches. `answers` is how often each status came, `reasons` which ones
    refusals gave; `acknowledged` by a batch's name how many of its events were counted, by its receipt;
    `slowest` is how long an answer took at most.
    """

    def __init__(
        self, network: Network, port: int, bodies: Sequence[bytes], *, connections: int, letter: str
    ) -> None:
        self.network, self.port, self.bodies, self.connections = network, port, bodies, connections
        self.letter = letter
        self.answers: Counter[int] = Counter()
        self.reasons: set[str | None] = set()
        self.acknowledged: dict[str, int] = {}
        self.slowest = 0.0

    def run(self, seconds: float, meanwhile: Callable[[], None] = lambda: time.sleep(0.2)) -> None:
        """Calls `meanwhile` again and again, in a thread; returns when every connection is answered. Raises
        what is wrong with an answer: a refusal is a problem, and says when to come again."""
        asyncio.run(self._run(time.monotonic() + seconds, meanwhile))

    async def _run(self, until: float, meanwhile: Callable[[], None]) -> None:
        clients = [asyncio.create_task(self._client(number, until)) for number in range(self.connections)]
        while time.monotonic() < until:
            await asyncio.to_thread(meanwhile)
        await asyncio.gather(*clients)

    async def _client(self, number: int, until: float) -> None:
        prepared = self.bodies[number % len(self.bodies)]
        reader, writer = await asyncio.open_connection(LOOPBACK, self.port)
        made = 0
        while time.monotonic() < until:
            name = f"{self.letter}{number:03}{made:04}"
            writer.write(self._request(prepared.replace(_NAME.encode(), name.encode())))
            sent_at = time.monotonic()
            status, headers, body = await _answer(reader, writer)
            self.slowest = max(self.slowest, time.monotonic() - sent_at)
            self.answers[status] += 1
            if status == 200:
                receipt = json.loads(body)
                self.acknowledged[name] = receipt["applied"] + receipt["duplicates"]
                made += 1
            else:
                assert headers["content-type"].startswith("application/problem+json"), headers
                self.reasons.add(json.loads(body).get("reason"))
                await asyncio.sleep(float(headers["retry-after"]))
            if headers.get("connection") == "close":
                writer.close()
                reader, writer = await asyncio.open_connection(LOOPBACK, self.port)
        writer.close()

    def _request(self, body: bytes) -> bytes:
        head = (
            f"POST /api/usage/events HTTP/1.1\r\nHost: {LOOPBACK}\r\n"
            f"Authorization: Token {self.network.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


async def _answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> tuple[int, dict[str, str], bytes]:
    await writer.drain()
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    status, *lines = head.splitlines()
    headers = {name.lower(): value for line in lines if line for name, _, value in [line.partition(": ")]}
    return int(status.split()[1]), headers, await reader.readexactly(int(headers["content-length"]))
