"""Batches of reports for tests, and what became of them in a few words."""

from datetime import datetime
from typing import Any

from usage.ingestion.formats import Malformed
from usage.ingestion.receipts import Receipt
from usage.ingestion.reports import UsageReport
from usage.models import UsageCounter
from usage.services import take_usage

JESUS, MARIA, CARLA = "0969786985", "0923456789", "0934567890"
NOBODY = "0999999999"
GIB = 2**30


def report(event_id: str | None = None, **changes: Any) -> UsageReport:
    fields = {"phone_number": JESUS, "category": "SOCIAL", "quantity": 100, "source": "pgw-1", **changes}
    return UsageReport(event_id=event_id, **fields)


def take(at: datetime, *reported: UsageReport | Malformed) -> Receipt:
    return take_usage(reported=reported, at=at)


def counts(receipt: Receipt) -> tuple[int, int, int, int]:
    return receipt.received, receipt.applied, receipt.duplicates, receipt.rejected


def reasons(receipt: Receipt) -> dict[int, str]:
    return {rejection.index: rejection.reason for rejection in receipt.rejections}


def counter(phone_number: str = JESUS) -> UsageCounter:
    return UsageCounter.objects.get(subscription__line__phone_number=phone_number, subscription__sequence=1)
