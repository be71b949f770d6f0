"""Money: Decimal, in US dollars, with one rule of rounding."""

from decimal import ROUND_HALF_UP, Decimal

from django.utils.translation import gettext as _

from telcox.common.errors import Unprocessable

CENT = Decimal("0.01")
# The largest amount that a column of money can hold.
MONEY_MAX = Decimal("9999999999.99")


def cents(amount: Decimal) -> Decimal:
    """Return `amount` in whole cents, rounded half away from zero, as an invoice shows it."""
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def amount_refusal(amount: Decimal) -> Unprocessable | None:
    """Return why this cannot be an amount in dollars, or None: it is not greater than zero, larger than a
    column holds, or not in whole cents."""
    if not amount.is_finite() or amount <= 0:
        return Unprocessable(_("The amount must be greater than zero"), reason="amount_not_positive")
    if amount > MONEY_MAX:
        return amount_too_large()
    if amount != cents(amount):
        return Unprocessable(
            _("The amount must be in whole cents: at most two decimal places"), reason="amount_not_in_cents"
        )
    return None


def amount_too_large() -> Unprocessable:
    return Unprocessable(_("The amount is too large"), reason="amount_too_large")
