"""Deliver a batch to `POST /api/usage/events`, until it is acknowledged."""

import json
import threading
import time
from dataclasses import dataclass
from itertools import count

import msgspec
import urllib3
from urllib3.exceptions import HTTPError, InvalidHeader
from urllib3.util import Retry

from usage.ingestion.receipts import Receipt

PATH = "/api/usage/events"
# Temporary refusals: the proxy or the server is overloaded, or has no database.
NOT_NOW = frozenset({429, 502, 503, 504})
# Pauses between attempts without Retry-After, in seconds.
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
ANSWER_SECONDS = 60.0


class Undeliverable(Exception):
    """The server refuses the batch, or has not answered for too long; the message says which."""


@dataclass(frozen=True)
class Delivered:
    """Result of a delivery: the receipt, the number of attempts, and how many seconds the last one took."""

    receipt: Receipt
    attempts: int
    seconds: float


class Door:
    """Keep-alive connections to one server. `patience` is for how many seconds a batch is retried; setting
    `stopped` ends that at once."""

    def __init__(
        self, url: str, *, token: str | None, connections: int, patience: float, stopped: threading.Event
    ) -> None:
        self._address = url.rstrip("/") + PATH
        self._headers = {"Content-Type": "application/json"}
        if token:
            self._headers["Authorization"] = f"Token {token}"
        self._pool = urllib3.PoolManager(
            num_pools=1, maxsize=connections, timeout=urllib3.Timeout(connect=5, read=ANSWER_SECONDS)
        )
        self._patience, self._stopped = patience, stopped

    def deliver(self, body: bytes) -> Delivered | None:
        """Send the same bytes until they are acknowledged, so that nothing is counted twice. Return None if
        it was stopped before. Raise Undeliverable."""
        until, pause = time.monotonic() + self._patience, FIRST_PAUSE
        for attempts in count(1):
            begun, wait = time.perf_counter(), pause
            try:
                answer = self._pool.request(
                    "POST", self._address, body=body, headers=self._headers, retries=False, redirect=False
                )
            except HTTPError as error:
                why = f"cannot be reached: {error}"
            else:
                if answer.status == 200:
                    return Delivered(_receipt(answer.data), attempts, time.perf_counter() - begun)
                why = f"answers {answer.status}{_detail(answer.data)}"
                if answer.status not in NOT_NOW:
                    raise Undeliverable(f"{self._address} {why}")
                wait = _asked_pause(answer) or pause
            if time.monotonic() + wait > until:
                raise Undeliverable(f"{self._address} {why}, after {attempts} attempts")
            if self._stopped.wait(wait):
                break
            pause = min(pause * 2, LONGEST_PAUSE)
        return None


def _receipt(answer: bytes) -> Receipt:
    try:
        return msgspec.json.decode(answer, type=Receipt)
    except (msgspec.MsgspecError, ValueError) as error:
        raise Undeliverable(f"The server's answer is not a receipt: {error}") from error


def _detail(answer: bytes) -> str:
    """Return the `detail` of a problem document, after a comma, or an empty text."""
    try:
        return f", {json.loads(answer)['detail']}"
    except (ValueError, LookupError, TypeError):
        return ""


def _asked_pause(answer: urllib3.BaseHTTPResponse) -> float | None:
    try:
        return Retry().get_retry_after(answer)
    except InvalidHeader:
        return None
