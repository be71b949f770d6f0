"""Hundreds of connections that report usage at once, each with one request at a time."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence

from telcox.testing.network import Network, Source
from telcox.testing.processes import LOOPBACK

# Placeholder in a prepared body, replaced by a name that makes the event_ids unique; both are equally long.
_NAME = "NNNNNNNN"


def batch(source: Source, events: int, *, size: int = 0) -> bytes:
    """Return a body of `events` events, padded to about `size` bytes, that serves for any number of
    batches."""
    items = [
        event._replace(event_id=f"{_NAME}-{event.event_id}")._asdict() for event in source.events(events)
    ]
    blanks = " " * max(0, (size - len(json.dumps(items))) // events)
    return (f"[{f',{blanks}'.join(json.dumps(item) for item in items)}]").encode()


class Crowd:
    """Many connections that send batches. `bodies` are distributed among them, and each is sent again and
    again under a new name; a batch that is refused is sent again after the time in Retry-After.

    The names of batches begin with `letter`. `answers` counts the responses by status, `reasons` are those of
    refusals, `acknowledged` has how many events each batch's receipt acknowledged, by name, and `slowest` is
    the longest response time in seconds.
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
        """Send for that long, calling `meanwhile` again and again in a thread, and return when every
        connection has its response. Raise an error for a refusal that is not a problem document or has no
        Retry-After."""
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
