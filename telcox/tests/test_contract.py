"""The original's recorded requests, sent to a server that listens, and answered as recorded.

recorded.json is what the original answered on its own seed data. Whatever we answer differently, and mean
to, is in INTENDED; whatever is not in there is answered to the letter. Fields may be added (ADDED), never
dropped or changed.
"""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from websockets.exceptions import ConnectionClosed

from telcox.testing.clients import Answer, ask, post_json, watch
from telcox.testing.databases import fresh_database, manage, migrate
from telcox.testing.stack import Served

pytestmark = pytest.mark.processes

RECORDED = json.loads((Path(__file__).parent / "contract" / "recorded.json").read_text())["cases"]
REQUESTS = [case for case in RECORDED if "request" in case]
SOCKETS = [case for case in RECORDED if "websocket" in case]

JESUS = "0969786985"

# What had been used when the recording began, beyond the seed.
USED_BEFORE = {
    "SOCIAL": 7656448 - 2**20,
    "ENTERTAINMENT": 6481920 - 2**21,
    "SYSTEM_UPDATES": 4393984,
    "NAVIGATION_SEARCH": 4913152 - 2**19,
}

# The original's seed begins the line's 30 days when it is loaded; a fixture begins them on a date.
BEGIN_TODAY = """
from datetime import timedelta
from django.utils import timezone
from customers.models import Subscription
now = timezone.now()
end = now + timedelta(days=30)
Subscription.objects.update(start_at=now, expiration_at=end, cycle_start_at=now, cycle_end_at=end)
"""

GUAYAQUIL = ZoneInfo("America/Guayaquil")


class Difference(NamedTuple):
    why: str
    applies: Callable[[dict, dict], bool]  # (recorded request, recorded answer)
    adjust: Callable[[dict], None]  # changes the recorded answer into ours


def is_error(request: dict, answer: dict) -> bool:
    return bool(answer["status"] >= 400)


def unknown_customer(answer: dict) -> None:
    answer["status"], answer["body"] = 404, {"detail": "Customer not found"}


def as_problem(answer: dict) -> None:
    answer["content_type"] = "application/problem+json"


def flattened_errors(answer: dict) -> None:
    errors = answer["body"].pop("detail")
    answer["body"]["detail"] = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in errors)
    answer["body"]["errors"] = [{key: error[key] for key in ("type", "loc", "msg")} for error in errors]


def local_payment_dates(answer: dict) -> None:
    for item in answer["body"]["items"]:
        item["payment_date"] += "-05:00"


INTENDED = [
    Difference(
        "A customer nobody knows is 404; the original passes its BSS's 404 on as a 502 of its own",
        lambda request, answer: answer["status"] == 502,
        unknown_customer,
    ),
    Difference("Errors are problems as in RFC 9457", is_error, as_problem),
    Difference(
        "`detail` is always a sentence; a validation error's list is `errors`, without echoing the input",
        lambda request, answer: answer["status"] == 422,
        flattened_errors,
    ),
    Difference(
        "Moments carry their offset",
        lambda request, answer: bool(is_ok(answer) and answer["body"].get("items")),
        local_payment_dates,
    ),
]

# The seed's 30 days began when the recording was made, and begin when this test runs.
MOVING = {"expiration_at"}

ADDED = {
    "event_id",  # the key of what was counted
    "duplicate",
    "version",  # of a snapshot
    "status",  # of an invoice; of a problem
    "number",
    "type",  # of a problem
    "title",
    "reason",
}


def is_ok(answer: dict) -> bool:
    return bool(answer["status"] < 400)


@pytest.fixture(scope="module")
def port(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: Any, django_db_blocker: Any
) -> Iterator[int]:
    with (
        django_db_blocker.unblock(),
        fresh_database(tmp_path_factory.mktemp("contract")) as url,
    ):
        env = {"DATABASE_URL": url, "REDIS_URL": "", "DEBUG": "1"}
        migrate(env)
        manage(env, "loaddata", "catalogue", "customers", "groups", "invoices")
        manage(env, "shell", "--verbosity=0", "-c", BEGIN_TODAY)
        with Served("live", env) as server:
            for category, used in USED_BEFORE.items():
                event = {"phone_number": JESUS, "category": category, "bytes": used}
                assert post_json(server.port, "/api/dev/usage-event", event).status == 202
            yield server.port


def send(port: int, request: dict) -> Answer:
    if request["body"] is None:
        return ask(port, request["method"], request["path"])
    body = request["body"]
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return ask(
        port, request["method"], request["path"], body=raw, headers={"Content-Type": "application/json"}
    )


def intended(request: dict, recorded: dict) -> tuple[dict, set[str]]:
    """The answer we mean to give, and why it is not the recorded one."""
    answer = json.loads(json.dumps(recorded))
    reasons = set()
    for difference in INTENDED:
        if difference.applies(request, recorded):
            difference.adjust(answer)
            reasons.add(difference.why)
    return answer, reasons


def assert_same(ours: Any, recorded: Any, where: str = "body") -> None:
    assert type(ours) is type(recorded), where
    if isinstance(recorded, dict):
        assert set(recorded) <= set(ours), where
        assert set(ours) - set(recorded) <= ADDED, where
        for key, value in recorded.items():
            if key in MOVING:
                assert datetime.fromisoformat(ours[key]).astimezone(GUAYAQUIL).isoformat() == ours[key]
            else:
                assert_same(ours[key], value, f"{where}.{key}")
    elif isinstance(recorded, list):
        assert len(ours) == len(recorded), where
        for index, value in enumerate(recorded):
            assert_same(ours[index], value, f"{where}[{index}]")
    else:
        assert ours == recorded, where


def test_every_recorded_request_is_answered_as_recorded_or_as_intended(port: int) -> None:
    used: set[str] = set()
    for case in REQUESTS:
        expected, reasons = intended(case["request"], case["response"])
        answer = send(port, case["request"])
        where = f"{case['request']['method']} {case['request']['path']} {case['request']['body']}"
        assert (answer.status, answer.content_type) == (expected["status"], expected["content_type"]), where
        assert_same(answer.body, expected["body"], where)
        used |= reasons
    assert used == {difference.why for difference in INTENDED}, "an intended difference is not one any more"

    # The sockets were recorded after the requests, and show what those had added.
    for case in SOCKETS:
        _replay(port, case)


def _replay(port: int, case: dict) -> None:
    path, _, query = case["websocket"].partition("?")
    with watch(port, query, path=path) as socket:
        for frame in case["frames"]:
            if "sent" in frame:
                socket.send(frame["sent"])
            elif "received" in frame:
                assert_same(json.loads(socket.recv(timeout=10)), frame["received"], case["websocket"])
            else:
                with pytest.raises(ConnectionClosed) as closed:
                    socket.recv(timeout=10)
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == frame["closed"], case["websocket"]


@pytest.mark.parametrize("suffix", ["summary", "billing", "usage"])
@pytest.mark.parametrize("written", ["+593969786985", "593969786985", "%2B593969786985", JESUS])
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_number_may_be_written_in_each_form_and_a_path_with_a_slash(
    port: int, suffix: str, written: str, slash: str
) -> None:
    answer = ask(port, "GET", f"/api/customers/{written}/{suffix}{slash}")
    assert answer.status == 200
    assert JESUS in json.dumps(answer.body)


@pytest.mark.parametrize("accept", ["text/html", "application/xml;q=0.9", "", "no type at all"])
def test_whatever_is_accepted_is_answered_json_as_the_original_does(port: int, accept: str) -> None:
    answer = ask(port, "GET", f"/api/customers/{JESUS}/summary", headers={"Accept": accept})
    assert answer.status == 200
    assert answer.body["phone_number"] == JESUS


def test_record_event_works_where_the_original_failed_after_counting(port: int) -> None:
    event = {"phone_number": JESUS, "category": "SOCIAL", "bytes": 1, "record_event": True}
    assert post_json(port, "/api/dev/usage-event", event).status == 202


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/admin/login/", "/healthz", "/readyz"])
def test_documents_and_back_office_are_served(port: int, path: str) -> None:
    assert ask(port, "GET", path).status == 200


def test_the_api_document_is_openapi_3_1_and_names_every_path_of_the_original(port: int) -> None:
    document = ask(port, "GET", "/openapi.json").body
    assert document["openapi"].startswith("3.1")
    assert {
        "/api/customers/{phone_number}/summary",
        "/api/customers/{phone_number}/billing",
        "/api/customers/{phone_number}/usage",
        "/api/dev/usage-event",
        "/api/plans",
    } <= set(document["paths"])
