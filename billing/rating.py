"""What a period costs: from terms and use to priced lines. Values in, values out: no database, no clock, no
settings."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from telcox.common.money import cents

GB = 2**30


class PeriodTerms(Protocol):
    """What was sold, as a Subscription keeps it. Prices in dollars before tax."""

    plan_name: str
    price: Decimal
    limit_bytes: int
    minutes_limit: int
    sms_limit: int
    overage_price_per_gb: Decimal
    overage_price_per_minute: Decimal
    overage_price_per_sms: Decimal


@dataclass(frozen=True)
class Used:
    """What was used of a period."""

    data_bytes: int = 0
    voice_minutes: int = 0  # started ones
    sms: int = 0


@dataclass(frozen=True)
class RatedLine:
    """One thing charged for; `amount` is quantity × unit price in whole cents, rounded here and never
    again."""

    unit: str
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal


@dataclass(frozen=True)
class Totals:
    subtotal: Decimal
    discount: Decimal
    tax: Decimal
    total: Decimal


def rate_period(terms: PeriodTerms, used: Used) -> list[RatedLine]:
    """The period's price, then what was used beyond the allowance where that costs something.

    Data is charged to the millionth of a GB (about 1 kB), voice by the minute.
    """
    return [_line("PERIOD", Decimal(1), terms.price), *_overage(terms, used)]


def _overage(terms: PeriodTerms, used: Used) -> Iterator[RatedLine]:
    gigabytes = Decimal(max(0, used.data_bytes - terms.limit_bytes)) / GB
    minutes = Decimal(max(0, used.voice_minutes - terms.minutes_limit))
    sms = Decimal(max(0, used.sms - terms.sms_limit))
    for unit, quantity, unit_price in (
        ("GB", gigabytes, terms.overage_price_per_gb),
        ("MINUTE", minutes, terms.overage_price_per_minute),
        ("SMS", sms, terms.overage_price_per_sms),
    ):
        line = _line(unit, quantity, unit_price)
        if line.amount:
            yield line


def _line(unit: str, quantity: Decimal, unit_price: Decimal) -> RatedLine:
    quantity = quantity.quantize(Decimal("0.000001"))
    return RatedLine(unit=unit, quantity=quantity, unit_price=unit_price, amount=cents(quantity * unit_price))


def total_up(lines: Sequence[RatedLine], *, tax_rate: Decimal, discount: Decimal = Decimal(0)) -> Totals:
    """The sum of the lines, less the discount (never more than the sum), and tax on what is left, rounded
    once."""
    subtotal = sum((line.amount for line in lines), Decimal("0.00"))
    discount = min(cents(discount), subtotal)
    tax = cents((subtotal - discount) * tax_rate)
    return Totals(subtotal=subtotal, discount=discount, tax=tax, total=subtotal - discount + tax)
