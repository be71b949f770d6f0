"""The tax of a document by its rates."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NamedTuple


class TaxOfRate(NamedTuple):
    """Part of a document that has one tax rate: the amount that is taxed, and its tax, in dollars."""

    rate: Decimal
    taxable: Decimal
    tax: Decimal


def taxes_by_rate(document: Any, lines: Iterable[Any]) -> list[TaxOfRate]:
    """Return the parts of a document, or of a priced period, with their tax rates, the lowest rate first.
    They add up to its subtotal less discount, and to its tax."""
    taxes: dict[Decimal, TaxOfRate] = {}
    for line in lines:
        rate = document.tax_rate if line.tax_rate is None else line.tax_rate
        _rate, taxable, tax = taxes.get(rate, TaxOfRate(rate, Decimal(0), Decimal(0)))
        taxes[rate] = TaxOfRate(rate, taxable + line.amount - line.discount, tax + line.tax)
    return [taxes[rate] for rate in sorted(taxes)]
