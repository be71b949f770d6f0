"""Services of usage: record, ingest, redrive."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from django.db.models import QuerySet

from telcox.common.errors import DomainError, NotFound, Unprocessable
from usage.ingestion.apply import apply_usage
from usage.ingestion.formats import Malformed, Reported
from usage.ingestion.group_commit import apply_together
from usage.ingestion.receipts import Receipt, receipt_of
from usage.ingestion.rejected import keep_rejected, report_of, resolve_rejected
from usage.ingestion.reports import CategoryName, Result, UsageReport
from usage.models import RejectedUsage
from usage.reading import NO_PLAN, line_snapshot
from usage.snapshot import Snapshot
from usage.vocabulary import DETAILS, Category, RejectionReason

# Rejected reports in one transaction.
REDRIVEN_AT_ONCE = 1_000


@dataclass(frozen=True)
class RecordedUsage:
    """Outcome of one event, which was counted now or before (`duplicate`), and the snapshot after it."""

    event_id: str
    duplicate: bool
    snapshot: Snapshot


def record_usage(
    *,
    phone_number: str,
    category: Category,
    quantity: int,
    source: str,
    at: datetime,
    event_id: str | None = None,
    occurred_at: datetime | None = None,
) -> RecordedUsage:
    """Count one event once, and notify watchers.

    `phone_number` is national; `quantity` is in bytes, seconds (VOICE) or messages (SMS). Without `event_id`
    the event is taken as new and gets one. A period that has expired and was not renewed still counts, as in
    the original.

    Raise NotFound (unknown line, or none of its plans had started), DomainError (line not in service at that
    time, or the same event with other content), Unprocessable (in the future, of a purged day, or more than
    the counter can hold). Then nothing was changed.
    """
    report = UsageReport(
        phone_number, cast(CategoryName, Category(category).value), quantity, source, event_id, occurred_at
    )
    outcome = apply_together(reports=[report], at=at)[0]
    if outcome.reason is not None:
        raise _refusal(outcome.reason)
    assert report.event_id is not None
    duplicate = outcome.result is Result.DUPLICATE
    return RecordedUsage(report.event_id, duplicate, line_snapshot(phone_number=phone_number, at=at))


def _refusal(reason: RejectionReason) -> DomainError:
    match reason:
        case RejectionReason.UNKNOWN_LINE | RejectionReason.NO_SUBSCRIPTION:
            return NotFound(NO_PLAN, reason=reason.value)
        case RejectionReason.IN_FUTURE | RejectionReason.TOO_LATE | RejectionReason.COUNTER_FULL:
            return Unprocessable(DETAILS[reason], reason=reason.value)
        case _:
            return DomainError(DETAILS[reason], reason=reason.value)


def take_usage(*, reported: Sequence[Reported], at: datetime) -> Receipt:
    """Count each report once, in one transaction. Keep rejected reports for a redrive, and return the
    receipt."""
    outcomes = apply_together(
        reports=[report for report in reported if isinstance(report, UsageReport)], at=at
    )
    keep_rejected(outcomes, at)
    in_order = iter(outcomes)
    return receipt_of([each if isinstance(each, Malformed) else next(in_order) for each in reported])


@dataclass
class Redriven:
    """Numbers of rejected reports that were counted now, had been counted before, and are still waiting."""

    applied: int = 0
    duplicates: int = 0
    rejected: int = 0


def redrive_usage(*, rejected: QuerySet[RejectedUsage], at: datetime) -> Redriven:
    """Try again to count the waiting reports of `rejected`. Each is counted once, also if several processes
    do the same at the same time, or one is killed."""
    redriven = Redriven()
    last = 0
    waiting = rejected.filter(unresolved=True).order_by("pk")
    while rows := list(waiting.filter(pk__gt=last)[:REDRIVEN_AT_ONCE]):
        outcomes = apply_usage(reports=[report_of(row) for row in rows], at=at)
        resolve_rejected(rows, outcomes, at)
        results = Counter(outcome.result for outcome in outcomes)
        redriven.applied += results[Result.APPLIED]
        redriven.duplicates += results[Result.DUPLICATE]
        redriven.rejected += results[Result.REJECTED]
        last = rows[-1].pk
    return redriven
