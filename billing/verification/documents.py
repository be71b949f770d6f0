"""Whether invoices are what they were reckoned from, add up, are paid as they say, and are numbered without a
gap."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import msgspec
from django.db.models import Count, Max, Min

from billing.models import Invoice, InvoiceLine, InvoiceSeries, written_number
from billing.rating import RatingInputs
from billing.verification.faults import Fault
from billing.verification.money import money_faults, money_moved
from telcox.common.database.consistent_read import consistent_read

# Invoices compared at a time, and numbers read at a time.
INVOICES_AT_ONCE = 500
NUMBERS_AT_ONCE = 5_000
ZERO = Decimal("0.00")

_SUMS = ("subtotal", "discount", "tax", "total")
_COLUMNS = (
    "pk",
    "series__prefix",
    "series__pattern",
    "number",
    "kind",
    "status",
    "phone_number",
    "period",
    "tax_rate",
    "rated_from",
    *_SUMS,
)
_OF_A_LINE = ("unit", "quantity", "unit_price", "amount", "discount", "tax")


def document_faults() -> Iterator[Fault]:
    last = 0
    while True:
        with consistent_read():
            chunk = Invoice.objects.filter(pk__gt=last).order_by("pk")[:INVOICES_AT_ONCE]
            rows = list(chunk.values_list(*_COLUMNS))
            if not rows:
                return
            keys = [row[0] for row in rows]
            lines = _lines(keys)
            moved = money_moved(keys)
        for (
            pk,
            prefix,
            pattern,
            number,
            kind,
            status,
            phone_number,
            period,
            tax_rate,
            rated_from,
            *sums,
        ) in rows:
            of = (
                f"invoice {written_number(prefix, pattern, number)}"
                if prefix
                else f"draft {phone_number} {period}"
            )
            for what in (
                *_sum_faults(sums, lines[pk]),
                *_rating_faults(rated_from, tax_rate, lines[pk]),
                *money_faults(kind, status, [line[3:] for line in lines[pk]], moved[pk]),
            ):
                yield Fault(of, what)
        last = keys[-1]


def _lines(invoices: Sequence[int]) -> defaultdict[int, list[tuple[Any, ...]]]:
    found: defaultdict[int, list[tuple[Any, ...]]] = defaultdict(list)
    rows = InvoiceLine.objects.filter(invoice__in=invoices).order_by("invoice_id", "position")
    for pk, *line in rows.values_list("invoice_id", *_OF_A_LINE):
        found[pk].append(tuple(line))
    return found


def _sum_faults(sums: Sequence[Decimal], lines: Sequence[tuple[Any, ...]]) -> Iterator[str]:
    amount, discount, tax = (sum((line[column] for line in lines), ZERO) for column in (3, 4, 5))
    for name, held, of_lines in zip(
        _SUMS, sums, (amount, discount, tax, amount - discount + tax), strict=True
    ):
        if held != of_lines:
            yield f"its {name} is {held}, by its lines {of_lines}"


def _rating_faults(rated_from: Any, tax_rate: Decimal, lines: Sequence[tuple[Any, ...]]) -> Iterator[str]:
    if rated_from is None:  # taken over from a former system
        return
    try:
        facts = msgspec.convert(rated_from, RatingInputs, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        yield f"what it was reckoned from cannot be read: {error}"
        return
    if facts.tax_rate != tax_rate:
        yield f"its tax rate is {tax_rate}, and it was reckoned with {facts.tax_rate}"
    again = facts.rate().lines
    if len(again) != len(lines):
        yield f"it has {len(lines)} lines, reckoned again {len(again)}"
        return
    for position, (held, rated) in enumerate(zip(lines, again, strict=True), start=1):
        for name, value in zip(_OF_A_LINE, held, strict=True):
            if value != getattr(rated, name):
                yield f"line {position}: its {name} is {value}, reckoned again {getattr(rated, name)}"


def series_faults() -> Iterator[Fault]:
    """Numbers go from 1 to the last that the series gave."""
    for series in InvoiceSeries.objects.order_by("pk"):
        with consistent_read():
            series.refresh_from_db()
            of_it = Invoice.objects.filter(series=series).order_by()
            counted = of_it.aggregate(first=Min("number"), last=Max("number"), count=Count("number"))
            last, count = counted["last"] or 0, counted["count"]
            if last != series.last_number:
                yield Fault(
                    f"series {series}", f"its last number is {series.last_number}, of its documents {last}"
                )
            if count != last:
                yield Fault(f"series {series}", f"number {_first_gap(series)} is missing")


def _first_gap(series: InvoiceSeries) -> int:
    expected = 1
    numbers = Invoice.objects.filter(series=series).order_by("number").values_list("number", flat=True)
    while page := list(numbers.filter(number__gte=expected)[:NUMBERS_AT_ONCE]):
        for number in page:
            if number != expected:
                return expected
            expected += 1
    return expected
