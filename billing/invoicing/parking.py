"""Quarantine: find the bills that staff have to check first. All others are billed."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import NamedTuple, TypeVar

from django.conf import settings
from django.db import Error
from django.utils.translation import gettext as _

from billing.models import BillingRun, ParkedBill, ParkReason
from billing.rating.facts import PricedPeriod, price_periods
from customers.models import Subscription
from telcox.common.errors import DomainError
from telcox.common.logs import mask_numbers
from telcox.common.money import MONEY_MAX

logger = logging.getLogger(__name__)

# Characters that the column `detail` holds.
DETAIL_MAX = 250

Item = TypeVar("Item")
Result = TypeVar("Result")


class Doubt(NamedTuple):
    """Reason to quarantine a period. `total` is the total of its bill, or None if it cannot be calculated or
    stored."""

    period: Subscription
    reason: ParkReason
    detail: str
    total: Decimal | None = None


class Assessed(NamedTuple):
    bills: list[PricedPeriod]
    doubts: list[Doubt]


def assess_bills(periods: Sequence[Subscription], *, at: datetime) -> Assessed:
    """Return the bills of these periods, and separately the doubts: bills over BILLING_SUSPICIOUS_USD whose
    amount was not approved, and periods that cannot be calculated.

    An approval is for the amount that was approved: another amount of the same period is checked again.
    """
    found, failed = split_out_failures(partial(price_periods, at=at), periods)
    doubts = [doubt_from_error(period, problem) for period, problem in failed]
    limit = Decimal(settings.BILLING_SUSPICIOUS_USD) or MONEY_MAX
    large = {(bill.period.pk, bill.rated.total) for bill in found if bill.rated.total > limit}
    if not large:
        return Assessed(found, doubts)
    approved = ParkedBill.objects.filter(subscription__in={pk for pk, _total in large}, approved=True)
    suspicious = large - set(approved.values_list("subscription_id", "total"))
    bills = []
    for bill in found:
        # An amount too large for the column is not billed, even if it is approved.
        if (bill.period.pk, bill.rated.total) in suspicious or bill.rated.total > MONEY_MAX:
            doubts.append(_suspicious(bill, limit))
        else:
            bills.append(bill)
    return Assessed(bills, doubts)


def split_out_failures(
    work: Callable[[Sequence[Item]], list[Result]], items: Sequence[Item]
) -> tuple[list[Result], list[tuple[Item, Exception]]]:
    """Return the results of `work` for these items, and the items that it fails for, found by halving, each
    with its exception.

    Raise database errors: they say nothing about the items.
    """
    try:
        return work(items), []
    except Error:
        raise
    except Exception as problem:
        if len(items) == 1:
            return [], [(items[0], problem)]
    half = len(items) // 2
    first, failed_first = split_out_failures(work, items[:half])
    second, failed_second = split_out_failures(work, items[half:])
    return first + second, failed_first + failed_second


def doubt_from_error(period: Subscription, problem: Exception) -> Doubt:
    if isinstance(problem, DomainError):
        logger.warning("period %d not billed: %s", period.pk, problem.reason)
        return Doubt(period, ParkReason.BROKEN, problem.detail)
    logger.error("period %d not billed", period.pk, exc_info=problem)
    return Doubt(period, ParkReason.BROKEN, mask_numbers(f"{type(problem).__name__}: {problem}"))


def _suspicious(bill: PricedPeriod, limit: Decimal) -> Doubt:
    detail = _("More than %(limit)s dollars") % {"limit": limit}
    total = bill.rated.total if bill.rated.total <= MONEY_MAX else None
    return Doubt(bill.period, ParkReason.SUSPICIOUS, detail, total)


def park_bills(doubts: Sequence[Doubt], *, at: datetime, run: BillingRun | None) -> None:
    """Quarantine these periods, which are locked and not quarantined yet."""
    ParkedBill.objects.bulk_create(
        ParkedBill(
            subscription=doubt.period,
            run=run,
            reason=doubt.reason,
            detail=doubt.detail[:DETAIL_MAX],
            total=doubt.total,
            parked_at=at,
        )
        for doubt in doubts
    )
