"""What a plan would cost, before anybody has it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from django.utils.translation import gettext as _

from billing.rating import Changes, Discount, Pack, RatingInputs, Span, Used
from billing.rating.facts import TaxRates, terms_of
from billing.sales.periods import DiscountsGiven
from customers.cycles import full_period
from customers.models import Line, Plan
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
    """What a period of `plan` sold at `at` would be rated from; the plan may be as somebody types it, and is
    not saved. It is reckoned with that day's tax rate and the discounts that all who buy the plan get.

    `days` is for a part of the period, sold in the middle of it: its last days. Raises DomainError if the
    period has not as many, or no tax rate is known for the day.
    """
    begin, end = (local_date(moment) for moment in full_period(validity_days=plan.validity_days, at=at))
    span = Span(begin, end, begin, end)
    if days is not None:
        if days > span.days:
            raise DomainError(_("The period has only %d days") % span.days, reason="period_shorter")
        span = Span(end - timedelta(days=days), end, begin, end)
    sold = DiscountsGiven(()).of(Line(), plan.pk, at)
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
