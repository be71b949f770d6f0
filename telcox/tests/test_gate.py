"""How many compute at once, who is next, and who is told to come later."""

import contextlib
import io
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from telcox.common.errors import TooBusy
from telcox.common.web import admission
from telcox.common.web.admission import PLACES, admitted, stepped_out, with_admission
from telcox.testing.processes import wait_until

pytestmark = pytest.mark.once


# More than any machine takes for what takes no time, in seconds; less than admission.OLDEST.
LONG = 50.0


class Crowd:
    """Threads that go inside, and stay until they are let go."""

    def __init__(self) -> None:
        self.inside: list[int] = []
        self.most = 0
        self.let_go = [threading.Event() for _ in range(10)]
        self.threads: list[threading.Thread] = []

    def come(self, number: int) -> None:
        def run() -> None:
            with admitted():
                self.inside.append(number)
                self.let_go[number].wait(60)
                self.inside.remove(number)

        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()

    def leave(self) -> None:
        for event in self.let_go:
            event.set()
        for thread in self.threads:
            thread.join(60)


def test_there_are_so_many_places_and_they_are_given_in_order() -> None:
    crowd = Crowd()
    for number in range(PLACES + 3):
        crowd.come(number)
        wait_until(lambda number=number: len(crowd.inside) + len(admission._places._waiting) == number + 1)
    seen = [sorted(crowd.inside)]
    for number in range(3):
        crowd.let_go[number].set()
        wait_until(lambda number=number: number not in crowd.inside and len(crowd.inside) == PLACES)
        seen.append(sorted(crowd.inside))
    crowd.leave()
    assert seen == [[n + i for i in range(PLACES)] for n in range(4)]
    assert admission._places._free == PLACES


def test_who_steps_out_lets_another_in_and_comes_back() -> None:
    crowd = Crowd()
    with admitted():
        for number in range(PLACES):
            crowd.come(number)
        wait_until(lambda: len(crowd.inside) == PLACES - 1)
        with stepped_out():
            wait_until(lambda: len(crowd.inside) == PLACES)
            crowd.leave()
    assert admission._places._free == PLACES


def test_outside_stepping_out_is_nothing() -> None:
    with stepped_out():
        assert admission._places._free == PLACES


def test_a_request_that_fails_gives_its_place_back() -> None:
    def fail(environ: object, start_response: object) -> None:
        raise ZeroDivisionError

    for _ in range(PLACES + 1):
        with contextlib.suppress(ZeroDivisionError):
            with_admission(fail)({}, lambda: None)
    assert admission._places._free == PLACES


def test_never_more_inside_than_places_under_a_crowd() -> None:
    now, most, lock = 0, 0, threading.Lock()

    def request(environ: object, start_response: object) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.0005)
        with lock:
            now -= 1

    call = with_admission(request)
    threads = [threading.Thread(target=lambda: [call({}, None) for _ in range(20)]) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == PLACES


# --- When there are more than can be served ---


@pytest.fixture
def full_house(settings: Any) -> Iterator[Crowd]:
    """All places are taken, by who stays; one waits for 0.4 seconds at most, and 0.2 are too long."""
    settings.QUEUE_WAIT_SECONDS, settings.QUEUE_BEHIND_SECONDS = 0.4, 0.2
    crowd = Crowd()
    for number in range(PLACES):
        crowd.come(number)
    wait_until(lambda: len(crowd.inside) == PLACES)
    yield crowd
    crowd.leave()
    assert admission._places._free == PLACES
    assert not admission._places._waiting


def seconds_until_refused(**given: float) -> float:
    began = time.monotonic()
    with pytest.raises(TooBusy), admitted(**given):
        pass
    return time.monotonic() - began


@pytest.fixture
def patient(settings: Any, full_house: Crowd) -> Crowd:
    """One waits for so long that whoever is refused sooner has not waited."""
    settings.QUEUE_WAIT_SECONDS = LONG
    return full_house


def test_nobody_waits_longer_than_the_limit(full_house: Crowd) -> None:
    assert 0.4 <= seconds_until_refused() < LONG / 2


def test_what_it_waited_at_the_proxy_counts(patient: Crowd, settings: Any) -> None:
    settings.QUEUE_BEHIND_SECONDS = 10 * LONG
    assert 0.1 <= seconds_until_refused(waited=LONG - 0.1) < LONG / 2
    assert seconds_until_refused(waited=2 * LONG) < LONG / 2


def test_once_somebody_waited_for_long_who_comes_is_refused_at_once(full_house: Crowd, settings: Any) -> None:
    seconds_until_refused()
    settings.QUEUE_WAIT_SECONDS = LONG
    for _ in range(100):
        assert seconds_until_refused() < LONG / 2


def test_when_a_place_was_given_who_comes_may_wait_again(full_house: Crowd, settings: Any) -> None:
    seconds_until_refused()
    settings.QUEUE_WAIT_SECONDS = LONG
    full_house.let_go[0].set()
    wait_until(lambda: len(full_house.inside) == PLACES - 1)
    full_house.come(PLACES)
    wait_until(lambda: len(full_house.inside) == PLACES)
    full_house.let_go[PLACES].set()
    with admitted():
        pass


def test_who_comes_back_is_never_refused(patient: Crowd) -> None:
    patient.let_go[0].set()
    with admitted():
        with stepped_out():
            patient.come(PLACES)
            wait_until(lambda: patient.inside == list(range(1, PLACES + 1)))
        with stepped_out():  # it has no place to give
            pass
    assert len(patient.inside) == PLACES


class Asked:
    """A request as WSGI gives it, and what it was answered."""

    def __init__(self, path: str, *, body: bytes = b"", waited: float = 0) -> None:
        self.body = io.BytesIO(body)
        self.status = ""
        self.headers: dict[str, str] = {}

        def start_response(status: str, headers: list[tuple[str, str]]) -> None:
            self.status, self.headers = status, dict(headers)

        environ = {
            "PATH_INFO": path,
            "wsgi.input": self.body,
            "HTTP_X_REQUEST_START": f"t={time.time() - waited:.3f}",
        }

        def application(environ: Any, start_response: Any) -> list[bytes]:
            start_response("200 OK", [])
            return []

        self.answer = with_admission(application)(environ, start_response)


def test_a_refusal_is_a_problem_that_says_when_to_come_again(full_house: Crowd) -> None:
    refused = Asked("/api/usage/events", body=b"x" * 1_000_000)
    assert refused.status == "503 Service Unavailable"
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.headers["Retry-After"] == "1"
    assert json.loads(b"".join(refused.answer))["reason"] == "too_busy"
    # Else its sender would see a broken connection.
    assert not refused.body.read()


def test_probes_need_no_place(full_house: Crowd) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        assert Asked(path).status == "200 OK"


def test_an_old_request_is_refused_at_once_unless_there_is_a_place(patient: Crowd) -> None:
    began = time.monotonic()
    assert Asked("/", waited=LONG + 1).status.startswith("503")
    assert time.monotonic() - began < LONG / 2
    patient.leave()
    assert Asked("/", waited=LONG + 1).status == "200 OK"


@pytest.mark.parametrize("start", ["", "t=", "t=soon", "t=nan", "t=99999999999", "t=1", "1"])
def test_a_clock_that_is_wrong_makes_nobody_older(start: str) -> None:
    assert admission._waited({"HTTP_X_REQUEST_START": start}) == 0.0
