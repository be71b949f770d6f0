"""A number means the same line through every door, however it is spelt."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from usage.live.consumer import SocketRefused, _phone_number
from usage.models import RejectedUsage, UsageEvent
from usage.services import redrive_usage
from usage.tests.test_import_cdr import HEADING, imported, record, write

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("seeded")]

SPELLINGS = [
    "0969786985",
    "00593969786985",
    "+593 (0)96 978 6985",
    "969786985",
    "096-978-6985",
    "\u200e0969786985",
    "096\u00a0978\u00a06985",
    "０９６９７８６９８５",
]


def counted() -> set[str]:
    events = UsageEvent.objects.filter(event_id__startswith="e-")
    return {event.subscription.line.phone_number for event in events.select_related("subscription__line")}


def test_in_a_file_of_detail_records(tmp_path: Path) -> None:
    records = [record(nth, phone_number=spelling) for nth, spelling in enumerate(SPELLINGS)]
    assert "8 counted" in imported(write(tmp_path / "a.csv", HEADING, *records))
    assert counted() == {"0969786985"}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_over_http_plain_and_as_a_cloudevent(
    client: Client, open_api: None, spelling: str, now: datetime
) -> None:
    plain = {"phone_number": spelling, "category": "SMS", "quantity": 1, "source": "s", "event_id": "e-1"}
    event = {
        "specversion": "1.0",
        "type": "u",
        "id": "e-1",
        "source": "s",
        "subject": spelling,
        "data": {"category": "SMS", "quantity": 1},
    }
    sent: list[tuple[dict[str, Any], str]] = [
        (plain, "application/json"),
        (event, "application/cloudevents+json"),
    ]
    answers = [client.post("/api/usage/events", json.dumps(body), kind) for body, kind in sent]
    assert [(answer.json()["applied"], answer.json()["duplicates"]) for answer in answers] == [(1, 0), (0, 1)]
    assert counted() == {"0969786985"}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_to_the_live_feed(spelling: str) -> None:
    assert _phone_number(f"phone_number={quote(spelling)}".encode()) == "0969786985"


@pytest.mark.parametrize("text", ["0969786985/86", "0969786985 0969786986", "+1 202 555 0123", "abcdef"])
def test_what_cannot_be_a_number_is_refused_there_too(text: str) -> None:
    with pytest.raises(SocketRefused):
        _phone_number(f"phone_number={quote(text)}".encode())


def test_usage_that_was_kept_under_a_spelling_of_old_is_counted_when_it_is_tried_again(now: datetime) -> None:
    for nth, spelling in enumerate(("00593969786985", "969786985")):
        RejectedUsage.objects.create(
            source="old",
            event_id=f"e-{nth}",
            phone_number=spelling,
            category="SMS",
            quantity=1,
            occurred_at=now,
            reason="unknown_line",
            received_at=now,
        )
    assert redrive_usage(rejected=RejectedUsage.objects.all(), at=now).applied == 2
    assert counted() == {"0969786985"}
