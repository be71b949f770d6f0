"""What may happen to usage."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import cast

from django.db.models import QuerySet

from customers.models import Line, Subscription
from telcox.common.errors import DomainError, NotFound, Unprocessable
from usage.ingestion.apply import apply_usage
from usage.ingestion.formats import Malformed, Reported
from usage.ingestion.receipts import DETAILS, Receipt, receipt_of
from usage.ingestion.rejected import keep_rejected, report_of, settle
from usage.ingestion.reports import CategoryName, Result, UsageReport
from usage.ingestion.together import apply_together
from usage.models import COUNTER_FIELDS, Category, RejectedUsage, RejectionReason, UsageDay
from usage.periods import Alert, Period, current_period, watched_period, watched_periods
from usage.snapshot import Snapshot, build_snapshot, snapshot_version

# Rejected reports of one transaction.
REDRIVEN_AT_ONCE = 1_000

NO_LINE = DETAILS[RejectionReason.UNKNOWN_LINE]
NO_PLAN = "No active data plan for this phone_number"


@dataclass(frozen=True)
class RecordedUsage:
    """What became of a reported event: counted just now, or (`duplicate`) counted already; and the state
    after it."""

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
    """Counts one event once, and tells who is watching.

    `phone_number` is national; `quantity` is in bytes, seconds (VOICE) or messages (SMS). Without
    `event_id` the event is taken as new and gets one. A period that has run out and was not renewed still
    counts, as in the original.

    Raises NotFound (unknown line, or none of its plans had begun then), DomainError (line not in service
    then, or the same event with other content), Unprocessable (in the future, of a day whose usage was
    purged, or more than the counter can hold). Then nothing was changed.
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
    """Counts each report once, as one transaction; keeps those that cannot be counted, to be driven again;
    and says what became of each."""
    outcomes = apply_together(
        reports=[report for report in reported if isinstance(report, UsageReport)], at=at
    )
    keep_rejected(outcomes, at)
    in_order = iter(outcomes)
    return receipt_of([each if isinstance(each, Malformed) else next(in_order) for each in reported])


@dataclass
class Redriven:
    """How many rejected reports were counted now, had been counted before, and wait on."""

    applied: int = 0
    duplicates: int = 0
    rejected: int = 0


def redrive_usage(*, rejected: QuerySet[RejectedUsage], at: datetime) -> Redriven:
    """Tries again to count those of `rejected` that wait. Each is counted once, whoever else does the same at
    the same time, and however often it is killed."""
    redriven = Redriven()
    last = 0
    waiting = rejected.filter(unresolved=True).order_by("pk")
    while rows := list(waiting.filter(pk__gt=last)[:REDRIVEN_AT_ONCE]):
        outcomes = apply_usage(reports=[report_of(row) for row in rows], at=at)
        settle(rows, outcomes, at)
        results = Counter(outcome.result for outcome in outcomes)
        redriven.applied += results[Result.APPLIED]
        redriven.duplicates += results[Result.DUPLICATE]
        redriven.rejected += results[Result.REJECTED]
        last = rows[-1].pk
    return redriven


def line_snapshot(*, phone_number: str, at: datetime) -> Snapshot:
    """What the line used of its current period. Raises NotFound for a line without one, or no line at all."""
    period = current_period(phone_number)
    if period is None:
        raise NotFound(NO_PLAN, reason="no_subscription")
    return _snapshot(period, at)


@dataclass(frozen=True, slots=True)
class WatchedLine:
    """What who watches a line is shown: its snapshot, and the alerts of that period up to that very state."""

    snapshot: Snapshot
    alerts: tuple[Alert, ...]


def watched_line(*, phone_number: str, at: datetime) -> WatchedLine:
    """Raises NotFound for a line without a period, or no line at all."""
    watched = watched_period(phone_number)
    if watched is None:
        raise NotFound(NO_PLAN, reason="no_subscription")
    period, alerts = watched
    return WatchedLine(_snapshot(period, at), alerts)


def watched_lines(*, phone_numbers: Collection[str], at: datetime) -> list[WatchedLine]:
    """Of each of these lines that has a period."""
    return [WatchedLine(_snapshot(period, at), alerts) for period, alerts in watched_periods(phone_numbers)]


def line_history(*, phone_number: str, since: date, until: date, by_month: bool) -> dict[str, dict[str, int]]:
    """What the line used on each local day (`2026-11-23`) or in each month (`2026-11`), both ends included,
    oldest first; those without usage are left out. Raises NotFound if no line has this number."""
    if not Line.objects.filter(phone_number=phone_number).exists():
        raise NotFound(NO_LINE, reason="unknown_line")
    days = UsageDay.objects.filter(
        subscription__line__phone_number=phone_number, day__gte=since, day__lte=until
    )
    history: dict[str, dict[str, int]] = {}
    for day, *used in days.order_by("day").values_list("day", *COUNTER_FIELDS.values()):
        sums = history.setdefault(
            f"{day:%Y-%m}" if by_month else f"{day}", dict.fromkeys(COUNTER_FIELDS.values(), 0)
        )
        for field, amount in zip(COUNTER_FIELDS.values(), used, strict=True):
            sums[field] += amount
    return history


def line_states(*, phone_numbers: Collection[str], at: datetime) -> dict[str, tuple[int, bool]]:
    """`version` and `expired` of each line's snapshot at `at`: when either grows, there is something new to
    show. Lines without a period are left out."""
    current = Subscription.objects.current().filter(line__phone_number__in=phone_numbers)
    rows = current.order_by().values_list(
        "line__phone_number", "sequence", "changes", "usage_counter__version", "expiration_at"
    )
    return {
        phone_number: (snapshot_version(sequence, changes + (version or 0)), expiration_at <= at)
        for phone_number, sequence, changes, version, expiration_at in rows
    }


def _snapshot(period: Period, at: datetime) -> Snapshot:
    return build_snapshot(
        phone_number=period.phone_number,
        client_full_name=period.client_full_name,
        plan_id=period.subscription_id,
        sequence=period.sequence,
        limit_bytes=period.limit_bytes,
        expiration_at=period.expiration_at,
        used=period.used,
        zero_rated=period.zero_rated,
        changes=period.changes,
        at=at,
    )
