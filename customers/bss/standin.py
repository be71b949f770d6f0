"""Stand-in for the operator's BSS, like the one of the original: three customers, and switches that make it
fail.

The HTTP adapter's tests and the demo profile of docker-compose.yml use it; nothing else imports it.
"""

import json
import sys
import threading
import time
from dataclasses import asdict, dataclass
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

CUSTOMERS = {
    customer["phone_number"]: customer
    for customer in (
        {
            "customer_id": 1,
            "dni": "0929668846",
            "name": "Jesus Jacome",
            "product_type": "MOVIL",
            "phone_number": "0969786985",
            "balance_usd": 12.75,
            "balance_limit_usd": 30.0,
            "minutes_remaining": 320,
            "minutes_limit": 600,
        },
        {
            "customer_id": 2,
            "dni": "0923456781",
            "name": "Bruno S.",
            "product_type": "FIJO",
            "phone_number": "0923456789",
            "balance_usd": 3.5,
            "balance_limit_usd": 20.0,
            "minutes_remaining": 45,
            "minutes_limit": 200,
        },
        {
            "customer_id": 3,
            "dni": "0934567893",
            "name": "Carla M.",
            "product_type": "MOVIL",
            "phone_number": "0934567890",
            "balance_usd": 0.0,
            "balance_limit_usd": 10.0,
            "minutes_remaining": 0,
            "minutes_limit": 100,
        },
    )
}


class Failure(StrEnum):
    """The ways in which the stand-in can fail."""

    NONE = "none"
    STATUS = "status"  # 500
    REDIRECT = "redirect"
    GARBAGE = "garbage"  # not JSON
    MISSING = "missing"  # JSON without a field
    NAN = "nan"  # a balance that is not a number
    TRUNCATED = "truncated"  # a body shorter than Content-Length
    ENDLESS = "endless"  # a megabyte of blanks before the JSON
    DRIP = "drip"  # a byte every tenth of a second
    HANGUP = "hangup"  # the connection is closed without an answer
    CLOSE_KEPT = "close-kept"  # answers correctly, then closes the kept-alive connection


@dataclass
class Switches:
    delay: float = 0.0  # seconds to wait before each answer
    failure: Failure = Failure.NONE


class BssStandin(ThreadingHTTPServer):
    """An HTTP server that listens once it is created, and answers within a `with` block or in
    `serve_forever()`."""

    daemon_threads = True

    def __init__(self, host: str = "127.0.0.1", port: int = 0, switches: Switches | None = None) -> None:
        super().__init__((host, port), _Handler)
        self.switches = switches or Switches()
        self.connections = 0

    @property
    def url(self) -> str:
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}"

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A lost connection is not an error: the switches make clients time out.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes; without this the second waits for an ACK
    server: BssStandin

    def do_GET(self) -> None:
        phone_number = self._asked_for()
        if phone_number is None:
            return self._answer(404, {"detail": "Not Found"})
        switches = self.server.switches
        time.sleep(switches.delay)
        if switches.failure is Failure.NONE and phone_number not in CUSTOMERS:
            return self._answer(404, {"detail": "Customer not found"})
        return self._misbehave(switches.failure, CUSTOMERS.get(phone_number, CUSTOMERS["0969786985"]))

    def do_PUT(self) -> None:
        """Handle `PUT /switches` with `{"delay": 2.5, "failure": "garbage"}`, both optional. Answer with the
        switches that are set."""
        body = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), 10_000))
        if self.path != "/switches":
            return self._answer(404, {"detail": "Not Found"})
        try:
            asked = {"delay": 0.0, "failure": "none", **json.loads(body or b"{}")}
            if set(asked) != {"delay", "failure"} or not 0 <= float(asked["delay"]) <= 60:
                raise ValueError("delay (0 to 60 seconds) and failure are the switches there are")
            self.server.switches = Switches(float(asked["delay"]), Failure(asked["failure"]))
        except (ValueError, TypeError) as error:
            return self._answer(422, {"detail": str(error)})
        return self._answer(200, asdict(self.server.switches))

    def _asked_for(self) -> str | None:
        match self.path.split("?")[0].split("/"):
            case ["", "bss", "customers", "by-phone-number", phone_number, "summary"]:
                return phone_number
        return None

    def _misbehave(self, failure: Failure, customer: dict[str, Any]) -> None:
        summary = json.dumps(customer).encode()
        match failure:
            case Failure.STATUS:
                self._answer(500, {"detail": "Internal Server Error"})
            case Failure.REDIRECT:
                self._send(302, b"", {"Location": "/elsewhere"})
            case Failure.GARBAGE:
                self._send(200, b"<html>not what you asked for")
            case Failure.MISSING:
                self._answer(200, {key: value for key, value in customer.items() if key != "balance_usd"})
            case Failure.NAN:
                self._answer(200, {**customer, "balance_usd": float("nan")})
            case Failure.TRUNCATED:
                self._send(200, summary[:20], {"Content-Length": str(len(summary))})
                self.close_connection = True
            case Failure.ENDLESS:
                self._send(200, b" " * 1_000_000 + summary)
            case Failure.DRIP:
                self._send(200, b"", {"Content-Length": str(len(summary))})
                for byte in summary:
                    time.sleep(0.1)
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
            case Failure.HANGUP:
                self.close_connection = True
            case Failure.CLOSE_KEPT:
                self._send(200, summary)
                self.close_connection = True
            case Failure.NONE:
                self._send(200, summary)

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        self._send(status, json.dumps(document).encode())

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing, since a request line contains a phone number."""
