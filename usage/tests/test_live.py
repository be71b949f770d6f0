"""The live feed over real sockets, in the embedded server (one process, in-memory layer)."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus

from telcox.testing.clients import ask, next_frame, watch, watch_with_small_buffer
from telcox.testing.embedded import BRUNO, CARLA, JESUS, Embedded, serve
from telcox.testing.processes import wait_until

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def embedded(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: Any, django_db_blocker: Any
) -> Iterator[Embedded]:
    with django_db_blocker.unblock():
        yield from serve(tmp_path_factory.mktemp("live"), LIVE_STALLED_SECONDS="300")


@pytest.fixture(scope="module")
def impatient(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: Any, django_db_blocker: Any
) -> Iterator[Embedded]:
    with django_db_blocker.unblock():
        yield from serve(tmp_path_factory.mktemp("impatient"), LIVE_STALLED_SECONDS="0.2")


@pytest.fixture(scope="module")
def closed(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: Any, django_db_blocker: Any
) -> Iterator[Embedded]:
    with django_db_blocker.unblock():
        yield from serve(tmp_path_factory.mktemp("closed"), API_OPEN="0")


def test_a_watcher_sees_the_state_at_once_and_after_each_event(embedded: Embedded) -> None:
    with embedded.watch() as socket:
        first = next_frame(socket)
        assert first == ask(embedded.port, "GET", f"/api/customers/{JESUS}/usage").body
        for quantity in (1, 10, 100):
            answered = embedded.report(quantity=quantity)
            assert next_frame(socket) == answered


def test_a_watcher_sees_its_own_line_only(embedded: Embedded) -> None:
    with embedded.watch(CARLA) as socket:
        next_frame(socket)
        embedded.report(JESUS)
        embedded.report(CARLA)
        assert next_frame(socket)["phone_number"] == CARLA


def test_all_watchers_of_a_line_see_it_and_one_leaving_disturbs_nobody(embedded: Embedded) -> None:
    with embedded.watch() as stays:
        next_frame(stays)
        with embedded.watch() as leaves:
            next_frame(leaves)
            answered = embedded.report()
            assert next_frame(stays) == next_frame(leaves) == answered
        assert embedded.report() == next_frame(stays)


def test_a_burst_ends_on_the_final_state_and_never_goes_back(embedded: Embedded) -> None:
    with embedded.watch() as socket:
        versions = [next_frame(socket)["version"]]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: embedded.report(), range(80)))
        final = ask(embedded.port, "GET", f"/api/customers/{JESUS}/usage").body
        while versions[-1] != final["version"]:
            frame = next_frame(socket)
            versions.append(frame["version"])
        assert frame == final
        assert versions == sorted(set(versions))


def test_a_reader_that_is_behind_skips_to_the_newest_state_and_disturbs_nobody(embedded: Embedded) -> None:
    events = 500
    with (
        watch_with_small_buffer(embedded.port, f"phone_number={CARLA}") as slow,
        embedded.watch(CARLA) as other,
    ):
        first = next_frame(slow)
        assert next_frame(other) == first
        with ThreadPoolExecutor(4) as pool:
            reports = [pool.submit(embedded.report, CARLA) for _ in range(events)]
            frame = first
            while frame["total_bytes"] < first["total_bytes"] + events:
                frame = next_frame(other)
        assert all(report.result() for report in reports)
        versions = [first["version"]]
        while versions[-1] < frame["version"]:
            late = next_frame(slow)
            versions.append(late["version"])
    assert late == frame
    assert versions == sorted(set(versions))
    assert len(versions) < events * 0.9


def test_a_reader_that_takes_nothing_is_cut_off(impatient: Embedded) -> None:
    with watch_with_small_buffer(impatient.port, f"phone_number={JESUS}") as stuck:
        next_frame(stuck)
        for _ in range(400):
            impatient.report()
        wait_until(lambda: impatient.sockets() == 0, 60, "the stuck reader is cut off")
        with pytest.raises(ConnectionClosedError):  # what was under way, and then no closing handshake
            list(stuck)
    with impatient.watch() as another:
        next_frame(another)
        assert impatient.report() == next_frame(another)


def test_a_duplicate_is_not_shown_again(embedded: Embedded) -> None:
    with embedded.watch() as socket:
        next_frame(socket)
        embedded.report(event_id="live-1")
        next_frame(socket)
        embedded.report(event_id="live-1")
        assert embedded.report() == next_frame(socket)


def test_what_no_message_told_is_found_by_comparing_with_the_database(embedded: Embedded) -> None:
    count_elsewhere = (
        "from django.utils import timezone; from usage.services import record_usage; "
        f"record_usage(phone_number='{JESUS}', category='SOCIAL', quantity=5, source='x', at=timezone.now())"
    )
    with embedded.watch() as socket:
        before = next_frame(socket)
        embedded.shell(count_elsewhere)
        after = next_frame(socket)
        assert after["total_bytes"] == before["total_bytes"] + 5


def test_a_period_that_ends_while_it_is_watched_is_seen_to_expire(embedded: Embedded) -> None:
    end = (
        "from django.utils import timezone; from customers.models import Subscription as S; "
        f"S.objects.filter(line__phone_number='{BRUNO}').update(expiration_at=timezone.now())"
    )
    with embedded.watch(BRUNO) as socket:
        before = next_frame(socket)
        embedded.shell(end)
        after = next_frame(socket)
        assert (before["expired"], after["expired"]) == (False, True)
        assert after["version"] == before["version"]


def test_text_of_any_kind_is_answered_noop(embedded: Embedded) -> None:
    with embedded.watch() as socket:
        next_frame(socket)
        for text in ("hola", '{"x":1}', "", "\x00", "[" * 10_000, "x" * 16 * 1024):
            socket.send(text)
            assert next_frame(socket) == {"type": "noop"}


def test_a_binary_frame_is_answered_with_an_error_and_the_feed_goes_on(embedded: Embedded) -> None:
    with embedded.watch() as socket:
        next_frame(socket)
        socket.send(b"\xff\x00")
        assert next_frame(socket)["type"] == "error"
        assert embedded.report() == next_frame(socket)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "phone_number=",
        "phone_number=09",
        "phone_number=abcdef",
        "phone_number=%00%00%00%00%00",
        "phone_number=%FF%FE%FD%FC%FB",
        "phone_number=" + "9" * 4000,
        "phone_number[]=0969786985",
        "x=1",
        "%",
    ],
    ids=lambda query: query[:30],
)
def test_a_query_that_names_no_line_gets_an_error_frame_and_is_closed(embedded: Embedded, query: str) -> None:
    with watch(embedded.port, query) as socket:
        assert next_frame(socket)["type"] == "error"
        with pytest.raises(ConnectionClosed) as closed_by:
            socket.recv(timeout=60)
        assert closed_by.value.rcvd is not None
        assert closed_by.value.rcvd.code == 1008


@pytest.mark.parametrize("path", ["/ws/nope", "/ws/usage/x", "/", "/ws"])
def test_a_path_that_is_no_feed_is_refused_in_the_handshake(embedded: Embedded, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused, watch(embedded.port, "", path=path):
        pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://[", "http://x:99999", "///"])
def test_another_sites_page_is_refused_in_the_handshake(embedded: Embedded, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        watch(embedded.port, f"phone_number={JESUS}", Origin=origin)
    assert refused.value.response.status_code in (400, 403)


def test_a_page_of_our_own_host_is_let_in(embedded: Embedded) -> None:
    with watch(embedded.port, f"phone_number={JESUS}", Origin=f"http://127.0.0.1:{embedded.port}") as socket:
        assert next_frame(socket)["type"] == "snapshot"


MAKE_TOKENS = """
import json
from django.contrib.auth.models import User
from rest_framework.authtoken.models import Token
from customers.models import Customer
user = User.objects.create_user("jesus")
Customer.objects.filter(full_name="Jesus Jacome").update(user=user)
print(json.dumps({u.username: Token.objects.get_or_create(user=u)[0].key for u in User.objects.all()}))
"""


def test_closed_a_customer_watches_only_their_own_line_and_staff_any(closed: Embedded) -> None:
    tokens = json.loads(closed.shell(MAKE_TOKENS))

    def first(phone_number: str, **headers: str) -> dict[str, Any]:
        with watch(closed.port, f"phone_number={phone_number}", **headers) as socket:
            return next_frame(socket)

    unknown = {"type": "error", "message": "No active data plan for this phone_number"}
    own = {"Authorization": f"Token {tokens['jesus']}"}
    staff = {"Authorization": f"Token {tokens['demo']}"}
    assert first(JESUS, **own)["type"] == "snapshot"
    assert first(CARLA, **own) == unknown
    assert first("0999999999", **own) == unknown
    assert first(CARLA, **staff)["type"] == "snapshot"
    assert first(JESUS) == unknown
    assert first(JESUS, Authorization="Token wrong") == unknown
