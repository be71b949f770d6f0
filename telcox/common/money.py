"""Money is Decimal, in US dollars, and is rounded in this one way."""

from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")
# What a column of money holds.
MONEY_MAX = Decimal("9999999999.99")


def cents(amount: Decimal) -> Decimal:
    """`amount` in whole cents, halves away from zero, as an invoice shows it."""
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)
