"""What is sent between processes, and that nobody waits for it."""

import asyncio
import json
import threading
from typing import Any

import pytest

from usage.live import broadcast
from usage.live.broadcast import Broadcaster, group_of, message
from usage.snapshot import Snapshot
from usage.tests.test_snapshot import snapshot


def state(version: int) -> Snapshot:
    return Snapshot(**{**snapshot(), "version": version})


class Layer:
    """A channel layer that notes what it was given, and is away while `gone` is set."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.gone = False
        self.gate = threading.Event()
        self.gate.set()

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
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


def test_a_message_has_the_shape_the_hub_expects() -> None:
    sent = message(snapshot())
    assert set(sent) == {"type", "phone_number", "version", "expired", "text"}
    assert json.loads(sent["text"]) == snapshot()


def test_a_state_goes_to_its_lines_group(layer: Layer) -> None:
    broadcaster = Broadcaster()
    broadcaster.publish(state(1))
    settle(broadcaster)
    assert layer.sent == [(group_of("0969786985"), message(state(1)))]


def test_of_many_states_of_a_line_the_newest_is_sent_and_publishing_waits_for_nothing(layer: Layer) -> None:
    broadcaster = Broadcaster()
    layer.gate.clear()
    broadcaster.publish(state(1))
    for version in (2, 9, 3):
        broadcaster.publish(state(version))
    layer.gate.set()
    settle(broadcaster)
    assert [message["version"] for _, message in layer.sent][-1] == 9
    assert len(layer.sent) <= 3


def test_a_layer_that_is_away_costs_nothing_but_the_message(layer: Layer) -> None:
    broadcaster = Broadcaster()
    layer.gone = True
    broadcaster.publish(state(1))
    settle(broadcaster)
    layer.gone = False
    broadcaster.publish(state(2))
    settle(broadcaster)
    assert [message["version"] for _, message in layer.sent] == [2]


def test_many_threads_may_publish_at_once(layer: Layer) -> None:
    broadcaster = Broadcaster()
    threads = [threading.Thread(target=broadcaster.publish, args=(state(number),)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settle(broadcaster)
    assert max(message["version"] for _, message in layer.sent) == 49


def test_a_loop_that_was_closed_is_replaced(layer: Layer) -> None:
    broadcaster = Broadcaster()
    loop = asyncio.new_event_loop()
    broadcaster.use_loop(loop)
    broadcaster.publish(state(1))  # never sent: the loop does not run
    loop.close()
    broadcaster.publish(state(2))
    settle(broadcaster)
    assert [message["version"] for _, message in layer.sent] == [2]
