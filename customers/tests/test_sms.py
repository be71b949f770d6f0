"""SMS: on the terminal, and by HTTP to a gateway that answers, or misbehaves, over a real socket."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from customers import sms
from customers.sms import SmsRefused
from customers.sms.console import ConsoleGateway
from customers.sms.http import HttpGateway
from telcox.common.errors import BadGateway, GatewayTimeout
from telcox.testing.processes import free_port

pytestmark = pytest.mark.once

MESSAGE = {"phone_number": "0969786985", "text": "Factura: el plazo era el 09/11/2026. ¿Ya pagó?"}


class Carrier(ThreadingHTTPServer):
    """Answers every message with `status`, after `delay` seconds; without one it hangs up."""

    daemon_threads = True
    status: int | None = 202
    delay = 0.0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.taken: list[tuple[str, Any, dict[str, Any]]] = []
        self.connections = 0

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: who asked has given up waiting."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Carrier

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append((self.path, self.headers["Authorization"], json.loads(body)))
        time.sleep(self.server.delay)
        if self.server.status is None:
            self.close_connection = True
            return
        self.send_response(self.server.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def carrier(settings: Any) -> Iterator[Carrier]:
    carrier = Carrier()
    settings.SMS_URL = f"http://127.0.0.1:{carrier.server_address[1]}/messages"
    settings.SMS_TOKEN, settings.SMS_TIMEOUT_SECONDS = "secret", 60
    threading.Thread(target=carrier.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield carrier
    carrier.shutdown()
    carrier.server_close()


def test_a_message_is_posted_with_the_token(carrier: Carrier) -> None:
    HttpGateway().send(**MESSAGE)
    message = {"to": MESSAGE["phone_number"], "text": MESSAGE["text"]}
    assert carrier.taken == [("/messages", "Bearer secret", message)]


def test_connections_are_kept(carrier: Carrier) -> None:
    gateway = HttpGateway()
    for _ in range(5):
        gateway.send(**MESSAGE)
    assert (len(carrier.taken), carrier.connections) == (5, 1)


@pytest.mark.parametrize(
    ("status", "error"),
    [(422, SmsRefused), (401, BadGateway), (302, BadGateway), (500, BadGateway), (None, BadGateway)],
)
def test_one_that_refuses_or_is_broken_is_asked_once(
    carrier: Carrier, status: int | None, error: type[Exception]
) -> None:
    carrier.status = status
    with pytest.raises(error) as refused:
        HttpGateway().send(**MESSAGE)
    assert type(refused.value) is error
    assert MESSAGE["phone_number"] not in str(refused.value)
    assert len(carrier.taken) == 1


def test_one_that_is_too_slow_is_waited_for_as_long_as_was_set(carrier: Carrier, settings: Any) -> None:
    carrier.delay, settings.SMS_TIMEOUT_SECONDS = 60, 0.5
    started = time.monotonic()
    with pytest.raises(GatewayTimeout):
        HttpGateway().send(**MESSAGE)
    assert time.monotonic() - started < 30


def test_one_that_is_not_there_is_a_bad_gateway(settings: Any) -> None:
    settings.SMS_URL = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(BadGateway):
        HttpGateway().send(**MESSAGE)


def test_the_terminal_shows_it_in_development_and_takes_none_in_production(
    settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.DEBUG = True
    ConsoleGateway().send(**MESSAGE)
    assert capsys.readouterr().out == f"SMS to {MESSAGE['phone_number']}: {MESSAGE['text']}\n"
    settings.DEBUG = False
    with pytest.raises(SmsRefused):
        ConsoleGateway().send(**MESSAGE)
    assert capsys.readouterr().out == ""


def test_the_settings_choose(settings: Any) -> None:
    settings.SMS_GATEWAY = "customers.sms.http.HttpGateway"
    assert isinstance(sms.gateway(), HttpGateway)
    assert sms.gateway() is sms.gateway()
