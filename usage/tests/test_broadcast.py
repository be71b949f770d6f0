"""What is sent between processes, and that nobody waits for it."""

import asyncio
import threading
from typing import Any

import pytest

from usage import broadcast
from usage.broadcast import GROUP, TOGETHER, Broadcaster, changed_message

ONE, TWO, THREE = "0969786985", "0969786900", "0934567890"


class Layer:
    """A channel layer that notes what it was given, and is away while `gone` is set."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.gone = False
        self.asked = 0
        self.gate = threading.Event()
        self.gate.set()

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        self.asked += 1
        await asyncio.to_thread(self.gate.wait)
        if self.gone:
            raise ConnectionError
        self.sent.append((group, message))


@pytest.fixture
def layer(monkeypatch: pytest.MonkeyPatch) -> Layer:
    layer = Layer()
    monkeypatch.setattr(broadcast, "get_channel_layer", lambda: layer)
    return layer


def settle(broadcaster: Broadcaster) -> None:
    """Until the broadcaster has nothing left to send."""
    for _ in range(500):
        if not broadcaster._draining:
            return
        threading.Event().wait(0.01)
    raise AssertionError("still sending")


def named(layer: Layer) -> list[list[str]]:
    """The numbers of each message, in order."""
    return [sorted(changed_message["phone_numbers"]) for _, changed_message in layer.sent]


def test_a_changed_line_is_named_to_the_processes_with_sockets(layer: Layer) -> None:
    broadcaster = Broadcaster()
    broadcaster.publish([ONE])
    settle(broadcaster)
    assert layer.sent == [(GROUP, changed_message([ONE]))]


def test_what_changes_while_a_message_is_under_way_is_named_once_and_publishing_waits_for_nothing(
    layer: Layer,
) -> None:
    broadcaster = Broadcaster()
    layer.gate.clear()
    broadcaster.publish([ONE])
    while not layer.asked:
        threading.Event().wait(0.01)
    for _ in range(3):
        broadcaster.publish([TWO, THREE])
    layer.gate.set()
    settle(broadcaster)
    assert named(layer) == [[ONE], sorted([TWO, THREE])]


def test_many_lines_go_in_messages_of_a_bounded_size(layer: Layer) -> None:
    broadcaster = Broadcaster()
    numbers = [f"09{number:08d}" for number in range(2 * TOGETHER + 1)]
    broadcaster.publish(numbers)
    settle(broadcaster)
    assert sorted(number for numbers in named(layer) for number in numbers) == numbers
    assert max(len(numbers) for numbers in named(layer)) == TOGETHER


def test_a_layer_that_is_away_costs_nothing_but_the_message(layer: Layer) -> None:
    broadcaster = Broadcaster()
    layer.gone = True
    broadcaster.publish([ONE])
    settle(broadcaster)
    layer.gone = False
    broadcaster.publish([TWO])
    settle(broadcaster)
    assert named(layer) == [[TWO]]


def test_many_threads_may_publish_at_once(layer: Layer) -> None:
    broadcaster = Broadcaster()
    numbers = [f"09{number:08d}" for number in range(50)]
    threads = [threading.Thread(target=broadcaster.publish, args=([number],)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settle(broadcaster)
    assert {number for numbers in named(layer) for number in numbers} == set(numbers)


def test_a_loop_that_was_closed_is_replaced_and_what_it_did_not_send_is_sent(layer: Layer) -> None:
    broadcaster = Broadcaster()
    loop = asyncio.new_event_loop()
    broadcaster.use_loop(loop)
    broadcaster.publish([ONE])  # the loop does not run
    loop.close()
    broadcaster.publish([TWO])
    settle(broadcaster)
    assert named(layer) == [sorted([ONE, TWO])]
