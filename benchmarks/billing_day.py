"""Billing runs: a third of the periods, then twice as many; and PDF rendering."""

import os
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from django.db.models import Count, Max

from benchmarks.commands import Done
from benchmarks.measure import Bench
from benchmarks.printing import documents_printed_per_second
from benchmarks.processes import in_own_process
from benchmarks.report import Row, command_row
from benchmarks.seed import create
from billing.models import Invoice, InvoiceLine, InvoiceSeries
from customers.models import Pack, SoldPack, Subscription
from telcox.common.calendar import local_date
from telcox.common.database.bulk import chunks
from usage.models import UsageCounter
from usage.vocabulary import COUNTER_FIELDS, Category

# Packs bought for each period. With the plan's fee and the overage, an invoice has four lines.
PACKS = 2
# COUNTED: periods whose invoice lines are counted. PRINTED: documents that are rendered.
COUNTED, PRINTED = 10_000, 2_000


def billing_rows(bench: Bench) -> Iterator[Row]:
    """Bill a third of the periods that ended in benchmarks/days.py and are unbilled, then the others."""
    Subscription.objects.current().update(unbilled=None)
    unbilled = Subscription.objects.to_bill()
    keys = list(unbilled.order_by("pk").values_list("pk", flat=True))
    last = unbilled.aggregate(last=Max("expiration_at"))["last"]
    day = local_date(last + timedelta(hours=1))
    _use_up(keys)
    third = len(keys) // 3
    some, twice_as_many = keys[:third], keys[third : 3 * third]
    unbilled.update(unbilled=None)
    once = _bill(bench, some, day)
    yield _row("bill_period", "≥ 1,500 invoices/s, flat", some, once)
    twice = _bill(bench, twice_as_many, day)
    times = twice.seconds / once.seconds
    yield _row(
        f"bill_period, twice as many in {times:.2f} times as long", "≤ 2.1 times", twice_as_many, twice
    )
    yield _printed()


def _use_up(keys: Sequence[int]) -> None:
    """Give each period its packs, and more usage than plan and packs include."""
    pack = Pack.objects.order_by("pk").first()
    assert pack
    for some in chunks(keys):
        periods = Subscription.objects.filter(pk__in=some).only("limit_bytes", "start_at")
        create(
            SoldPack(
                subscription=period,
                pack=pack,
                name=pack.name,
                price=pack.price,
                data_bytes=pack.data_bytes,
                voice_minutes=pack.voice_minutes,
                sms=pack.sms,
                bought_at=period.start_at,
                reference=f"benchmark-{period.pk}-{nth}",
            )
            for period in periods
            for nth in range(PACKS)
        )
        UsageCounter.objects.filter(pk__in=some).delete()
        create(
            UsageCounter(
                subscription=period,
                version=1,
                **{COUNTER_FIELDS[Category.SOCIAL]: period.limit_bytes + 2**30 * (3 * PACKS + 1)},
            )
            for period in periods
        )


def _bill(bench: Bench, keys: Sequence[int], day: date) -> Done:
    for some in chunks(keys):
        Subscription.objects.filter(pk__in=some).update(unbilled=True)
    workers = str(os.cpu_count())
    return bench.run("bill_period", f"{day:%Y-%m}", "--date", str(day), "--ahead", "--workers", workers)


def _row(name: str, aim: str, keys: Sequence[int], result: Done) -> Row:
    counted = keys[:COUNTED]
    lines = InvoiceLine.objects.filter(invoice__subscription__in=counted).count() / len(counted)
    return command_row(
        f"{name}, {len(keys):,} periods of {lines:.1f} lines",
        aim,
        result,
        done=len(keys),
        counted="invoices",
        wrong=_wrong(keys),
    )


def _wrong(keys: Sequence[int]) -> int:
    """Return by how many the invoices differ from the periods, plus how many document numbers are missing."""
    invoices = sum(Invoice.objects.in_force().filter(subscription__in=some).count() for some in chunks(keys))
    numbers = InvoiceSeries.objects.annotate(given=Count("invoices")).values_list("last_number", "given")
    return abs(len(keys) - invoices) + sum(abs(last - given) for last, given in numbers)


def _printed() -> Row:
    figure = in_own_process(documents_printed_per_second, PRINTED)
    return Row("PDF, one process: bills of four lines and a chart", f"{figure:,.0f} documents/s", "≥ 100/s")
