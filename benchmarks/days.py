"""The day's run on the day on which the periods of all lines end: each is renewed, and billed."""

from collections.abc import Iterator
from datetime import date, timedelta

from django.db.models import Max

from benchmarks.measure import Bench
from benchmarks.report import Row, command_row
from billing.models import Invoice
from billing.sales.renewal import lines_due
from customers.models import Line, Subscription
from telcox.common.calendar import local_date, midnight

AIM = "≥ 2,000 lines/s, flat"


def day_rows(bench: Bench) -> Iterator[Row]:
    lines = Line.objects.count()
    periods, invoices = Subscription.objects.count(), Invoice.objects.count()
    result = bench.run("run_day", "--date", _day_of_all_ends(), "--ahead")
    wrong = abs(Subscription.objects.count() - periods - lines) + abs(
        Invoice.objects.count() - invoices - lines
    )
    yield command_row(
        f"run_day, {lines:,} lines renewed and billed", AIM, result, done=lines, counted="lines", wrong=wrong
    )
    periods, day = Subscription.objects.count(), _day_of_all_ends()
    result = bench.run("renew_subscriptions", "--date", day, "--ahead")
    begun = Subscription.objects.count() - periods
    wrong = lines_due(midnight(date.fromisoformat(day) + timedelta(days=1))).count()
    yield command_row(
        f"renew_subscriptions, {begun:,} periods of {lines:,} lines, some of whom missed several",
        AIM,
        result,
        done=lines,
        counted="lines",
        wrong=wrong,
    )


def _day_of_all_ends() -> str:
    """Return the first day at whose end the current period of every line has ended, in ISO format."""
    last = Subscription.objects.current().aggregate(last=Max("expiration_at"))["last"]
    return str(local_date(last + timedelta(hours=1)))
