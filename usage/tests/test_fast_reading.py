"""Batches as they usually are never take the slow way; those that may have been changed always do."""

import gzip
from datetime import timedelta
from itertools import combinations
from typing import Any

import pytest

from telcox.common.errors import InvalidInput
from usage.ingestion import formats
from usage.ingestion.formats import read_cloud_event, read_cloud_events, read_json, read_ndjson
from usage.ingestion.reports import UsageReport
from usage.tests.test_formats import AT, CLOUD, PLAIN, encoded

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
        encoded({**PLAIN, "occurred_at": "2026-11-24T23:59:60Z"}).replace(b":59:", b"\\u003a59:"),
    ],
)
def test_what_may_have_been_changed_is_looked_at(changed: bytes) -> None:
    for read, text in ((read_json, b"[%s,%s]" % (changed, encoded(PLAIN))), (read_ndjson, changed)):
        with pytest.raises(SlowWay):
            read(text)


@pytest.mark.parametrize("letter", ["0", "2", ":", ".", "9", "-", "T"])
def test_a_moment_is_cut_also_if_it_is_written_with_escapes(
    monkeypatch: pytest.MonkeyPatch, letter: str
) -> None:
    """A string of JSON may escape any character, as some encoders do with all but letters."""
    monkeypatch.undo()
    escaped = "2026-12-01T10:00:00.9999999-05:00".replace(letter, f"\\u{ord(letter):04x}")
    plain, event = (
        encoded({**fields, name: "then"}).replace(b"then", escaped.encode())
        for fields, name in ((PLAIN, "occurred_at"), (CLOUD, "time"))
    )
    for reported in (
        *read_json(plain),
        *read_json(b"[%s,%s]" % (encoded(PLAIN), plain))[1:],
        *read_ndjson(plain),
        *read_cloud_event(event),
        *read_cloud_events(b"[%s]" % event),
    ):
        assert isinstance(reported, UsageReport)
        assert reported.occurred_at == AT + timedelta(microseconds=999_999)


@pytest.mark.parametrize("encoding", ["utf-16", "gzip"])
def test_lines_of_another_encoding_are_refused_whole(encoding: str) -> None:
    """They have no lines: an answer with some invalid reports would tell the sender to go on."""
    lines = encoded(PLAIN) + b"\n" + encoded(PLAIN)
    with pytest.raises(InvalidInput, match="UTF-8"):
        read_ndjson(gzip.compress(lines) if encoding == "gzip" else lines.decode().encode(encoding))
