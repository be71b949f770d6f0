"""The HTTP adapter against a BSS that answers, or misbehaves, over a real socket."""

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from customers.bss import UnknownSubscriber
from customers.bss.http import CONNECTIONS, HttpGateway, parse_summary
from customers.bss.standin import BssStandin, Failure, Switches
from telcox.common.errors import BadGateway, GatewayTimeout
from telcox.testing.clients import ask
from telcox.testing.processes import free_port
from telcox.testing.threads import in_threads

pytestmark = pytest.mark.once

JESUS = "0969786985"


@pytest.fixture
def standin() -> Iterator[BssStandin]:
    with BssStandin() as standin:
        yield standin


@pytest.fixture
def bss(standin: BssStandin, settings: Any) -> HttpGateway:
    settings.BSS_URL = standin.url
    settings.BSS_TIMEOUT_SECONDS = 60
    return HttpGateway()


def test_a_summary_is_read_with_money_as_decimals(bss: HttpGateway) -> None:
    summary = bss.summary(JESUS)
    assert (summary.name, summary.minutes_remaining) == ("Jesus Jacome", 320)
    assert (summary.balance_usd, summary.balance_limit_usd) == (Decimal("12.75"), Decimal("30.0"))


SUMMARY = (
    b'{"customer_id":1,"dni":"0929668846","name":"Ana","product_type":"x","phone_number":"0969786985",'
    b'"balance_usd":1,"balance_limit_usd":2.5,"minutes_limit":9,"minutes_remaining":%s}'
)


@pytest.mark.parametrize("minutes", [b"5", b"5.0", b"5e0", b"50E-1"])
def test_whole_numbers_of_the_bss_are_read_however_they_are_spelled(minutes: bytes) -> None:
    assert parse_summary(SUMMARY % minutes).minutes_remaining == 5


@pytest.mark.parametrize(
    "minutes", [b"5.5", b"1e-9", b"1e999999999", b"1e99999999999999999999", b'"5"', b"true", b'5,"dni":"x"']
)
def test_a_summary_that_is_not_certain_is_a_bad_gateway(minutes: bytes) -> None:
    with pytest.raises(BadGateway):
        parse_summary(SUMMARY % minutes)


def test_a_number_the_bss_does_not_know_is_not_found(bss: HttpGateway) -> None:
    with pytest.raises(UnknownSubscriber):
        bss.summary("0999999999")


@pytest.mark.parametrize(
    "failure",
    [
        Failure.STATUS,
        Failure.REDIRECT,
        Failure.GARBAGE,
        Failure.MISSING,
        Failure.NAN,
        Failure.TRUNCATED,
        Failure.ENDLESS,
        Failure.HANGUP,
    ],
)
def test_a_bss_that_is_broken_is_a_bad_gateway_and_afterwards_works_again(
    standin: BssStandin, bss: HttpGateway, failure: Failure
) -> None:
    standin.switches = Switches(failure=failure)
    for _ in range(3):
        with pytest.raises(BadGateway) as refused:
            bss.summary(JESUS)
        assert refused.value.detail.startswith("Error contacting BSS")
        assert JESUS not in refused.value.detail
    standin.switches = Switches()
    assert bss.summary(JESUS).customer_id == 1


@pytest.mark.parametrize("switches", [Switches(delay=60), Switches(failure=Failure.DRIP)], ids=str)
def test_a_bss_that_is_too_slow_is_a_gateway_timeout_in_the_time_that_was_set(
    standin: BssStandin, switches: Switches, settings: Any
) -> None:
    settings.BSS_URL, settings.BSS_TIMEOUT_SECONDS = standin.url, 2.0
    bss = HttpGateway()
    standin.switches = switches
    started = time.monotonic()
    with pytest.raises(GatewayTimeout):
        bss.summary(JESUS)
    # The stand-in would take far longer, or answer after all.
    assert time.monotonic() - started < 30
    standin.switches = Switches()
    assert bss.summary(JESUS).customer_id == 1


def test_a_bss_that_is_not_there_is_a_bad_gateway(settings: Any) -> None:
    settings.BSS_URL = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(BadGateway):
        HttpGateway().summary(JESUS)


def test_a_kept_connection_that_was_closed_meanwhile_is_not_the_callers_trouble(
    standin: BssStandin, bss: HttpGateway
) -> None:
    standin.switches = Switches(failure=Failure.CLOSE_KEPT)
    for _ in range(5):
        assert bss.summary(JESUS).customer_id == 1


def test_connections_are_kept_and_not_one_made_for_each_request(standin: BssStandin, settings: Any) -> None:
    settings.BSS_URL, settings.BSS_TIMEOUT_SECONDS = standin.url, 60
    bss = HttpGateway()
    in_threads(lambda _: bss.summary(JESUS), range(200), threads=32)
    assert 1 <= standin.connections <= CONNECTIONS


def test_switches_are_set_while_it_runs_and_bad_ones_are_refused(standin: BssStandin) -> None:
    port = int(standin.server_address[1])
    answer = ask(port, "PUT", "/switches", body=b'{"delay": 0.1, "failure": "garbage"}')
    assert answer.status == 200
    assert standin.switches == Switches(0.1, Failure.GARBAGE)
    for body in (b'{"failure": "fire"}', b'{"delay": -1}', b"[]", b"{", b'{"speed": 1}', b'{"delay": "x"}'):
        assert ask(port, "PUT", "/switches", body=body).status == 422, body
    assert standin.switches == Switches(0.1, Failure.GARBAGE)
