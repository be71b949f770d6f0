"""Price examples: what a plan would cost before it is sold."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from django.utils.translation import gettext as _

from billing.rating import Changes, Discount, Pack, RatingInputs, Span, Used
from billing.rating.facts import TaxRates, terms_of
from billing.sales.periods import DiscountsGiven
from customers.cycles import full_period
from customers.models import Plan
from telcox.common.calendar import local_date
from telcox.common.errors import DomainError


def example_of(
    *,
    plan: Plan,
    used: Used,
    at: datetime,
    packs: Sequence[Pack] = (),
    days: int | None = None,
    spend_limit: Decimal | None = None,
    prepaid: bool = False,
) -> RatingInputs:
    """Return the rating inputs of a period of `plan` sold at `at`, with that day's tax rate and the discounts
    that apply to every customer with the plan. The plan may be unsaved, as it is being typed.

    `days` prorates the period to its last days, as if it was sold in the middle of its cycle. Raise
    DomainError if the period has fewer days, or no tax rate is known for the day.
    """
    begin, end = (local_date(moment) for moment in full_period(validity_days=plan.validity_days, at=at))
    span = Span(begin, end, begin, end)
    if days is not None:
        if days > span.days:
            raise DomainError(_("The period has only %d days") % span.days, reason="period_shorter")
        span = Span(end - timedelta(days=days), end, begin, end)
    sold = DiscountsGiven(()).of(None, plan.pk, at)
    return RatingInputs(
        terms=terms_of(plan, plan.name),
        used=used,
        span=span,
        changes=Changes(
            packs=tuple(packs),
            discounts=tuple(
                Discount(each["name"], Decimal(each["percent"]), Decimal(each["amount"])) for each in sold
            ),
            spend_limit=spend_limit,
            prepaid=prepaid,
        ),
        tax_rate=TaxRates().on(local_date(at)),
    )
