"""Whatever is sent gets a clear 4xx (or 2xx), changes nothing, and is never a 500; over real sockets."""

import gzip
import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from telcox.testing.clients import ask
from telcox.testing.demo import demo_server
from telcox.testing.processes import LOOPBACK

pytestmark = pytest.mark.processes

JESUS = "0969786985"
EVENT = {"phone_number": JESUS, "category": "SOCIAL", "bytes": 1}
PATH = "/api/dev/usage-event"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module", params=["embedded", "web"])
def port(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: Any,
    django_db_blocker: Any,
) -> Iterator[int]:
    """The embedded server, and production's; with the API open, so that nothing hides behind a 401."""
    with django_db_blocker.unblock(), demo_server(request.param, tmp_path_factory.mktemp("bad")) as server:
        yield server.port


@pytest.fixture(autouse=True)
def unchanged(port: int) -> Iterator[None]:
    """The line's counters are after each test what they were before it."""
    before = ask(port, "GET", f"/api/customers/{JESUS}/usage").body
    yield
    assert ask(port, "GET", f"/api/customers/{JESUS}/usage").body == before


def refused(port: int, body: bytes, headers: dict[str, str] | None = None) -> int:
    answer = ask(port, "POST", PATH, body=body, headers=JSON if headers is None else headers)
    assert 400 <= answer.status < 500, (answer, body[:100])
    assert answer.content_type == "application/problem+json"
    assert answer.body["detail"]
    return answer.status


def but(**changes: Any) -> bytes:
    return json.dumps({**EVENT, **changes}).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"5",
        b'"text"',
        b"{",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"\xff\xfe",
        b"\x00" * 10,
        b'{"phone_number": "\xc3\x28"}',
        but()[:-1] + b', "bytes": NaN}',
        but()[:-1] + b', "bytes": Infinity}',
        but()[:-1] + b', "bytes": 1' + b"0" * 5000 + b"}",
        but()[:-1] + b', "bytes": 1e400}',
        but()[:-1] + b', "bytes": 1}',
        "\ufeff{}".encode(),
        json.dumps(EVENT).encode("utf-16"),
    ],
    ids=lambda body: repr(body[:20]),
)
def test_a_body_that_is_no_event_at_all(port: int, body: bytes) -> None:
    assert refused(port, body) == 422


@pytest.mark.parametrize(
    "number", [0, -1, 2**50 + 1, 2**63, 2**64, 10**100, 1.5, 1e30, 1e300, 1e-300, True, None, "5", [], {}]
)
def test_an_amount_that_cannot_be(port: int, number: Any) -> None:
    assert refused(port, but(bytes=number)) == 422


@pytest.mark.parametrize(
    "number", ["", "09", "0969\x00786985", "\ud800" * 6, "٠٩٦٩٧٨٦٩٨٥", "x" * 10**5, 969786985, None, {}]
)
def test_a_phone_number_that_cannot_be(port: int, number: Any) -> None:
    assert refused(port, but(phone_number=number)) == 422


@pytest.mark.parametrize("category", ["", "VIDEO", "social", "VOICE", None, 1, ["SOCIAL"], {}, "SOCIAL\x00"])
def test_a_category_that_is_none(port: int, category: Any) -> None:
    assert refused(port, but(category=category)) == 422


@pytest.mark.parametrize("field", ["event_id", "source"])
@pytest.mark.parametrize("value", ["", " ", "a\x00b", "\ud800", "x" * 129, None, 5, []])
def test_a_key_that_cannot_be_stored(port: int, field: str, value: Any) -> None:
    assert refused(port, but(**{field: value})) == 422


@pytest.mark.parametrize("value", ["yes", 1, None, []])
def test_a_flag_that_is_none(port: int, value: Any) -> None:
    assert refused(port, but(record_event=value)) == 422


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("image/png; x=\xff", 415),
        ("", 415),
        ("application/json; charset=utf-16", 422),
        ("/", 415),
        (";;", 415),
    ],
)
def test_a_type_of_content_that_is_not_json(port: int, content_type: str, status: int) -> None:
    body = json.dumps(EVENT).encode("utf-16" if "utf-16" in content_type else "utf-8")
    assert refused(port, body, {"Content-Type": content_type}) == status


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=x"])
def test_a_form_with_no_form_in_it(port: int, content_type: str) -> None:
    # Not `refused`: the embedded server's HTTP part answers some of these by itself.
    answer = ask(port, "POST", PATH, body=but(), headers={"Content-Type": content_type})
    assert answer.status in (400, 415)


def test_a_body_of_10_megabytes(port: int) -> None:
    assert refused(port, but(event_id="x" * 10_000_000)) == 413


def test_a_body_that_says_it_is_compressed(port: int) -> None:
    assert refused(port, gzip.compress(but()), {**JSON, "Content-Encoding": "gzip"}) in (415, 422)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "GET", "TRACE", "FOO"])
def test_a_method_that_is_not_for_this_path(port: int, method: str) -> None:
    assert 400 <= ask(port, method, PATH).status < 500


NASTY = [
    "%00",
    "%FF%FE",
    "..%2F..",
    "%2e%2e",
    "'",
    "%22%3E%3Cscript%3E",
    "9" * 3000,
    "%F0%9F%93%A1",
    "%0d%0aX:1",
    "+",
    "%20",
]


@pytest.mark.parametrize("nasty", NASTY)
@pytest.mark.parametrize("what", ["summary", "billing", "usage", "wallet", "subscription", "nope"])
def test_a_path_of_odd_letters(port: int, nasty: str, what: str) -> None:
    assert 400 <= ask(port, "GET", f"/api/customers/{nasty}/{what}").status < 500


@pytest.mark.parametrize("nasty", [*NASTY, "a=%00", "page=-1", "format=xml", "limit=" + "9" * 1000])
@pytest.mark.parametrize(
    "path", ["/api/plans", f"/api/customers/{JESUS}/billing", "/admin/login/", "/openapi.json", "/docs"]
)
def test_a_query_nobody_asked_for(port: int, path: str, nasty: str) -> None:
    assert ask(port, "GET", f"{path}?{nasty}").status < 500


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "text/html"},
        {"Accept": "\xff/;;q=x"},
        {"Accept-Language": "xx-\xff;q=9"},
        {"Authorization": "Token"},
        {"Authorization": "Token a b c"},
        {"Authorization": "Token \xff"},
        {"Authorization": "Basic \xff\xff"},
        {"Cookie": "sessionid=\x01; csrftoken=" + "x" * 500},
        {"Host": "evil.example"},
        {"X-Request-ID": "x" * 5000},
        {"Origin": "http://["},
        {"X-Forwarded-Proto": "gopher"},
    ],
    ids=str,
)
def test_odd_headers(port: int, headers: dict[str, str]) -> None:
    assert ask(port, "GET", "/api/plans", headers=headers).status < 500


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /api/plans HTTP/1.1\r\n\r\n",
        b"\x00\x01\x02\r\n\r\n",
        b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"POST "
        + PATH.encode()
        + b" HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    ],
    ids=lambda raw: repr(raw[:40]),
)
def test_what_is_hardly_http_at_all(port: int, raw: bytes) -> None:
    with socket.create_connection((LOOPBACK, port), timeout=20) as sock:
        sock.sendall(raw)
        sock.shutdown(socket.SHUT_WR)
        answer = sock.recv(1000)
    assert b" 50" not in answer.split(b"\r\n")[0]


def test_a_body_cut_short_is_not_counted(port: int) -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with socket.create_connection((LOOPBACK, port), timeout=20) as sock:
        sock.sendall(f"{head}Content-Length: 1000\r\n\r\n".encode() + but())
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(1000):
            pass


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
events = st.fixed_dictionaries(
    {},
    optional={
        "phone_number": values | st.just("0999999999"),
        "category": values | st.just("SOCIAL"),
        "bytes": values | st.just(1),
        "record_event": values,
        "event_id": values,
        "source": values,
    },
)


@hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(event=events)
def test_any_json_at_all(port: int, event: dict[str, Any]) -> None:
    body = json.dumps(event).encode("utf-8", "surrogatepass")
    assert 400 <= ask(port, "POST", PATH, body=body, headers=JSON).status < 500


@hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(segment=st.binary(min_size=1, max_size=30))
def test_any_bytes_in_a_path(port: int, segment: bytes) -> None:
    answer = ask(port, "GET", f"/api/customers/{quote(segment, safe='')}/usage")
    assert answer.status in (404, 422) or segment.strip() in (JESUS.encode(),)
