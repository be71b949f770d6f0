"""CloudEvents by their specification, in all three modes."""

from base64 import b64encode
from typing import Any

import pytest

from telcox.common.errors import InvalidInput
from usage.ingestion.formats import (
    Malformed,
    read_binary_cloud_event,
    read_cloud_event,
    read_cloud_events,
)
from usage.ingestion.reports import UsageReport
from usage.tests.test_formats import BOM, CLOUD, EXPECTED, encoded

pytestmark = pytest.mark.once

JSON_IN_BASE64 = b64encode(b'{"category":"SOCIAL","quantity":1024}').decode()
NO_DATA = {name: value for name, value in CLOUD.items() if name != "data"}


@pytest.mark.parametrize(
    "event",
    [
        {**NO_DATA, "data_base64": JSON_IN_BASE64},
        {**NO_DATA, "data_base64": JSON_IN_BASE64, "datacontenttype": "application/json"},
        {**CLOUD, "data_base64": None},
        {**CLOUD, "type": "u", "dataschema": "x"},
        {**CLOUD, "datacontenttype": "application/vnd.telcox+json; v=1"},
        {**CLOUD, "datacontenttype": "text/json", "dataschema": "https://telcox.example/u"},
        {**CLOUD, "datacontenttype": None, "dataschema": None, "unsetextension": None},
        {**CLOUD, "comexampleextension": 5, "another": True, "third": "x"},
    ],
    ids=str,
)
def test_events_that_the_specification_allows_are_counted(event: dict[str, Any]) -> None:
    assert read_cloud_event(encoded(event)) == [EXPECTED]
    assert read_cloud_events(encoded([event, event])) == [EXPECTED, EXPECTED]


def test_a_null_attribute_is_an_absent_one() -> None:
    """JSON format, section 2.2: without its time the event happens now."""
    [report] = read_cloud_event(encoded({**CLOUD, "time": None}))
    assert isinstance(report, UsageReport)
    assert report.occurred_at is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": ""},
        {"subject": ""},
        {"source": ""},
        {"subject": None},
        {"type": None},
        {"datacontenttype": ""},
        {"datacontenttype": "text/xml"},
        {"datacontenttype": "jsonx"},
        {"dataschema": ""},
        {"specversion": "1"},
        {"specversion": 1.0},
        {"specversion": "1.0.2"},
        {"data": None},
        {"data": '{"category":"SOCIAL","quantity":1024}'},
        {"data_base64": JSON_IN_BASE64},
        {"time": "null"},
        {"time": ""},
        {"time": "2026-12-01T15:00:00"},
    ],
    ids=str,
)
def test_events_that_the_specification_forbids_are_refused(wrong: dict[str, Any]) -> None:
    good, bad = read_cloud_events(encoded([CLOUD, {**CLOUD, **wrong}]))
    assert good == EXPECTED
    assert isinstance(bad, Malformed)


@pytest.mark.parametrize(
    "encoded_data",
    [
        "",
        "!!",
        JSON_IN_BASE64[:-1],
        JSON_IN_BASE64 + "\n",
        b64encode(b"5").decode(),
        b64encode(b"\xff").decode(),
        b64encode(b'{"category":"SOCIAL","quantity":1,"quantity":2}').decode(),
        5,
    ],
)
def test_data_in_base64_is_json(encoded_data: Any) -> None:
    with pytest.raises(InvalidInput):
        read_cloud_event(encoded({**NO_DATA, "data_base64": encoded_data}))


HEADERS = {
    "Ce-Specversion": "1.0",
    "Ce-Id": "q-77",
    "Ce-Source": "/pgw",
    "Ce-Type": "net.usage",
    "Ce-Subject": "0969786985",
}
DATA = encoded(CLOUD["data"])


@pytest.mark.parametrize(
    ("value", "event_id"),
    [
        ("q-77", "q-77"),
        ('"q-77"', "q-77"),
        (' "q-77" ', "q-77"),
        (r'"q\"77\\"', 'q"77\\'),
        ("q%2D77", "q-77"),
        ("%22q-77%22", '"q-77"'),
        ("q%2577", "q%77"),
        ("q%252577", "q%2577"),
        ("Euro%20%e2%82%ac%20%F0%9F%98%80", "Euro € 😀"),
        ("Ca%C3%B1ar", "Cañar"),
        ("a b", "a b"),
        ('"%41"', "A"),
    ],
)
def test_a_header_is_unquoted_and_then_percent_decoded_once(value: str, event_id: str) -> None:
    """HTTP binding, section 3.1.3.2."""
    [report] = read_binary_cloud_event({**HEADERS, "Ce-Id": value}, DATA)
    assert isinstance(report, UsageReport)
    assert report.event_id == event_id


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Ce-Id", ""),
        ("Ce-Id", '""'),
        ("Ce-Id", "%C0%A0"),
        ("Ce-Id", "%ED%A0%80"),
        ("Ce-Id", "%FF"),
        ("Ce-Id", "100%"),
        ("Ce-Id", "%4"),
        ("Ce-Id", "%zz"),
        ("Ce-Id", "Ca\xf1ar"),
        ("Ce-Id", '"q-77'),
        ("Ce-Id", 'q"77'),
        ("Ce-Id", "a%00b"),
        ("Ce-Id", "a%7F"),
        ("Ce-Id", "a%C2%85"),
        ("Ce-Extension", "%FF"),
        ("Ce-Subject", ""),
        ("Ce-Type", ""),
        ("Ce-Dataschema", ""),
        ("Ce-Specversion", "0.3"),
        ("Ce-Specversion", "1"),
        ("Ce-Time", "null"),
        ("Ce-Time", ""),
        ("Ce-Time", "%222026-12-01T15:00:00Z%22"),
        ("Ce-Time", "1764000000"),
    ],
)
def test_a_header_that_is_no_attribute_is_refused(name: str, value: str) -> None:
    with pytest.raises(InvalidInput):
        read_binary_cloud_event({**HEADERS, name: value}, DATA)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nope",
        b"null",
        b"5",
        b"{}",
        b'{"category":"SOCIAL","quantity":"1024"}',
        b'{"category":"SOCIAL"}',
        b'{"category":"SOCIAL","quantity":1,"quantity":1}',
        DATA[:-1] + b"\xff}",
    ],
)
def test_the_data_of_a_binary_event_is_as_strict_as_any(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        read_binary_cloud_event(HEADERS, body)


def test_a_binary_event_is_the_structured_one() -> None:
    [structured] = read_cloud_event(encoded({**CLOUD, "id": "q-77", "source": "/pgw"}))
    quoted = {**HEADERS, "Ce-Id": '"q-77"', "Ce-Subject": '"0969786985"', "Ce-Time": '"2026-12-01T15:00:00Z"'}
    assert read_binary_cloud_event(
        {**quoted, "Ce-Data_Base64": "x", "Ce-Datacontenttype": "x"}, BOM + DATA
    ) == [structured]
