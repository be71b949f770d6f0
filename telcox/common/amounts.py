"""What may be an amount of money that somebody brings or takes."""

from decimal import Decimal

from django.utils.translation import gettext as _

from telcox.common.errors import Unprocessable
from telcox.common.money import MONEY_MAX, cents


def amount_refusal(amount: Decimal) -> Unprocessable | None:
    """Why this cannot be an amount in dollars, if it cannot: it is not more than nothing, more than a column
    holds, or not in whole cents."""
    if not amount.is_finite() or amount <= 0:
        return Unprocessable(_("An amount is more than nothing"), reason="amount_not_positive")
    if amount > MONEY_MAX:
        return amount_too_large()
    if amount != cents(amount):
        return Unprocessable(_("An amount is in whole cents"), reason="amount_not_in_cents")
    return None


def amount_too_large() -> Unprocessable:
    return Unprocessable(_("The amount is too large"), reason="amount_too_large")
