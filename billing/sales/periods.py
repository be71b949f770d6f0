"""Creating periods, and cutting them short."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from msgspec.structs import replace

from billing.models import Discount, Wallet
from billing.rating import Allowance, RatingInputs, included_allowance
from billing.rating.facts import NOTHING, span_of, terms_of
from customers.cycles import full_period
from customers.models import TERMS, Line, Plan, PlanRevision, Subscription
from telcox.common.calendar import at_wall_clock, local_date, skipped_time, wall_clock
from telcox.common.database.bulk import bulk_insert
from telcox.common.database.prepared import PreparedQuery

ZERO = Decimal(0)
# The total allowance of a period, as it is stored on the subscription.
LIMITS = ("limit_bytes", "minutes_limit", "sms_limit")


class DiscountsGiven:
    """Discounts of some customers and of all plans, to look up those that apply when a period begins."""

    def __init__(self, customer_ids: Iterable[int]) -> None:
        self._discounts = [Discount(**row) for row in _discounts(customers=set(customer_ids))]

    def of(self, customer_id: int | None, plan_id: int, at: datetime) -> list[dict[str, str]]:
        """Return the discounts that apply to this customer (None: those of all customers) and plan on the day
        of `at`, as a subscription stores them."""
        if not self._discounts:
            return []
        day = local_date(at)
        return [
            {"name": each.name, "percent": str(each.percent), "amount": str(each.amount)}
            for each in self._discounts
            if each.plan_id in (None, plan_id)
            and each.customer_id in (None, customer_id)
            and each.valid_from <= day
            and (each.valid_until is None or day <= each.valid_until)
        ]


def spend_limits(lines: Iterable[int]) -> defaultdict[int, Decimal]:
    """Return the spending limits of these lines in dollars, as they are agreed now; 0: none."""
    agreed = {row["line"]: row["balance_limit_usd"] for row in _agreed_limits(lines=set(lines))}
    return defaultdict(Decimal, agreed)


@PreparedQuery
def _agreed_limits(lines: Any) -> QuerySet[Wallet, Any]:
    agreed = Wallet.objects.filter(line__in=lines, balance_limit_usd__gt=0).order_by()
    return agreed.values("line", "balance_limit_usd")


@PreparedQuery
def _discounts(customers: Any) -> QuerySet[Discount, Any]:
    return Discount.objects.for_customers(customers).order_by("pk").values()


def new_period(
    *,
    line: Line,
    plan_id: int,
    offered: Plan | PlanRevision,
    start_at: datetime,
    discounts: list[dict[str, str]],
    spend_limit: Decimal = ZERO,
    after: Subscription | None = None,
) -> Subscription:
    """Return an unsaved period of `line` and of its present holder that begins at `start_at`, sold as
    `offered`. `spend_limit` is what was agreed, in dollars; 0: nothing."""
    cycle_start_at, cycle_end_at = full_period(
        validity_days=offered.validity_days, at=start_at, meant=_meant_start(start_at, after)
    )
    period = Subscription(
        line=line,
        customer_id=line.customer_id,
        plan_id=plan_id,
        plan_name=offered.name,
        prepaid=line.prepaid,
        sequence=after.sequence + 1 if after else 1,
        start_at=start_at,
        expiration_at=cycle_end_at,
        cycle_start_at=cycle_start_at,
        cycle_end_at=cycle_end_at,
        discounts=discounts,
        spend_limit=ZERO if line.prepaid else spend_limit,
        renewed_from=after,
        **{field: getattr(offered, field) for field in TERMS},
    )
    set_limits(period, included_allowance(terms_of(offered, offered.name), span_of(period)))
    return period


def _meant_start(start_at: datetime, after: Subscription | None) -> datetime | None:
    """Return the local time at which a period that begins at `start_at` was meant to begin, if that is
    another time: the period before it ended at a time of day that clocks skipped. Otherwise all later periods
    of the line would begin an hour later than the first."""
    if after is None or start_at != after.cycle_end_at or skipped_time(start_at) is None:
        return None
    begun = _meant_start(after.start_at, after.renewed_from) or wall_clock(after.start_at)
    meant = begun + (local_date(start_at) - begun.date())
    return meant if at_wall_clock(meant) == start_at else None


def carry_over(period: Subscription, carried: Allowance) -> None:
    """Add the rollover of the period before to one that is not saved yet."""
    period.carried_in_bytes = carried.data_bytes
    period.carried_in_minutes = carried.voice_minutes
    period.carried_in_sms = carried.sms
    limits = Allowance(period.limit_bytes, period.minutes_limit, period.sms_limit)
    set_limits(period, limits + carried)


def grow_limits(period: Subscription, more: Allowance) -> None:
    """Add to the allowance of a period that is not saved yet, beside what its plan includes."""
    if more != NOTHING:
        limits = Allowance(period.limit_bytes, period.minutes_limit, period.sms_limit)
        set_limits(period, limits + more)
        period.changes += 1


def cut_period(period: Subscription, facts: RatingInputs, at: datetime) -> RatingInputs:
    """Cut the period at `at`, with a prorated allowance, and save it. Return its new rating inputs."""
    period.expiration_at = at
    period.changes += 1
    facts = replace(facts, span=span_of(period))
    set_limits(period, facts.granted())
    period.save(update_fields=["expiration_at", "changes", *LIMITS])
    return facts


def set_limits(period: Subscription, allowance: Allowance) -> None:
    """Set the total allowance of the period, without saving it."""
    period.limit_bytes = allowance.data_bytes
    period.minutes_limit = allowance.voice_minutes
    period.sms_limit = allowance.sms


def supersede(periods: Sequence[Subscription]) -> None:
    """Let these periods, each its line's last one, make room for the next. The caller has locked the lines.

    It also locks the periods. Usage that is being counted to one is waited for, and more of it waits: do it
    before their usage is read, and before their counters are locked.
    """
    Subscription.objects.filter(pk__in=[period.pk for period in periods]).update(is_last=None)


def append_periods(periods: Sequence[Subscription]) -> None:
    """Save each period as its line's last one. The one before it is superseded."""
    bulk_insert(periods)
    if any(period.pk is None for period in periods):  # MySQL does not return the keys
        lines: dict[Any, Subscription] = {period.line_id: period for period in periods}
        last = Subscription.objects.current().filter(line__in=lines)
        for pk, line_id in last.values_list("pk", "line_id"):
            lines[line_id].pk = pk
