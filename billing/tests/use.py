"""Usage around the end of a period, and what comes of it."""

from datetime import datetime
from decimal import Decimal

from billing.models import Invoice
from billing.tests.builders import moment, periods
from billing.verification import find_faults
from customers.models import Line
from usage.ingestion.apply import apply_usage
from usage.ingestion.reports import Result, UsageReport
from usage.models import UsageAlert, UsageCounter, UsageDay
from usage.verification import find_differences

D = Decimal
GB = 2**30
EARLY = moment("2026-12-01 00:02")
RUN = moment("2026-12-01 00:05")


def used(
    line: Line,
    gigabytes: float,
    occurred: datetime | str,
    *,
    reported: datetime | str | None = None,
    category: str = "SOCIAL",
) -> Result:
    occurred_at = moment(occurred) if isinstance(occurred, str) else occurred
    at = moment(reported) if isinstance(reported, str) else reported or occurred_at
    report = UsageReport(line.phone_number, category, int(gigabytes * GB), "pgw", None, occurred_at)  # type: ignore[arg-type]
    return apply_usage(reports=[report], at=at)[0].result


def gigabytes(line: Line) -> list[float]:
    """What was used of each period."""
    counters = UsageCounter.objects.filter(subscription__line=line)
    held = dict(counters.values_list("subscription__sequence", "used_social_bytes"))
    return [held.get(period.sequence, 0) / GB for period in periods(line)]


def charged(line: Line) -> list[list[Decimal]]:
    """The lines of each bill, before tax."""
    bills = Invoice.objects.filter(subscription__line=line).order_by("subscription__sequence")
    return [[each.amount for each in bill.lines.order_by("position")] for bill in bills]


def days(line: Line) -> list[tuple[int, str, float]]:
    rows = UsageDay.objects.filter(subscription__line=line).order_by("subscription__sequence", "day")
    return [(row.subscription.sequence, f"{row.day:%m-%d}", row.total_bytes / GB) for row in rows]


def alerts(line: Line) -> list[tuple[int, int]]:
    of_it = UsageAlert.objects.filter(subscription__line=line).order_by("subscription__sequence", "threshold")
    return list(of_it.values_list("subscription__sequence", "threshold"))


def assert_books_agree() -> None:
    assert not list(find_differences())
    assert not [fault for fault in find_faults() if "0955555555" in fault.of]
