"""The network's part in the load on the live feed: reports at a steady rate, one a request."""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection

from benchmarks.http_load import request

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
# The header of the proxy's last response over a connection.
_LAST_ANSWER = b"connection: close"


@dataclass
class Reports:
    """Reports to send: `per_second` of them, of `phone_numbers` in turn. Those of one number go over one
    connection, each after the response to the one before. So the n-th report of a number raises its version
    by n."""

    port: int
    token: str
    phone_numbers: Sequence[str]
    per_second: float
    connections: int
    seconds: float


# For each number, when each of its reports was sent (`time.monotonic`).
SentAt = list[list[float]]


def send_reports(reports: Reports, pipe: Connection) -> None:
    """Send the reports, then SentAt through the pipe. It runs in a process of its own."""
    pipe.send(asyncio.run(_send(reports)))


async def _send(reports: Reports) -> SentAt:
    sent_at: SentAt = [[] for _ in reports.phone_numbers]
    begin = time.monotonic()
    connections = min(reports.connections, len(reports.phone_numbers))
    await asyncio.gather(
        *(
            _Sender(reports).send_all(range(first, len(sent_at), connections), begin, sent_at)
            for first in range(connections)
        )
    )
    return sent_at


class _Sender:
    """Connection that sends the reports of some of the numbers."""

    def __init__(self, reports: Reports) -> None:
        self.reports = reports

    async def send_all(self, lines: range, begin: float, sent_at: SentAt) -> None:
        await self._connect()
        interval = lines.step / self.reports.per_second
        next_at = begin + lines.start / self.reports.per_second
        position = 0
        while next_at < begin + self.reports.seconds:
            await asyncio.sleep(next_at - time.monotonic())
            line = lines[position % len(lines)]
            sent_at[line].append(time.monotonic())
            await self._send(self.reports.phone_numbers[line])
            position += 1
            next_at += interval

    async def _connect(self) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.reports.port)

    async def _send(self, phone_number: str) -> None:
        body = b'{"phone_number":"%s","category":"SOCIAL","quantity":1024}' % phone_number.encode()
        self.writer.write(
            request("POST", "/api/usage/events", token=self.reports.token, port=self.reports.port, body=body)
        )
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        answer = await self.reader.readexactly(int(length[1]) if length else 0)
        if b'"applied":1' not in answer:
            raise RuntimeError(f"usage/events answered {head[:60]!r} {answer[:200]!r}")
        if _LAST_ANSWER in head.lower():
            self.writer.close()
            await self._connect()
