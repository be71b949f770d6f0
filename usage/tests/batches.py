"""Batches of reports for tests, and what became of them in a few words; and what happens to their lines."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F

from customers.models import Line, LineStatus, Subscription, Suspension, SuspensionReason
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


def suspend(start_at: datetime, end_at: datetime | None = None, *, phone_number: str = JESUS) -> None:
    """Out of service from then on; with `end_at`, resumed then."""
    line = Line.objects.get(phone_number=phone_number)
    Suspension.objects.create(
        line=line,
        reason=SuspensionReason.CUSTOMER,
        start_at=start_at,
        end_at=end_at,
        is_open=None if end_at else True,
    )
    if end_at:
        line.resumed_at = end_at
    else:
        line.status = LineStatus.SUSPENDED
    line.save()


def terminate(at: datetime, *, phone_number: str = JESUS) -> None:
    Line.objects.filter(phone_number=phone_number).update(status=LineStatus.TERMINATED, terminated_at=at)


@transaction.atomic
def add_pack(data_bytes: int, *, phone_number: str = JESUS) -> None:
    """The current period's data grows by so much."""
    line = Line.objects.select_for_update().get(phone_number=phone_number)
    Subscription.objects.current().filter(line=line).update(
        limit_bytes=F("limit_bytes") + data_bytes, changes=F("changes") + 1
    )


def make_free(*fields: str, phone_number: str = JESUS) -> None:
    """Terms of its periods: `zero_rated_social`."""
    Subscription.objects.filter(line__phone_number=phone_number).update(**dict.fromkeys(fields, True))
