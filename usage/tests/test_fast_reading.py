"""Batches as they usually are never take the slow way; those that may have been changed always do."""

from itertools import combinations
from typing import Any

import pytest

from usage.ingestion import formats
from usage.ingestion.formats import read_cloud_events, read_json, read_ndjson
from usage.ingestion.reports import UsageReport
from usage.tests.test_formats import CLOUD, PLAIN, encoded

pytestmark = pytest.mark.once

OPTIONAL = ("source", "event_id", "occurred_at")
# With and without each optional field, as one batch.
SOME = [
    {name: value for name, value in PLAIN.items() if name not in left_out}
    for number in range(4)
    for left_out in combinations(OPTIONAL, number)
]
EVENTS = [
    CLOUD,
    {name: value for name, value in CLOUD.items() if name != "time"},
    {
        **CLOUD,
        "extension": 5,
        "another": True,
        "traceparent": "x",
        "data": {"category": "SMS", "quantity": 1, "cells": ["a", {"b": 1}]},
    },
]


class SlowWay(Exception):
    """An item was read by itself."""


@pytest.fixture(autouse=True)
def _no_slow_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*args: Any) -> None:
        raise SlowWay

    monkeypatch.setattr(formats._Form, "read", read)


@pytest.mark.parametrize(
    "items", [[item] for item in SOME] + [SOME, SOME * 3], ids=lambda items: str(len(items))
)
def test_usual_reports_are_decoded_at_once(items: list[dict[str, Any]]) -> None:
    lines = b"\n".join(encoded(item) for item in items)
    for reported in (read_json(encoded(items)), read_ndjson(lines), read_ndjson(lines + b"\r\n\n")):
        assert [type(report) for report in reported] == [UsageReport] * len(items)


def test_a_source_that_is_the_default_was_sent_all_the_same() -> None:
    assert len(read_json(encoded([{**PLAIN, "source": "api"}, SOME[1]]))) == 2


def test_blanks_and_fine_moments_are_no_reason_for_the_slow_way() -> None:
    text = encoded([{**PLAIN, "occurred_at": "2026-12-01T15:00:00.123456789Z"}, SOME[1]])
    spaced = text.replace(b":", b" : ").replace(b" : 00", b":00").replace(b",", b" ,\n\t")
    assert len(read_json(text)) == 2
    assert len(read_json(spaced)) == 2


def test_usual_events_are_decoded_at_once() -> None:
    for events in (EVENTS[:1], EVENTS[1:2], EVENTS[2:], EVENTS * 3):
        assert len(read_cloud_events(encoded(events))) == len(events)


@pytest.mark.parametrize(
    "changed",
    [
        encoded(PLAIN)[:-1] + b',"source":"api"}',
        encoded(SOME[1])[:-1] + b',"source":"api","source":"api"}',
        encoded({**PLAIN, "quantity": 1.0}),
        encoded({**PLAIN, "occurred_at": "2026-11-24T23:59:60Z"}),
        encoded({**PLAIN, "event_id": None}),
        encoded({**PLAIN, "event_id": 'a "quoted" id'}),
    ],
)
def test_what_may_have_been_changed_is_looked_at(changed: bytes) -> None:
    for read, text in ((read_json, b"[%s,%s]" % (changed, encoded(PLAIN))), (read_ndjson, changed)):
        with pytest.raises(SlowWay):
            read(text)
