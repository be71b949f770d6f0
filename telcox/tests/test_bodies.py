"""Bodies as networks send them over real sockets: without a length, compressed, with marks; each is counted
once or refused, and the limits hold."""

import gzip
import json
import socket
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from telcox.testing.clients import Answer, ask
from telcox.testing.demo import demo_server
from telcox.testing.processes import LOOPBACK

pytestmark = pytest.mark.processes

JESUS = "0969786985"
EVENTS, ONE_EVENT = "/api/usage/events", "/api/dev/usage-event"
REPORT = {
    "phone_number": JESUS,
    "category": "SMS",
    "quantity": 1,
    "source": "net",
    "occurred_at": "2026-11-23T06:00:00Z",
}
LIMIT = 300_000


@pytest.fixture(scope="module", params=["embedded", "web"])
def port(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: Any,
    django_db_blocker: Any,
) -> Iterator[int]:
    """The embedded server, and production's, with small limits."""
    limits = {"USAGE_BODY_BYTES": str(LIMIT), "MAX_BODY_BYTES": str(LIMIT // 2)}
    with (
        django_db_blocker.unblock(),
        demo_server(request.param, tmp_path_factory.mktemp("bodies"), **limits) as server,
    ):
        yield server.port


def report(event_id: str, **changes: Any) -> bytes:
    return json.dumps({**REPORT, "event_id": event_id, **changes}).encode()


def chunked(port: int, path: str, pieces: Iterable[bytes], **headers: str) -> Answer:
    """Send pieces without a Content-Length."""
    return ask(port, "POST", path, body=iter(pieces), headers={"Content-Type": "application/json", **headers})  # type: ignore[arg-type]


def in_pieces(body: bytes, size: int = 50) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


def outcome(answer: Answer) -> tuple[int, int]:
    assert answer.status == 200, answer
    return answer.body["applied"], answer.body["duplicates"]


def test_a_body_without_a_length_is_counted_once(port: int) -> None:
    assert outcome(chunked(port, EVENTS, in_pieces(report("c-1")))) == (1, 0)
    assert outcome(chunked(port, EVENTS, [b"[", report("c-1"), b",", report("c-2"), b"]"])) == (1, 1)
    body = b"\n".join([report("c-2"), report("c-3")])
    assert outcome(chunked(port, EVENTS, in_pieces(body, 1), **{"Content-Type": "application/x-ndjson"})) == (
        1,
        1,
    )
    packed = gzip.compress(report("c-4"))
    assert outcome(chunked(port, EVENTS, in_pieces(packed), **{"Content-Encoding": "gzip"})) == (1, 0)
    event = {"phone_number": JESUS, "category": "SOCIAL", "bytes": 1, "event_id": "c-5"}
    answer = chunked(port, ONE_EVENT, in_pieces(json.dumps(event).encode()))
    assert (answer.status, answer.body["duplicate"]) == (202, False)


def test_a_body_without_a_length_has_the_same_limit(port: int) -> None:
    large = (b" " * 10_000 for _ in range(LIMIT // 10_000 + 1))
    assert chunked(port, EVENTS, [report("l-1"), *large]).status == 413
    assert outcome(chunked(port, EVENTS, [report("l-1"), b" " * (LIMIT - 1_000)])) == (1, 0)
    # Other requests have a smaller one.
    event = {"phone_number": JESUS, "category": "SOCIAL", "bytes": 1, "event_id": "l-2"}
    assert chunked(port, ONE_EVENT, [json.dumps(event).encode(), b" " * (LIMIT // 2)]).status == 413


@pytest.mark.parametrize("pieces", [[], [b" "], [b"nope"], [report("x-1")[:-1]], [b"\xff"]])
def test_a_body_without_a_length_is_checked_like_any(port: int, pieces: list[bytes]) -> None:
    for path in (EVENTS, ONE_EVENT):
        answer = chunked(port, path, pieces)
        assert (answer.status, answer.content_type) == (422, "application/problem+json")


def cut(port: int, *parts: bytes, headers: str) -> None:
    """Begin to send a body without a length, and close the connection."""
    with socket.create_connection((LOOPBACK, port), timeout=10) as connection:
        headers = f"Host: localhost\r\nTransfer-Encoding: chunked\r\n{headers}\r\n"
        connection.sendall(f"POST {EVENTS} HTTP/1.1\r\n{headers}".encode())
        for part in parts:
            connection.sendall(b"%x\r\n%s\r\n" % (len(part), part))
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(10)
        while connection.recv(1024):
            pass


def test_lines_whose_connection_was_lost_count_nothing_twice(port: int) -> None:
    """A body that ended between two lines looks complete. Without keys the sender would count its first
    lines again; a key of the request would stand for another body."""
    lines = [json.dumps({**REPORT, "quantity": 7}).encode() + b"\n", report("cut-1") + b"\n"]
    ndjson = "Content-Type: application/x-ndjson\r\n"
    before = used(port)
    cut(port, lines[0], headers=ndjson)
    cut(port, lines[1], headers=ndjson + "Idempotency-Key: cut\r\n")
    assert used(port) == before
    whole = ask(
        port,
        "POST",
        EVENTS,
        body=b"".join(lines),
        headers={"Content-Type": "application/x-ndjson", "Idempotency-Key": "cut"},
    )
    assert outcome(whole) == (2, 0)
    assert used(port) == before + 8


def used(port: int) -> int:
    days = ask(port, "GET", f"/api/customers/{JESUS}/usage/history?from=2026-11-20&to=2026-11-25").body[
        "items"
    ]
    return sum(int(day["used_sms"]) for day in days)


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP", "identity, gzip", " x-gzip "])
def test_gzip_by_either_name(port: int, encoding: str) -> None:
    body = gzip.compress(report(f"g-{encoding}"))
    assert outcome(ask(port, "POST", EVENTS, body=body, headers=with_encoding(encoding))) == (1, 0)


def with_encoding(encoding: str) -> dict[str, str]:
    return {"Content-Type": "application/json", "Content-Encoding": encoding}


def test_gzip_as_gunzip_reads_it(port: int) -> None:
    first, second = report("p-1"), report("p-2")
    whole = b"[" + first + b"," + second + b"]"
    members = gzip.compress(whole[:100]) + gzip.compress(whole[100:])
    padded = gzip.compress(whole) + b"\0" * 512
    mixed = gzip.compress(whole[:50]) + b"\0" * 7 + gzip.compress(whole[50:]) + b"\0"
    for body, counted in ((members, 2), (padded, 0), (mixed, 0)):
        answer = ask(port, "POST", EVENTS, body=body, headers=with_encoding("gzip"))
        assert outcome(answer) == (counted, 2 - counted)


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (gzip.compress(report("n-1")) + b"garbage", "gzip", 422),
        (gzip.compress(report("n-1"))[:-1], "gzip", 422),
        (gzip.compress(report("n-1"))[:-8] + b"\0" * 8, "gzip", 422),
        (b"", "gzip", 422),
        (b"\0" * 512, "gzip", 422),
        (report("n-1"), "gzip", 422),
        (gzip.compress(b" " * (LIMIT + 1)), "gzip", 413),
        (gzip.compress(b"") * 10_000 + gzip.compress(b" " * (LIMIT + 1)), "gzip", 413),
        (gzip.compress(gzip.compress(report("n-1"))), "gzip, gzip", 415),
        (gzip.compress(report("n-1")), "deflate", 415),
        (report("n-1"), "br", 415),
    ],
)
def test_what_is_not_gzip_is_refused(port: int, body: bytes, encoding: str, status: int) -> None:
    before = used(port)
    assert ask(port, "POST", EVENTS, body=body, headers=with_encoding(encoding)).status == status
    assert used(port) == before


def test_a_binary_event_may_have_any_json_as_its_data(port: int) -> None:
    headers = {
        "ce-specversion": "1.0",
        "ce-id": '"b-1"',
        "ce-source": "/pgw",
        "ce-type": "u",
        "ce-subject": f'"{JESUS}"',
    }
    data = b'{"category":"SMS","quantity":1}'
    for media_type, counted in (
        ("application/json", 1),
        ("application/vnd.telcox+json; v=1", 0),
        ("text/json", 0),
    ):
        answer = ask(port, "POST", EVENTS, body=data, headers={**headers, "Content-Type": media_type})
        assert outcome(answer) == (counted, 1 - counted)
    structured = {"specversion": "1.0", "id": "b-1", "source": "/pgw", "type": "u", "subject": JESUS}
    body = json.dumps({**structured, "data": json.loads(data)}).encode()
    # In structured mode the headers are only copies (HTTP binding, section 3.2.3).
    answer = ask(
        port,
        "POST",
        EVENTS,
        body=body,
        headers={**headers, "ce-id": "other", "Content-Type": "application/cloudevents+json"},
    )
    assert outcome(answer) == (0, 1)
    for wrong in ({"ce-time": "null"}, {"ce-id": "%FF"}, {"ce-subject": ""}):
        answer = ask(
            port, "POST", EVENTS, body=data, headers={**headers, **wrong, "Content-Type": "application/json"}
        )
        assert (answer.status, answer.content_type) == (422, "application/problem+json")


@pytest.mark.parametrize("number", ["2.0", "2e0", "0.2E+1"])
def test_a_whole_number_in_any_spelling_at_the_other_doors(port: int, number: str) -> None:
    body = b'{"phone_number":"%s","category":"SOCIAL","bytes":%s}' % (JESUS.encode(), number.encode())
    before = ask(port, "GET", f"/api/customers/{JESUS}/usage").body["total_bytes"]
    answer = ask(
        port, "POST", ONE_EVENT, body=b"\xef\xbb\xbf" + body, headers={"Content-Type": "application/json"}
    )
    assert answer.status == 202
    assert answer.body["snapshot"]["total_bytes"] == before + 2


@pytest.mark.parametrize("path", [EVENTS, ONE_EVENT])
def test_a_name_that_occurs_twice_is_refused_at_every_door(port: int, path: str) -> None:
    before = used(port)
    event = {**json.loads(report("d-1")), "bytes": 1}
    for extra in (b',"category":"SMS"}', b',"c\\u0061tegory":"SOCIAL"}'):
        body = json.dumps({k: v for k, v in event.items() if path == ONE_EVENT or k != "bytes"}).encode()
        answer = ask(port, "POST", path, body=body[:-1] + extra, headers={"Content-Type": "application/json"})
        assert (answer.status, answer.content_type) == (422, "application/problem+json")
        assert "'category' occurs twice" in answer.body["detail"]
    assert used(port) == before
