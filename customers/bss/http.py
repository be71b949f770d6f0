"""Adapter for the operator's own BSS, over HTTP, with the paths and answers of the original."""

import time
from decimal import Decimal
from typing import Any

import urllib3
from django.conf import settings
from urllib3.exceptions import HTTPError, NewConnectionError, ProtocolError, TimeoutError

from customers.bss import CustomerSummary, UnknownSubscriber
from telcox.common.errors import BadGateway, GatewayTimeout
from telcox.common.http_exchange import AnswerTooLong, exchange
from telcox.common.web.admission import stepped_out
from telcox.common.web.exact_json import exact_json, whole_number

# Connections in the pool; a request waits if all of them are busy.
CONNECTIONS = 16

# Fields of a summary and their types. `bool`, an `int` in Python, is not accepted as one.
FIELDS: dict[str, type | tuple[type, ...]] = {
    "customer_id": int,
    "dni": str,
    "name": str,
    "product_type": str,
    "phone_number": str,
    "balance_usd": (int, Decimal),
    "balance_limit_usd": (int, Decimal),
    "minutes_remaining": int,
    "minutes_limit": int,
}


class HttpGateway:
    """Adapter that asks the BSS over HTTP, with one pool of keep-alive connections for the process.
    BSS_TIMEOUT_SECONDS limits the wait for an answer."""

    def __init__(self) -> None:
        self._base = settings.BSS_URL.rstrip("/")
        self._seconds = settings.BSS_TIMEOUT_SECONDS
        self._pool = urllib3.PoolManager(maxsize=CONNECTIONS, block=True)

    def summary(self, phone_number: str) -> CustomerSummary:
        with stepped_out():
            status, body = self._get(f"{self._base}/bss/customers/by-phone-number/{phone_number}/summary")
        if status == 404:
            raise UnknownSubscriber
        if status != 200:
            raise BadGateway(f"Error contacting BSS: it answered with status {status}")
        return parse_summary(body)

    def _get(self, url: str) -> tuple[int, bytes]:
        deadline = time.monotonic() + self._seconds
        try:
            try:
                return exchange(self._pool, "GET", url, deadline=deadline)
            except ProtocolError:
                # The BSS may have closed an idle keep-alive connection, which is not a failure. A second
                # request is safe.
                return exchange(self._pool, "GET", url, deadline=deadline)
        except NewConnectionError as error:
            raise BadGateway("Error contacting BSS: no connection") from error
        except TimeoutError as error:
            raise GatewayTimeout("BSS did not answer in time") from error
        except AnswerTooLong as error:
            raise BadGateway("Error contacting BSS: the answer is too long") from error
        except HTTPError as error:
            raise BadGateway("Error contacting BSS: the answer ended too early") from error


def parse_summary(body: bytes) -> CustomerSummary:
    """Return the summary in an answer's body. Raise BadGateway if the body is not a valid summary."""
    try:
        document = exact_json(body)
        values = {field: _of_type(document[field], kind) for field, kind in FIELDS.items()}
        for field in ("balance_usd", "balance_limit_usd"):
            values[field] = Decimal(values[field])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BadGateway("Error contacting BSS: the answer is not a summary") from error
    return CustomerSummary(**values)


def _of_type(value: Any, kind: type | tuple[type, ...]) -> Any:
    if kind is int and isinstance(value, Decimal):
        value = whole_number(value)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError
    return value
