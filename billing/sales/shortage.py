"""Prepaid lines that were not renewed because their wallet was short, and still is. An operator has many of
them, and every renewal run sees them all."""

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal

from django.db.models import Exists, OuterRef

from billing.models import WalletEntry
from billing.rating.facts import PricedPeriod, price_periods
from billing.sales.periods import DiscountsGiven, new_period
from customers.catalogue import OfferedTerms
from customers.models import Line, LineEvent, LineStep, PlanChange, Subscription
from customers.models.subscriptions import SubscriptionQuerySet
from telcox.common.errors import DomainError


def still_short(line_ids: Collection[int], at: datetime) -> set[int]:
    """Return which of these lines still cannot pay for a period that begins at `at`, their last one having
    ended without renewal, as was noted.

    The price of a period that begins now, with no rollover, depends on its plan and discounts alone. So one
    period of each combination is rated, not one of each line. Nothing is locked: it is as if the lines had
    been tried a moment earlier. Return no lines if no price can be calculated: then each is tried by itself.
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
        given = discounts.of(line.customer_id, plan_id, at)
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


def short_meanwhile(bills: Sequence[PricedPeriod]) -> set[int]:
    """Return the lines whose wallet could not pay at some moment since these prepaid periods were to begin,
    by the entries since then."""
    if not bills:
        return set()
    since = {bill.period.line_id: bill.period.start_at for bill in bills}
    costs = {bill.period.line_id: bill.rated.total for bill in bills}
    entries = WalletEntry.objects.filter(wallet__line__in=since, at__gte=min(since.values())).order_by()
    return {
        line_id
        for line_id, at, amount, after in entries.values_list("wallet__line", "at", "amount", "balance_after")
        if at >= since[line_id] and min(after, after - amount) < costs[line_id]
    }


def not_renewed() -> SubscriptionQuerySet:
    """Return the periods that were noted, at their end, as not renewed."""
    noted = LineEvent.objects.filter(
        line=OuterRef("line"), step=LineStep.RENEWAL_REFUSED, subscription=OuterRef("pk")
    )
    return Subscription.objects.filter(Exists(noted))
