"""The forms usage comes in: what each is read as, and what is made of nonsense."""

import contextlib
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telcox.common.errors import InvalidInput
from usage.ingestion.formats import (
    Malformed,
    Reported,
    read_binary_cloud_event,
    read_cloud_event,
    read_cloud_events,
    read_json,
    read_ndjson,
)
from usage.ingestion.reports import CATEGORY_NAMES, UsageReport
from usage.vocabulary import QUANTITY_MAX, Category

pytestmark = pytest.mark.once

AT = datetime(2026, 12, 1, 15, 0, tzinfo=UTC)
PLAIN = {
    "phone_number": "+593969786985",
    "category": "SOCIAL",
    "quantity": 1024,
    "source": "pgw-1",
    "event_id": "e-1",
    "occurred_at": "2026-12-01T10:00:00-05:00",
}
CLOUD = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "pgw-1",
    "type": "net.usage",
    "subject": "593969786985",
    "time": "2026-12-01T15:00:00Z",
    "data": {"category": "SOCIAL", "quantity": 1024},
    "traceparent": "00-ab",
}
EXPECTED = UsageReport("0969786985", "SOCIAL", 1024, "pgw-1", "e-1", AT)


def encoded(document: Any) -> bytes:
    return msgspec.json.encode(document)


def test_the_decoder_knows_the_categories_of_the_model() -> None:
    assert list(CATEGORY_NAMES) == Category.values


@pytest.mark.parametrize(
    "reported",
    [
        read_json(encoded(PLAIN)),
        read_json(b"  " + encoded([PLAIN])),
        read_ndjson(encoded(PLAIN) + b"\r\n\n"),
        read_cloud_event(encoded(CLOUD)),
        read_cloud_events(encoded([CLOUD])),
        read_binary_cloud_event(
            {
                "Ce-Specversion": "1.0",
                "Ce-Id": "e-1",
                "Ce-Source": "pgw%2D1",
                "Ce-Type": "net.usage",
                "Ce-Subject": "%2B593969786985",
                "Ce-Time": "2026-12-01T15:00:00Z",
                "Content-Type": "application/json",
            },
            encoded(CLOUD["data"]),
        ),
    ],
    ids=["object", "array", "ndjson", "structured", "batch", "binary"],
)
def test_every_form_says_the_same(reported: list[Reported]) -> None:
    assert reported == [EXPECTED]


def test_what_is_absent_has_a_default() -> None:
    assert read_json(encoded({"phone_number": "0969786985", "category": "SMS", "quantity": 1})) == [
        UsageReport("0969786985", "SMS", 1, "api", None, None)
    ]


WRONG = [
    {"quantity": 0},
    {"quantity": -1},
    {"quantity": QUANTITY_MAX + 1},
    {"quantity": 10**30},
    {"quantity": 1.5},
    {"quantity": "5"},
    {"quantity": True},
    {"quantity": None},
    {"category": "VIDEO"},
    {"category": 5},
    {"phone_number": "abc"},
    {"phone_number": 969786985},
    {"phone_number": ""},
    {"event_id": ""},
    {"event_id": "  "},
    {"event_id": "a\0b"},
    {"event_id": "x" * 129},
    {"event_id": 5},
    {"source": "y" * 65},
    {"source": "\t"},
    {"occurred_at": "2026-12-01T10:00:00"},
    {"occurred_at": "yesterday"},
    {"occurred_at": "0001-01-01T00:00:00+14:00"},
    {"occurred_at": "9999-12-31T23:59:59-14:00"},
    {"occurred_at": 5},
    {"ocurred_at": "2026-12-01T10:00:00Z"},
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_among_others_what_is_no_report_stands_in_its_place(wrong: dict[str, Any]) -> None:
    before, bad, after = read_json(encoded([PLAIN, {**PLAIN, **wrong}, PLAIN]))
    assert (before, after) == (EXPECTED, EXPECTED)
    assert isinstance(bad, Malformed)
    assert bad.detail
    if "event_id" not in wrong:
        assert bad.event_id == "e-1"


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_alone_it_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        read_json(encoded({**PLAIN, **wrong}))


@pytest.mark.parametrize(
    "wrong",
    [{"specversion": "0.3"}, {"subject": "abc"}, {"id": ""}, {"data": 5}, {"data": {}}, {"time": "now"}],
    ids=str,
)
def test_a_cloud_event_is_held_to_the_specification(wrong: dict[str, Any]) -> None:
    good, bad = read_cloud_events(encoded([CLOUD, {**CLOUD, **wrong}]))
    assert good == EXPECTED
    assert isinstance(bad, Malformed)
    with pytest.raises(InvalidInput):
        read_cloud_event(encoded({**CLOUD, **wrong}))


@pytest.mark.parametrize("missing", ["specversion", "id", "source", "type", "subject", "data"])
def test_a_cloud_event_has_what_the_specification_requires(missing: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_cloud_event(encoded({name: value for name, value in CLOUD.items() if name != missing}))
    assert missing in refused.value.detail


def test_a_binary_cloud_event_without_its_headers_is_refused() -> None:
    with pytest.raises(InvalidInput):
        read_binary_cloud_event({"ce-specversion": "1.0"}, encoded(CLOUD["data"]))


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"[", b"[1,", b"{", b"nope", b"\xff\xfe", b'"\\ud800"', b"5", b"null", b"[" * 100_000,
b'{"a":' * 50_000], )  # fmt: skip
def test_what_is_no_json_or_no_report_is_refused_whole(body: bytes) -> None:
    for read in (read_json, read_cloud_event, read_cloud_events):
        with pytest.raises(InvalidInput):
            read(body)
    assert all(isinstance(item, Malformed) for item in read_ndjson(body))


def test_an_array_of_nonsense_is_read_item_by_item() -> None:
    assert len(read_json(b'[1, null, "x", [], {}, {"event_id": 5}, {"event_id": "e"}]')) == 7
    assert read_json(b"[]") == []


@given(st.binary(max_size=200))
def test_no_bytes_break_a_reader(body: bytes) -> None:
    for read in (read_json, read_ndjson, read_cloud_event, read_cloud_events):
        with contextlib.suppress(InvalidInput):
            read(body)
