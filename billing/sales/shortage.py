"""Prepaid lines that were not renewed for want of money, and still are short of it. An operator has many of
them, and every run comes by them all."""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal

from django.db.models import Exists, OuterRef

from billing.rating.facts import price_periods
from billing.sales.periods import DiscountsGiven, new_period
from customers.catalogue import OfferedTerms
from customers.models import Line, LineEvent, LineStep, PlanChange, Subscription
from customers.models.subscriptions import SubscriptionQuerySet
from telcox.common.errors import DomainError


def still_short(line_ids: Collection[int], at: datetime) -> set[int]:
    """Of these lines those whose last period ended without another, as was noted, and whose wallet cannot pay
    one that begins at `at` either.

    What a period costs that begins now, with nothing left of one before it, depends on its plan and discounts
    alone: one of each is rated, and not each line's. Nothing is locked, it is as if they had been tried a
    moment earlier. None if it cannot be known: then each is looked at by itself.
    """
    periods_noted = not_renewed().current().filter(line__in=line_ids, line__prepaid=True)
    lapsed = list(periods_noted.values("line", "line__customer", "line__wallet__balance_usd", "plan"))
    if not lapsed:
        return set()
    waiting = PlanChange.objects.pending().filter(line__in=[row["line"] for row in lapsed])
    plans = {row["line"]: row["plan"] for row in lapsed} | dict(waiting.values_list("line_id", "plan_id"))
    offered = OfferedTerms(set(plans.values()))
    discounts = DiscountsGiven(row["line__customer"] for row in lapsed)
    periods: dict[tuple[int, str], Subscription] = {}
    kinds = {}
    for row in lapsed:
        line = Line(pk=row["line"], customer_id=row["line__customer"], prepaid=True)
        plan_id = plans[line.pk]
        given = discounts.of(line, plan_id, at)
        kind = kinds[line.pk] = plan_id, str(given)
        if kind not in periods:
            periods[kind] = new_period(
                line=line, plan_id=plan_id, offered=offered.of(plan_id, at), start_at=at, discounts=given
            )
    try:
        bills = price_periods([*periods.values()], at=at)
    except DomainError:
        return set()
    costs = {kind: bill.rated.total for kind, bill in zip(periods, bills, strict=True)}
    money = {row["line"]: row["line__wallet__balance_usd"] or Decimal(0) for row in lapsed}
    return {line_id for line_id, kind in kinds.items() if money[line_id] < costs[kind]}


def not_renewed() -> SubscriptionQuerySet:
    """Return the periods of which it was noted, when they ended, that they were not renewed."""
    noted = LineEvent.objects.filter(
        line=OuterRef("line"), step=LineStep.RENEWAL_REFUSED, subscription=OuterRef("pk")
    )
    return Subscription.objects.filter(Exists(noted))
