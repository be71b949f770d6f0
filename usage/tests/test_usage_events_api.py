"""The network's door: every form over HTTP, receipts, repeated requests, and nonsense."""

import gzip
import json
import random
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from rest_framework.authtoken.models import Token

from customers.models import Subscription
from telcox.testing.threads import in_threads
from usage.models import IngestionAnswer, RejectedUsage, UsageCounter, UsageEvent
from usage.verification import find_differences

PATH = "/api/usage/events"
JESUS, NOBODY = "0969786985", "0999999999"


def event(event_id: str | None = None, **changes: Any) -> dict[str, Any]:
    """Of a moment in the fixtures' period."""
    named = {"event_id": event_id} if event_id else {}
    begun = "2026-11-23T06:00:00Z"
    return {
        "phone_number": JESUS,
        "category": "SOCIAL",
        "quantity": 100,
        "source": "pgw-1",
        "occurred_at": begun,
        **named,
        **changes,
    }


def post(client: Client, body: Any, content_type: str = "application/json", **headers: str) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(PATH, data, content_type=content_type, headers=headers or None)


def used() -> int:
    return UsageCounter.objects.get(subscription__line__phone_number=JESUS).used_social_bytes


pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("open_api")]


def test_a_receipt_adds_up_and_names_each_rejection(seeded: None, client: Client) -> None:
    before = used()
    batch = [event("1"), event("2", phone_number=NOBODY), event("3", quantity=-1), event("1"), event()]
    answer = post(client, batch)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {
        "received": 5,
        "applied": 2,
        "duplicates": 1,
        "rejected": 2,
        "rejections": [
            {"index": 1, "event_id": "2", "reason": "unknown_line", "detail": "No line has this number"},
            {
                "index": 2,
                "event_id": "3",
                "reason": "invalid",
                "detail": "Expected `int` >= 1 - at `$.quantity`",
            },
        ],
    }
    assert used() == before + 200
    assert RejectedUsage.objects.get().event_id == "2"


def cloud(event_id: str) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "pgw-1",
        "type": "net.usage",
        "subject": JESUS,
        "time": "2026-11-23T06:00:00Z",
        "data": {"category": "SOCIAL", "quantity": 100},
    }


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (event("1"), "application/json; charset=utf-8"),
        ([event("1")], "application/json"),
        (json.dumps(event("1")).encode() + b"\n", "application/x-ndjson"),
        (json.dumps(event("1")).encode(), "application/jsonl"),
        (cloud("1"), "application/cloudevents+json"),
        ([cloud("1")], "application/cloudevents-batch+json; charset=UTF-8"),
    ],
)
def test_every_form_is_counted_once_and_is_the_same_event(
    seeded: None, client: Client, body: Any, content_type: str
) -> None:
    before = used()
    assert post(client, body, content_type).json()["applied"] == 1
    assert post(client, [event("1")]).json()["duplicates"] == 1
    assert used() == before + 100


def test_a_binary_cloud_event(seeded: None, client: Client) -> None:
    answer = post(
        client,
        {"category": "SOCIAL", "quantity": 100},
        **{
            "ce-specversion": "1.0",
            "ce-id": "1",
            "ce-source": "pgw-1",
            "ce-type": "net.usage",
            "ce-subject": JESUS,
            "ce-time": "2026-11-23T06:00:00Z",
        },
    )
    assert answer.json()["applied"] == 1
    assert post(client, event("1")).json()["duplicates"] == 1


def test_a_gzipped_body(seeded: None, client: Client) -> None:
    body = gzip.compress(json.dumps([event("1")]).encode()) + gzip.compress(b" ")
    assert post(client, body, **{"content-encoding": "gzip"}).json()["applied"] == 1


class TestNonsense:
    def test_it_is_refused_and_changes_nothing(self, seeded: None, client: Client) -> None:
        bomb = gzip.compress(b"[" + b" " * 20_000_000 + b"]")
        cut = gzip.compress(json.dumps([event("1")]).encode())[:-4]
        before = UsageEvent.objects.count()
        for body, content_type, encoding, status in (
            (b"", "application/json", "identity", 422),
            (b"nonsense", "application/json", "identity", 422),
            (b"\xff", "application/json", "identity", 422),
            (json.dumps({**event("1"), "quantity": 2**70}).encode(), "application/json", "identity", 422),
            (b"[" * 1_000_000, "application/json", "identity", 422),
            (b"<a/>", "application/xml", "identity", 415),
            (b"{}", "text/plain", "identity", 415),
            (b"{}", "application/json", "br", 415),
            (b"not gzip", "application/json", "gzip", 422),
            (cut, "application/json", "gzip", 422),
            (bomb, "application/json", "gzip", 413),
            (b" " * 9_000_000, "application/json", "identity", 413),
        ):
            answer = post(client, body, content_type, **{"content-encoding": encoding})
            assert answer.status_code == status, (body[:20], content_type, encoding)
            assert answer.headers["Content-Type"] == "application/problem+json"
        assert UsageEvent.objects.count() == before

    def test_more_than_a_batch_may_hold_is_refused_whole(
        self, seeded: None, client: Client, settings: Any
    ) -> None:
        settings.USAGE_BATCH_MAX = 3
        assert post(client, [event(str(number)) for number in range(4)]).status_code == 413
        assert post(client, [event(str(number)) for number in range(3)]).json()["applied"] == 3

    @pytest.mark.parametrize("key", ["", " ", "x" * 201, "a\tb"])
    def test_an_idempotency_key_is_printable_and_short(self, seeded: None, client: Client, key: str) -> None:
        assert post(client, event("1"), **{"idempotency-key": key}).status_code == 422
        assert not UsageEvent.objects.filter(event_id="1").exists()


class TestIdempotencyKey:
    def test_the_very_same_answer_is_given_again(self, seeded: None, client: Client) -> None:
        before = used()
        batch = [event("1"), event(), event("3", phone_number=NOBODY)]
        first = post(client, batch, **{"idempotency-key": "k-1"})
        again = post(client, batch, **{"idempotency-key": "k-1"})
        assert first.json()["applied"] == 2
        assert again.content == first.content
        assert used() == before + 200

    def test_without_it_a_repeated_batch_is_all_duplicates(self, seeded: None, client: Client) -> None:
        post(client, [event("1")], **{"idempotency-key": "k-1"})
        assert post(client, [event("1")]).json()["duplicates"] == 1
        assert post(client, [event("1")], **{"idempotency-key": "k-2"}).json()["duplicates"] == 1

    def test_a_key_used_for_another_request_is_refused(self, seeded: None, client: Client) -> None:
        post(client, [event("1")], **{"idempotency-key": "k-1"})
        answer = post(client, [event("2")], **{"idempotency-key": "k-1"})
        assert (answer.status_code, answer.json()["reason"]) == (422, "idempotency_key_reused")
        assert not UsageEvent.objects.filter(event_id="2").exists()

    def test_each_sender_has_keys_of_its_own(self, seeded: None) -> None:
        applied = []
        for name in ("pgw", "smsc"):
            user = User.objects.create_user(name)
            client = Client(headers={"Authorization": f"Token {Token.objects.create(user=user).key}"})
            applied.append(post(client, [event()], **{"idempotency-key": "k-1"}).json()["applied"])
        assert applied == [1, 1]

    def test_a_request_whose_process_died_before_it_answered_counts_nothing_twice(
        self, seeded: None, client: Client
    ) -> None:
        before = used()
        batch = [event("1"), event()]
        post(client, batch, **{"idempotency-key": "k-1"})
        # As it is when the process was killed between the commit and keeping the answer.
        IngestionAnswer.objects.update(body=b"")
        again = post(client, batch, **{"idempotency-key": "k-1"})
        assert (again.json()["applied"], again.json()["duplicates"]) == (0, 2)
        assert used() == before + 200
        assert post(client, batch, **{"idempotency-key": "k-1"}).content == again.content


def test_who_may_not_report_is_refused(seeded: None, settings: Any) -> None:
    settings.API_OPEN = False
    user = User.objects.create_user("pgw")
    client = Client(headers={"Authorization": f"Token {Token.objects.create(user=user).key}"})
    assert post(Client(), event("1")).status_code == 401
    assert post(client, event("1")).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="report_usage"))
    assert post(client, event("1")).json()["applied"] == 1


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    """Many senders at once, on a real MariaDB."""

    def test_the_same_request_from_16_threads_is_counted_once_and_answered_alike(
        self, committed: None
    ) -> None:
        before = used()
        body = [event(str(number)) for number in range(50)] + [event() for _ in range(50)]

        def send(_: int) -> bytes:
            return bytes(post(Client(), body, **{"idempotency-key": "k-1"}).content)

        assert len(set(in_threads(send, range(16), threads=16))) == 1
        assert used() == before + 100 * 100

    def test_overlapping_batches_in_different_order_never_fail_and_add_up(self, committed: None) -> None:
        """Batches that share lines and events, each in an order of its own, collide and deadlock: no sender
        is told."""
        numbers = list(Subscription.objects.values_list("line__phone_number", flat=True).distinct())
        chosen = random.Random(5)
        events = [
            event(str(number), phone_number=chosen.choice(numbers), quantity=1 + number)
            for number in range(400)
        ]

        def send(sender: int) -> int:
            order = random.Random(sender).sample(events, k=300)
            answer = post(Client(), order)
            assert answer.status_code == 200, answer.content
            return int(answer.json()["applied"])

        applied = sum(in_threads(send, range(48), threads=8))
        assert applied == UsageEvent.objects.filter(source="pgw-1").count() == 400
        assert not list(find_differences())
