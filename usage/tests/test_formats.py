"""The forms usage comes in: what each is read as, and what is made of nonsense."""

import contextlib
import time
from base64 import b64encode
from datetime import UTC, datetime, timedelta
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
    [b"", b" ", b"[", b"[1,", b"{", b"nope", b"\xff", b'"\\ud800"', b"5", b"null", b"[" * 100_000,
b'{"a":' * 50_000], )  # fmt: skip
def test_what_is_no_json_or_no_report_is_refused_whole(body: bytes) -> None:
    for read in (read_json, read_cloud_event, read_cloud_events):
        with pytest.raises(InvalidInput):
            read(body)
    assert all(isinstance(item, Malformed) for item in read_ndjson(body))


def test_an_array_of_nonsense_is_read_item_by_item() -> None:
    assert len(read_json(b'[1, null, "x", [], {}, {"event_id": 5}, {"event_id": "e"}]')) == 7
    assert read_json(b"[]") == []


NUMBERS = ["1000", "1000.0", "1000.000", "1e3", "1E3", "1E+3", "1.0e3", "10000e-1", "0.1e4"]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_whole_number_may_have_any_spelling_of_json(number: str) -> None:
    """JSON Schema 2020-12, section 6.1.1: a number without a fraction is an integer."""
    report = b'{"phone_number":"0969786985","category":"SMS","quantity":%s}' % number.encode()
    data = b'{"category":"SMS","quantity":%s}' % number.encode()
    event = encoded({**CLOUD, "data": msgspec.Raw(data)})
    headers = {f"ce-{name}": str(CLOUD[name]) for name in ("specversion", "id", "source", "type", "subject")}
    for reported in (
        read_json(report),
        read_json(b"[%s]" % report),
        read_ndjson(report),
        read_cloud_event(event),
        read_cloud_events(b"[%s]" % event),
        read_cloud_event(
            encoded(
                {**{k: v for k, v in CLOUD.items() if k != "data"}, "data_base64": b64encode(data).decode()}
            )
        ),
        read_binary_cloud_event(headers, data),
    ):
        [only] = reported
        assert isinstance(only, UsageReport)
        assert (only.quantity, type(only.quantity)) == (1000, int)


def test_the_largest_quantity_may_have_any_spelling_too() -> None:
    for number in (b"%d" % QUANTITY_MAX, b"%d.0" % QUANTITY_MAX, b"%d0e-1" % QUANTITY_MAX):
        [report] = read_json(b'{"phone_number":"0969786985","category":"SMS","quantity":%s}' % number)
        assert isinstance(report, UsageReport)
        assert report.quantity == QUANTITY_MAX


@pytest.mark.parametrize(
    "number",
    [
        "1.5",
        "0.0",
        "1e-1",
        "1e-999999999",
        "1e999999999",
        "1e400",
        f"{QUANTITY_MAX + 1}.0",
        "1.00000000000000000001",
        "-1e3",
        "1" + "0" * 5000,
        "1." + "0" * 100_000 + "1",
    ],
    ids=lambda number: number[:20],
)
def test_another_number_is_refused_and_costs_no_time(number: str) -> None:
    report = b'{"phone_number":"0969786985","category":"SMS","quantity":%s}' % number.encode()
    begun = time.process_time()
    good, bad = read_json(b"[%s, %s]" % (encoded(PLAIN), report))
    assert good == EXPECTED
    assert isinstance(bad, Malformed)
    with pytest.raises(InvalidInput):
        read_json(report)
    assert time.process_time() - begun < 1


@pytest.mark.parametrize(
    "twice",
    [
        b'"quantity":1024',
        b'"quantity":2048',
        b'"quant\\u0069ty":2048',
        b'"quantity" : 2048',
        b'"quantity"\r\t:2048',
        b'"event_id":"e-2"',
        b'"event_id":null',
        b'"source":"api"',
        b'"occurred_at":"2026-12-01T10:00:00-05:00"',
    ],
)
def test_a_name_that_occurs_twice_is_refused(twice: bytes) -> None:
    """RFC 8259, section 4: its meaning would be unpredictable."""
    report = encoded(PLAIN)[:-1] + b"," + twice + b"}"
    with pytest.raises(InvalidInput, match="twice"):
        read_json(report)
    for items in (
        read_json(b"[%s,%s]" % (encoded(PLAIN), report)),
        read_ndjson(encoded(PLAIN) + b"\n" + report),
    ):
        assert items[0] == EXPECTED
        assert isinstance(items[1], Malformed)
        assert "occurs twice" in items[1].detail


def test_a_name_twice_is_not_hidden_by_an_item_that_lacks_it() -> None:
    short = {name: value for name, value in PLAIN.items() if name not in ("event_id", "source")}
    twice = encoded(PLAIN)[:-1] + b',"event_id":"e-2","source":"api"}'
    first, second = read_json(b"[%s,%s]" % (encoded(short), twice))
    assert isinstance(first, UsageReport)
    assert isinstance(second, Malformed)


def test_a_name_twice_in_a_cloud_event_is_refused() -> None:
    event = encoded(CLOUD)
    for twice in (
        event[:-1] + b',"id":"e-2"}',
        event[:-1] + b',"traceparent":"x"}',
        event.replace(b'"quantity":1024', b'"quantity":1024,"quantity":1'),
    ):
        good, bad = read_cloud_events(b"[%s,%s]" % (event, twice))
        assert good == EXPECTED
        assert isinstance(bad, Malformed)
        with pytest.raises(InvalidInput, match="twice"):
            read_cloud_event(twice)


def test_names_in_values_are_not_names() -> None:
    odd = {**PLAIN, "event_id": '"quantity": 1, "event_id" :"x"', "source": "quantity"}
    first, second = read_json(encoded([odd, PLAIN]))
    assert isinstance(first, UsageReport)
    assert (first.event_id, first.source) == (odd["event_id"], "quantity")
    assert second == EXPECTED


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("2026-12-01T15:00:00.1234567Z", 123_456),
        ("2026-12-01T15:00:00.123456999999Z", 123_456),
        ("2026-12-01T15:00:00.9999999Z", 999_999),
        ("2026-12-01T10:00:00.0000009-05:00", 0),
        ("2026-12-01t15:00:00.5z", 500_000),
    ],
)
def test_a_moment_is_cut_to_microseconds_by_every_form(text: str, microseconds: int) -> None:
    for reported in (
        read_json(encoded({**PLAIN, "occurred_at": text})),
        read_json(encoded([{**PLAIN, "occurred_at": text}])),
        read_ndjson(encoded({**PLAIN, "occurred_at": text})),
        read_cloud_event(encoded({**CLOUD, "time": text})),
        read_cloud_events(encoded([{**CLOUD, "time": text}])),
    ):
        [only] = reported
        assert isinstance(only, UsageReport)
        assert only.occurred_at == AT + timedelta(microseconds=microseconds)


def test_a_leap_second_is_the_last_microsecond_of_its_day() -> None:
    """RFC 3339, section 5.7: 23:59:60 UTC, and nowhere else."""
    last = datetime(2026, 11, 24, 23, 59, 59, 999_999, tzinfo=UTC)
    for text in ("2026-11-24T23:59:60Z", "2026-11-24T18:59:60-05:00", "2026-11-25T05:29:60.25+05:30"):
        plain, event = (
            read_json(encoded({**PLAIN, "occurred_at": text})),
            read_cloud_event(encoded({**CLOUD, "time": text})),
        )
        for [only] in (plain, event):
            assert isinstance(only, UsageReport)
            assert only.occurred_at == last
    for text in (
        "2026-11-24T12:30:60Z",
        "2026-11-24T23:59:60-05:00",
        "2026-11-24T23:59:61Z",
        "2026-11-24T24:00:00Z",
    ):
        with pytest.raises(InvalidInput):
            read_json(encoded({**PLAIN, "occurred_at": text}))


BOM = b"\xef\xbb\xbf"


def test_a_byte_order_mark_costs_no_report() -> None:
    line, event = encoded(PLAIN), encoded(CLOUD)
    assert read_json(BOM + line) == [EXPECTED]
    assert read_json(BOM + b" [%s]" % line) == [EXPECTED]
    assert read_ndjson(BOM + line + b"\n" + line) == [EXPECTED, EXPECTED]
    assert read_ndjson(line + b"\n" + BOM + line + b"\n") == [EXPECTED, EXPECTED]
    assert read_cloud_event(BOM + event) == [EXPECTED]
    assert read_cloud_events(BOM + b"[%s]" % event) == [EXPECTED]
    for marked in (line.decode().encode("utf-16"), BOM[:2] + line, BOM + BOM + line):
        with pytest.raises(InvalidInput):
            read_json(marked)


def test_a_line_ends_at_lf_and_nowhere_else() -> None:
    line = encoded(PLAIN)
    assert read_ndjson(line.replace(b",", b",\r") + b"\n") == [EXPECTED]
    assert read_ndjson(b"\n \r\n\t\n" + line + b"\r\n\n") == [EXPECTED]
    assert read_ndjson(line + b"\r" + b" " * 9 + b"\n" + line) == [EXPECTED, EXPECTED]
    for joined in (
        line + b"\r" + line,
        line + b"\x0b" + line,
        line + "\u2028".encode() + line,
        line + b"\x0c",
    ):
        [bad] = read_ndjson(joined)
        assert isinstance(bad, Malformed)


@given(st.lists(st.sampled_from(sorted(PLAIN)), max_size=3), st.lists(st.booleans(), min_size=1, max_size=5))
def test_counting_names_finds_exactly_what_is_written_twice(names: list[str], marked: list[bool]) -> None:
    """Batches in which some items repeat some names, and some lack those that are optional."""
    raws = []
    for is_marked in marked:
        extra = b"".join(b',"%s":%s' % (name.encode(), encoded(PLAIN[name])) for name in names if is_marked)
        left = {name: value for name, value in PLAIN.items() if is_marked or name not in names[:1]}
        raws.append(
            encoded({**left, **{n: PLAIN[n] for n in ("phone_number", "category", "quantity")}})[:-1]
            + extra
            + b"}"
        )
    repeated = [bool(names) and is_marked for is_marked in marked]
    for items in (read_json(b"[" + b",".join(raws) + b"]"), read_ndjson(b"\n".join(raws))):
        assert [isinstance(item, Malformed) for item in items] == repeated


@given(st.binary(max_size=200))
def test_no_bytes_break_a_reader(body: bytes) -> None:
    for read in (read_json, read_ndjson, read_cloud_event, read_cloud_events):
        with contextlib.suppress(InvalidInput):
            read(body)
