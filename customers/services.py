"""What may happen to a line's periods."""

import logging
from collections.abc import Iterator
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from customers.cycles import full_period
from customers.models import TERMS, Line, LineStatus, Plan, Subscription
from telcox.common.calendar import local_date
from telcox.common.errors import DomainError

logger = logging.getLogger(__name__)

# Lines renewed in one transaction: enough to be quick, few enough to hold their locks briefly.
RENEWAL_CHUNK = 500


@transaction.atomic
def activate_subscription(*, line: Line, plan: Plan, at: datetime) -> Subscription:
    """Sells `plan` on `line` from `at` on, for the plan's validity.

    Raises DomainError if the line is not in service, its present period still runs, or the plan is not sold
    for it.
    """
    line = Line.objects.select_for_update().get(pk=line.pk)
    if line.status != LineStatus.ACTIVE:
        raise DomainError(_("The line is not in service"), reason="line_not_active")
    if not plan.is_on_sale(local_date(at)):
        raise DomainError(_("The plan is not on sale"), reason="plan_not_on_sale")
    if plan.product_type != line.product_type:
        raise DomainError(_("The plan is not for this kind of line"), reason="plan_of_other_product_type")
    previous = line.subscriptions.order_by("-sequence").first()
    if previous and not previous.is_expired(at):
        raise DomainError(_("The line's present period has not ended"), reason="period_running")
    subscription = _period(
        line=line, plan=plan, sequence=previous.sequence + 1 if previous else 1, start_at=at
    )
    line.subscriptions.filter(is_last=True).update(is_last=None)
    subscription.save(force_insert=True)
    return subscription


def renew_subscriptions(*, at: datetime) -> int:
    """Begins the next period of every auto-renewing line whose period has ended by `at`; returns how many
    it began.

    A line that missed periods gets each of them, so that its periods have no gap. Safe to run twice or in
    several places at once, and to be killed: each chunk is one transaction, under its lines' locks.
    """
    begun = 0
    for line_ids in _lines_to_renew(at):
        while chunk := _renew_once(line_ids, at):
            begun += chunk
    if begun:
        logger.info("%d period(s) begun", begun)
    return begun


def _lines_to_renew(at: datetime) -> Iterator[list[int]]:
    ended = Subscription.objects.renewing().current().ended(at).order_by("line_id")
    last = 0
    while line_ids := list(ended.filter(line_id__gt=last).values_list("line_id", flat=True)[:RENEWAL_CHUNK]):
        yield line_ids
        last = line_ids[-1]


@transaction.atomic
def _renew_once(line_ids: list[int], at: datetime) -> int:
    """One more period for each of these lines that is still due, now that nobody else can touch them."""
    lines = Line.objects.select_for_update().filter(pk__in=line_ids).order_by("pk")
    locked = [line.pk for line in lines]
    due = list(
        Subscription.objects.renewing()
        .current()
        .ended(at)
        .filter(line__in=locked)
        .select_related("line", "plan")
        .order_by("line_id")
    )
    periods = [
        _period(
            line=previous.line,
            plan=previous.plan,
            sequence=previous.sequence + 1,
            start_at=previous.expiration_at,
            renewed_from=previous,
        )
        for previous in due
    ]
    Subscription.objects.filter(pk__in=[previous.pk for previous in due]).update(is_last=None)
    Subscription.objects.bulk_create(periods)
    return len(periods)


def _period(
    *, line: Line, plan: Plan, sequence: int, start_at: datetime, renewed_from: Subscription | None = None
) -> Subscription:
    """A period of `line` on the terms that `plan` has now."""
    cycle_start_at, cycle_end_at = full_period(validity_days=plan.validity_days, at=start_at)
    return Subscription(
        line=line,
        plan=plan,
        plan_name=plan.name,
        prepaid=line.prepaid,
        sequence=sequence,
        start_at=start_at,
        expiration_at=cycle_end_at,
        cycle_start_at=cycle_start_at,
        cycle_end_at=cycle_end_at,
        limit_bytes=plan.data_bytes,
        minutes_limit=plan.voice_minutes,
        sms_limit=plan.sms,
        renewed_from=renewed_from,
        **{field: getattr(plan, field) for field in TERMS},
    )
