"""The day on which the periods of all lines end: each is followed by another, and billed."""

from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Max

from benchmarks.measure import Bench
from benchmarks.report import Row, command_row
from billing.models import Invoice
from customers.models import Line, Subscription
from telcox.common.calendar import local_date

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
    periods = Subscription.objects.count()
    result = bench.run("renew_subscriptions", "--date", _day_of_all_ends(), "--ahead")
    wrong = abs(Subscription.objects.count() - periods - lines)
    yield command_row(
        f"renew_subscriptions, {lines:,} lines", AIM, result, done=lines, counted="lines", wrong=wrong
    )


def _day_of_all_ends() -> str:
    """The first day whose end finds the current period of every line over, and no second one of any."""
    last = Subscription.objects.current().aggregate(last=Max("expiration_at"))["last"]
    return str(local_date(last + timedelta(hours=1)))
