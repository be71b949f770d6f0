"""How many compute at once, and who is next."""

import contextlib
import threading
import time
from collections.abc import Callable

from telcox.common import gate
from telcox.common.gate import PLACES, gated, inside, stepped_out
from telcox.testing.processes import wait_until


def until(condition: Callable[..., object]) -> None:
    wait_until(condition, 10, "what was waited for")


class Crowd:
    """Threads that go inside, and stay until they are let go."""

    def __init__(self) -> None:
        self.inside: list[int] = []
        self.most = 0
        self.let_go = [threading.Event() for _ in range(10)]
        self.threads: list[threading.Thread] = []

    def come(self, number: int) -> None:
        def run() -> None:
            with inside():
                self.inside.append(number)
                self.let_go[number].wait(10)
                self.inside.remove(number)

        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()

    def leave(self) -> None:
        for event in self.let_go:
            event.set()
        for thread in self.threads:
            thread.join(10)


def test_there_are_so_many_places_and_they_are_given_in_order() -> None:
    crowd = Crowd()
    for number in range(PLACES + 3):
        crowd.come(number)
        until(lambda number=number: len(crowd.inside) + len(gate._places._waiting) == number + 1)
    seen = [sorted(crowd.inside)]
    for number in range(3):
        crowd.let_go[number].set()
        until(lambda number=number: number not in crowd.inside and len(crowd.inside) == PLACES)
        seen.append(sorted(crowd.inside))
    crowd.leave()
    assert seen == [[n + i for i in range(PLACES)] for n in range(4)]
    assert gate._places._free == PLACES


def test_who_steps_out_lets_another_in_and_comes_back() -> None:
    crowd = Crowd()
    with inside():
        for number in range(PLACES):
            crowd.come(number)
        until(lambda: len(crowd.inside) == PLACES - 1)
        with stepped_out():
            until(lambda: len(crowd.inside) == PLACES)
            crowd.leave()
    assert gate._places._free == PLACES


def test_outside_stepping_out_is_nothing() -> None:
    with stepped_out():
        assert gate._places._free == PLACES


def test_a_request_that_fails_gives_its_place_back() -> None:
    def fail(environ: object, start_response: object) -> None:
        raise ZeroDivisionError

    for _ in range(PLACES + 1):
        with contextlib.suppress(ZeroDivisionError):
            gated(fail)({}, lambda: None)
    assert gate._places._free == PLACES


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

    call = gated(request)
    threads = [threading.Thread(target=lambda: [call({}, None) for _ in range(20)]) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == PLACES
