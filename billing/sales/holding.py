"""Holding: what a line has now, as it is shown to its customer, the network and the back-office."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from billing.rating import Allowance, RatingInputs, included_allowance, used_allowance
from billing.rating.facts import PricedPeriod, price_periods
from billing.rating.remaining import remaining_allowance, stopped_resources
from billing.rating.used import usage_since
from billing.sales.renewal import period_to_come
from customers.models import Line, PlanChange, SoldPack, Subscription
from telcox.common.database.consistent_read import consistent_read
from telcox.common.errors import NotFound
from usage.vocabulary import Resource


@dataclass(frozen=True)
class Present:
    """A line's last period, which may be over (`expired`), priced as it is billed. `to_come` is what the next
    period is rated from, if that is due and will begin for the time since."""

    bill: PricedPeriod
    packs: list[SoldPack]
    expired: bool
    to_come: RatingInputs | None = None

    @property
    def used(self) -> dict[str, int]:
        """Return the usage. `data_bytes` counts against the allowance, `zero_rated_bytes` does not."""
        terms, used = self.bill.facts.terms, self.bill.facts.used
        counted = used_allowance(terms, used).data_bytes
        total = (
            used.social_bytes
            + used.entertainment_bytes
            + used.system_updates_bytes
            + used.navigation_search_bytes
        )
        return {
            "data_bytes": counted,
            "zero_rated_bytes": total - counted,
            "voice_seconds": used.voice_seconds,
            "sms": used.sms,
        }

    @property
    def included(self) -> Allowance:
        return included_allowance(self.bill.facts.terms, self.bill.facts.span)

    @property
    def carried_in(self) -> Allowance:
        return self.bill.facts.changes.carried_in

    @property
    def left(self) -> Allowance:
        return remaining_allowance(self.bill.facts)

    @property
    def stopped(self) -> list[str]:
        """Return the stopped resources (billing.rating.remaining). Once a prepaid period has expired, that is
        all of them, unless the wallet pays the next one."""
        if self.to_come:
            return stopped_resources(self.to_come)
        if self.expired and self.bill.period.prepaid:
            return list(Resource.values)
        return stopped_resources(self.bill.facts)

    @property
    def spend_limit(self) -> Decimal | None:
        return self.bill.facts.changes.spend_limit


class PendingChange(NamedTuple):
    change: PlanChange
    effective_at: datetime


@dataclass(frozen=True)
class Holding:
    """A line, its last period if it ever had one, and the plan change that is pending for the end of that."""

    line: Line
    present: Present | None
    pending_change: PendingChange | None

    @property
    def stopped(self) -> list[str]:
        return self.present.stopped if self.present else list(Resource.values)


def line_holding(*, phone_number: str, at: datetime) -> Holding:
    """Return what the line has, from one consistent read. The number of queries does not depend on the line's
    history. Raise NotFound if no line has the number."""
    with consistent_read():
        line = Line.objects.filter(phone_number=phone_number).first()
        if line is None:
            raise NotFound("Not Found", reason="unknown_line")
        period = line.subscriptions.current().select_related("plan").first()
        if period is None:
            return Holding(line, None, None)
        [bill] = price_periods([period], at=at)
        packs = period.packs.select_related("pack").order_by("pk")
        expired = period.is_expired(at)
        period.line = line
        to_come = _to_come(period, at) if expired else None
        present = Present(bill, list(packs), expired, to_come)
        change = line.plan_changes.pending().select_related("plan").first()
        pending = PendingChange(change, period.expiration_at) if change else None
        return Holding(line, present, pending)


def _to_come(period: Subscription, at: datetime) -> RatingInputs | None:
    """Return the rating inputs of the next period, with the usage since it was to begin."""
    following = period_to_come(period, at)
    if following is None:
        return None
    return replace(following.facts, used=usage_since(period.pk, following.period.start_at))
