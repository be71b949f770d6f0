"""Networks that stamp usage to the second leave out the fraction: no usage is refused because of it."""

from datetime import datetime
from typing import Any

import pytest

from billing.sales.services import activate_subscription, change_plan, terminate_line
from billing.tests.builders import fresh, moment, periods
from customers.models import Line, Plan
from customers.services import resume_line, suspend_line
from usage.ingestion.apply import apply_usage
from usage.ingestion.reports import UsageReport
from usage.models import RejectedUsage, UsageEvent
from usage.services import take_usage
from usage.verification import find_differences

pytestmark = pytest.mark.django_db

STAMP = "2026-11-24 10:00:00"


def at(fraction: str) -> datetime:
    return moment(f"{STAMP}.{fraction}")


def sell(line: Line, when: datetime, code: str = "movil-30") -> None:
    activate_subscription(line=fresh(line), plan=Plan.objects.get(code=code), at=when)


def became(line: Line, stamp: str = STAMP) -> str:
    report = UsageReport(line.phone_number, "SMS", 1, "pgw", None, moment(stamp))
    [outcome] = apply_usage(reports=[report], at=at("950000"))
    return outcome.reason.value if outcome.reason else outcome.result.value


def test_in_the_second_in_which_a_line_begins(line: Line) -> None:
    sell(line, at("400000"))
    assert became(line) == "applied"
    assert became(line, "2026-11-24 09:59:59.999999") == "no_subscription"


def test_in_the_second_in_which_it_is_resumed(line: Line) -> None:
    sell(line, moment("2026-11-20 10:00"))
    suspend_line(line=fresh(line), reason="CUSTOMER", at=moment("2026-11-22 10:00"))
    resume_line(line=fresh(line), at=at("400000"))
    assert became(line) == "applied"
    assert became(line, "2026-11-24 09:59:59") == "line_suspended"


def test_in_the_second_in_which_it_is_suspended(line: Line) -> None:
    """It may have happened before."""
    sell(line, moment("2026-11-20 10:00"))
    suspend_line(line=fresh(line), reason="CUSTOMER", at=at("400000"))
    assert became(line) == "applied"
    assert became(line, "2026-11-24 10:00:01") == "line_suspended"


def test_in_the_second_in_which_it_is_terminated(line: Line) -> None:
    sell(line, moment("2026-11-20 10:00"))
    terminate_line(line=fresh(line), at=at("400000"))
    assert became(line) == "applied"
    assert became(line, "2026-11-24 10:00:01") == "line_terminated"


def test_suspended_and_resumed_within_a_second_it_was_never_out_of_service(line: Line) -> None:
    sell(line, moment("2026-11-20 10:00"))
    suspend_line(line=fresh(line), reason="CUSTOMER", at=at("400000"))
    resume_line(line=fresh(line), at=at("600000"))
    suspension = line.suspensions.get()
    assert suspension.start_at == suspension.end_at == at("400000")
    assert became(line) == became(line, f"{STAMP}.500000") == "applied"


def test_a_suspended_line_that_is_terminated_was_suspended_until_then(line: Line) -> None:
    sell(line, moment("2026-11-20 10:00"))
    suspend_line(line=fresh(line), reason="CUSTOMER", at=moment("2026-11-22 10:00"))
    terminate_line(line=fresh(line), at=at("400000"))
    assert became(line) == "line_suspended"


def test_in_the_second_in_which_a_plan_is_changed_it_belongs_to_the_old_one(line: Line) -> None:
    """A moment within a second is after its beginning, and the stamp is that."""
    sell(line, moment("2026-11-20 10:00"))
    change_plan(line=fresh(line), plan=Plan.objects.get(code="pospago-20"), at=at("400000"))
    assert became(line) == became(line, f"{STAMP}.400000") == "applied"
    events = UsageEvent.objects.filter(source="pgw").order_by("occurred_at")
    assert [event.subscription.sequence for event in events] == [1, 2]
    assert not list(find_differences())


def test_a_plan_that_is_sold_again_in_the_second_in_which_the_last_one_ended(line: Line) -> None:
    sell(line, moment("2026-11-20 10:00"))
    last = line.subscriptions.get()
    last.expiration_at = at("300000")
    last.save()
    sell(line, at("400000"), "pospago-20")
    first, second = periods(line)
    assert second.start_at == first.expiration_at == at("300000")


def test_usage_that_was_reported_before_the_sale_was_entered_is_counted_with_it(
    line: Line, django_capture_on_commit_callbacks: Any
) -> None:
    reports = [
        UsageReport(line.phone_number, "SMS", 1, "pgw", stamp[-2:], moment(stamp))
        for stamp in ("2026-11-24 09:59:59", STAMP)
    ]
    assert take_usage(reported=reports, at=at("450000")).rejected == 2
    with django_capture_on_commit_callbacks(execute=True):
        sell(line, at("400000"))
    assert [event.event_id for event in UsageEvent.objects.filter(source="pgw")] == ["00"]
    assert [row.event_id for row in RejectedUsage.objects.filter(unresolved=True)] == ["59"]
