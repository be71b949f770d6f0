"""Rejected reports, kept until they can be counted."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import cast

from django.db import connection

from telcox.common.database.bulk import chunks
from telcox.common.database.retrying import retry_lost_locks
from telcox.common.phone import national_number
from usage.ingestion.reports import CategoryName, Outcome, UsageReport
from usage.models import RejectedUsage
from usage.vocabulary import RejectionReason

# Reasons for which a report is kept. The others cannot pass: the receipt names such reports, and that is all.
KEPT = frozenset(RejectionReason) - {RejectionReason.EVENT_CONFLICT, RejectionReason.INVALID}


def keep_rejected(outcomes: Iterable[Outcome], at: datetime) -> None:
    """Keep each key once: a report that is already waiting gets the newest reason."""
    rows = [
        RejectedUsage(
            source=outcome.report.key[0],
            event_id=outcome.report.key[1],
            phone_number=outcome.report.phone_number,
            category=outcome.report.category,
            quantity=outcome.report.quantity,
            occurred_at=outcome.report.occurred_at or at,
            reason=outcome.reason,
            received_at=at,
        )
        for outcome in outcomes
        if outcome.reason in KEPT
    ]
    if rows:
        retry_lost_locks(lambda: keep_rows(rows))


def keep_rows(rows: list[RejectedUsage]) -> None:
    """Save these reports. One whose key is waiting already gets the new reason only."""
    names_target = connection.features.supports_update_conflicts_with_target
    rows.sort(key=lambda row: (row.source, row.event_id))
    RejectedUsage.objects.bulk_create(
        rows,
        batch_size=1_000,
        update_conflicts=True,
        update_fields=["reason"],
        unique_fields=["source", "event_id", "unresolved"] if names_target else None,
    )


def report_of(row: RejectedUsage) -> UsageReport:
    return UsageReport(
        national_number(row.phone_number),  # it may have been kept before this spelling was known
        cast(CategoryName, row.category),
        row.quantity,
        row.source,
        row.event_id,
        row.occurred_at,
    )


def waiting_before(keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], UsageReport]:
    """Return the waiting reports that have one of these keys."""
    by_source = defaultdict(list)
    for source, event_id in keys:
        by_source[source].append(event_id)
    unresolved = RejectedUsage.objects.unresolved()
    return {
        (row.source, row.event_id): report_of(row)
        for source, event_ids in by_source.items()
        for chunk in chunks(event_ids)
        for row in unresolved.filter(source=source, event_id__in=chunk)
    }


def resolve_rejected(rows: Sequence[RejectedUsage], outcomes: Sequence[Outcome], at: datetime) -> None:
    """Resolve reports that are counted now or were counted before. The others keep waiting, with their newest
    reason."""
    resolved, waiting = [], defaultdict(list)
    for row, outcome in zip(rows, outcomes, strict=True):
        if outcome.reason is None:
            resolved.append(row.pk)
        elif outcome.reason != row.reason:
            waiting[outcome.reason].append(row.pk)
    unresolved = RejectedUsage.objects.unresolved()
    unresolved.filter(pk__in=resolved).update(resolved_at=at, unresolved=None)
    for reason, pks in waiting.items():
        unresolved.filter(pk__in=pks).update(reason=reason)
