"""Sales services: what can be sold on a line or ended. Each is one transaction under the line's lock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from billing.models import Wallet
from billing.rating import Allowance
from billing.rating.facts import NOTHING, PricedPeriod, facts_of, price_periods
from billing.sales.ending import (
    call_off_change,
    conclude,
    cut_now,
    end_due,
    end_line,
    last_period,
    require_begun,
    running_period,
)
from billing.sales.periods import (
    LIMITS,
    DiscountsGiven,
    append_periods,
    carry_over,
    grow_limits,
    new_period,
    spend_limits,
    supersede,
)
from billing.sales.prepaid import ZERO
from billing.sales.renewal import renew_line
from customers.catalogue import OfferedTerms
from customers.lifecycle import complete_step, lock_for, lock_line, require_allowed
from customers.models import Line, LineStep, Pack, Plan, PlanChange, SoldPack, Subscription
from telcox.common.calendar import local_date, whole_second
from telcox.common.errors import DomainError
from usage import broadcast
from usage.models import RejectedUsage
from usage.replacing import after_now, close_periods, hand_over
from usage.services import redrive_usage

# In the language of the customer's documents, like the names of packs.
LEFT_OF_PACKS = "Saldo de paquetes"


@dataclass(frozen=True)
class Sale:
    """Result of a sale: the periods affected with their price as it is now, the earlier first; and the amount
    that the wallet paid for it just now, in dollars, negative if it was refunded."""

    bills: Sequence[PricedPeriod]
    charged: Decimal = ZERO
    change: PlanChange | None = None
    pack: SoldPack | None = None
    repeated: bool = False


@transaction.atomic
def activate_subscription(*, line: Line, plan: Plan, at: datetime, by: str = "") -> Subscription:
    """Sell `plan` on `line` from the second of `at` on, for the plan's validity. A prepaid line pays from its
    wallet.

    Raise DomainError if the line is not in service, its current period has not ended, the plan is not sold
    for it, or its wallet is short.
    """
    line = lock_for(line=line, step=LineStep.ACTIVATE)
    _require_sold(plan, line, at)
    previous = last_period(line)
    if previous and not previous.is_expired(at):
        raise DomainError(_("The line's current period has not ended"), reason="period_running")
    start_at = max(whole_second(at), previous.expiration_at) if previous else whole_second(at)
    period = begin_period(line, plan, start_at, after=previous)
    period.renewed_from = None
    ended = [previous] if previous else []
    supersede(ended)
    meanwhile = close_periods([(each, start_at) for each in ended])
    append_periods([period])
    if previous:
        hand_over(meanwhile, {previous.pk: period}, at=at)
    call_off_change(line)
    complete_step(
        line=line, step=LineStep.ACTIVATE, at=at, by=by, subscription=period, detail=period.plan_name
    )
    conclude(line, [period], at, by)
    # Usage since then may have been reported before the sale was entered, and rejected.
    early = RejectedUsage.objects.filter(phone_number=line.phone_number, occurred_at__gte=start_at)
    transaction.on_commit(lambda: redrive_usage(rejected=early, at=at), robust=True)
    return period


@transaction.atomic
def change_plan(*, line: Line, plan: Plan, at: datetime, by: str = "") -> Sale:
    """Change the plan now: end the line's current period, and begin one of `plan`. Usage of after `at` goes
    to the new period, even if it was counted already.

    The old period costs its days, or what was used up (docs/rating.md). The day of the change belongs
    to the new plan. The old plan's rollover share of its allowance goes to the new period, and all that is
    left of packs. A pending change at the period's end is cancelled.

    Raise DomainError if the line has no current period, it began at this very moment or was billed already,
    the line already has this plan, the plan is not sold for it, or a prepaid line's wallet is short.
    """
    line = lock_for(line=line, step=LineStep.CHANGE_PLAN)
    period = running_period(line, at)
    require_begun(period, at)
    _require_other_plan(plan, period, line, at)
    call_off_change(line)
    supersede([period])
    meanwhile = close_periods([(period, after_now(at))])
    facts = cut_now(period, at)
    with_packs, carried = facts.carried_over(cut=True), facts.carried_over(cut=False)
    following = begin_period(line, plan, at, after=period, carried=carried)
    left_of_packs = with_packs - carried
    grow_limits(following, left_of_packs)
    append_periods([following])
    _carry_packs_on(period, following, left_of_packs, at)
    hand_over(meanwhile, {period.pk: following}, at=at)
    change = PlanChange.objects.create(line=line, plan=plan, asked_at=at, done_at=at, is_pending=None)
    complete_step(
        line=line, step=LineStep.CHANGE_PLAN, at=at, by=by, subscription=following, detail=following.plan_name
    )
    bills, charged = conclude(line, [period, following], at, by)
    return Sale(bills, charged, change=change)


@transaction.atomic
def schedule_plan_change(*, line: Line, plan: Plan, at: datetime, by: str = "") -> Sale:
    """Schedule a plan change: the line's next period will be one of `plan`. It replaces a change that is
    pending.

    The period gets the terms that the plan has when it begins. The price returned is a forecast as of now.
    Raise DomainError as `change_plan` does, or if the line has no automatic next period.
    """
    line = lock_for(line=line, step=LineStep.SCHEDULE_CHANGE)
    period = running_period(line, at)
    _require_other_plan(plan, period, line, at)
    _require_next_period(line)
    call_off_change(line)
    change = PlanChange.objects.create(line=line, plan=plan, asked_at=at, at_period_end=True)
    complete_step(line=line, step=LineStep.SCHEDULE_CHANGE, at=at, by=by, detail=plan.name)
    [facts] = facts_of([period], at=at)
    carried = facts.carried_over(cut=False)
    following = begin_period(line, plan, period.expiration_at, after=period, carried=carried)
    return Sale(price_periods([period, following], at=at), change=change)


@transaction.atomic
def cancel_plan_change(*, line: Line, at: datetime, by: str = "") -> Line:
    """Cancel the change that is pending for the period's end. Raise DomainError if there is none."""
    line = lock_for(line=line, step=LineStep.CANCEL_CHANGE)
    if not call_off_change(line):
        raise DomainError(_("No plan change is pending"), reason="no_pending_change")
    complete_step(line=line, step=LineStep.CANCEL_CHANGE, at=at, by=by)
    return line


@transaction.atomic
def buy_pack(*, line: Line, pack: Pack, reference: str, at: datetime, by: str = "") -> Sale:
    """Sell a pack, which lasts until the end of the line's current period. A prepaid line pays it from its
    wallet; other lines pay it with their bill.

    Idempotent: a `reference` that was used for the same pack and line buys nothing again (`repeated`). Raise
    DomainError if the reference was used for something else, the line is not in service, it has no current
    period or that was billed already, the pack is not sold for the line, the wallet is short, or the pack
    would exceed the spending limit.
    """
    line = lock_line(line)
    if bought := _bought_before(line, pack, reference):
        return Sale(price_periods([bought.subscription], at=at), pack=bought, repeated=True)
    require_allowed(line, LineStep.BUY_PACK)
    _require_sold(pack, line, at)
    period = running_period(line, at)
    _require_within_spend_limit(period, pack, at)
    try:
        with transaction.atomic():
            sold = SoldPack.objects.create(
                subscription=period,
                pack=pack,
                name=pack.name,
                price=pack.price,
                data_bytes=pack.data_bytes,
                voice_minutes=pack.voice_minutes,
                sms=pack.sms,
                bought_at=at,
                reference=reference,
            )
    except IntegrityError as error:  # another line has used it at the same time
        raise _reference_used() from error
    _add_to_limits(period, Allowance(pack.data_bytes, pack.voice_minutes, pack.sms))
    complete_step(line=line, step=LineStep.BUY_PACK, at=at, by=by, subscription=period, detail=pack.name)
    bills, charged = conclude(line, [period], at, by)
    return Sale(bills, charged, pack=sold)


@transaction.atomic
def terminate_line(*, line: Line, at: datetime, by: str = "") -> Line:
    """Terminate the line for good, and end its period, which is charged for its days.

    What was due before is done first, as if the day's run had come in time. Raise DomainError if the line is
    terminated already, or its period began at this very moment or was billed.
    """
    line = as_after_the_run(lock_for(line=line, step=LineStep.TERMINATE), at)
    period = last_period(line)
    if line.ends_with_period and period and period.is_expired(at):
        suspended_at = line.suspensions.filter(is_open=True).values_list("start_at", flat=True).first()
        end_line(line, end_due(period.expiration_at, suspended_at), by)
    else:
        end_line(line, at, by, use_until=after_now(at))
    return line


@transaction.atomic
def schedule_end(*, line: Line, at: datetime, by: str = "") -> Line:
    """Schedule the line's end with its current period. Raise DomainError if it has none."""
    line = as_after_the_run(lock_for(line=line, step=LineStep.SCHEDULE_END), at)
    running_period(line, at)
    line.ends_with_period = True
    complete_step(line=line, step=LineStep.SCHEDULE_END, at=at, by=by)
    return line


@transaction.atomic
def cancel_end(*, line: Line, at: datetime, by: str = "") -> Line:
    """Cancel the line's scheduled end. Raise DomainError if none is scheduled."""
    line = lock_for(line=line, step=LineStep.CANCEL_END)
    if not line.ends_with_period:
        raise DomainError(_("No end of the line is scheduled"), reason="no_planned_end")
    line.ends_with_period = False
    complete_step(line=line, step=LineStep.CANCEL_END, at=at, by=by)
    return line


@transaction.atomic
def agree_spend_limit(*, line: Line, limit: Decimal, at: datetime) -> None:
    """Set the line's spending limit in dollars (0: none), for its running period and the next ones. Periods
    that have ended keep the limit that they had."""
    line = lock_line(line)
    running = Subscription.objects.current().to_bill().filter(line=line, prepaid=False, expiration_at__gt=at)
    running.update(spend_limit=limit)
    Wallet.objects.filter(line=line).update(balance_limit_usd=limit)
    transaction.on_commit(lambda: broadcast.publish({line.phone_number}))


def _require_sold(offer: Plan | Pack, line: Line, at: datetime) -> None:
    plan = isinstance(offer, Plan)
    if not offer.is_on_sale(local_date(at)):
        detail = _("The plan is not on sale") if plan else _("The pack is not on sale")
        raise DomainError(detail, reason="plan_not_on_sale" if plan else "pack_not_on_sale")
    if offer.product_type != line.product_type:
        detail = (
            _("The plan is not for this kind of line") if plan else _("The pack is not for this kind of line")
        )
        raise DomainError(
            detail, reason="plan_of_other_product_type" if plan else "pack_of_other_product_type"
        )


def _require_other_plan(plan: Plan, period: Subscription, line: Line, at: datetime) -> None:
    if plan.pk == period.plan_id:
        raise DomainError(_("The line already has this plan"), reason="same_plan")
    _require_sold(plan, line, at)


def _require_next_period(line: Line) -> None:
    if line.ends_with_period or not line.auto_renew:
        raise DomainError(
            _("The line has no next period: it ends with this one, or does not renew automatically"),
            reason="no_next_period",
        )


def _require_within_spend_limit(period: Subscription, pack: Pack, at: datetime) -> None:
    [facts] = facts_of([period], at=at)
    limit = facts.changes.spend_limit
    if limit is None or facts.terms.overage_beyond_spend_limit:
        return
    spent = sum((bought.price for bought in facts.changes.packs), Decimal(0))
    if spent + pack.price > limit:
        raise DomainError(_("The pack would exceed the line's spending limit"), reason="spend_limit")


def _bought_before(line: Line, pack: Pack, reference: str) -> SoldPack | None:
    bought = SoldPack.objects.filter(reference=reference).select_related("subscription__line").first()
    if bought and (bought.subscription.line_id != line.pk or bought.pack_id != pack.pk):
        raise _reference_used()
    return bought


def _reference_used() -> DomainError:
    return DomainError(
        _("The reference was already used for another purchase: choose a different one"),
        reason="reference_used",
    )


def begin_period(
    line: Line, plan: Plan, at: datetime, *, after: Subscription | None, carried: Allowance = NOTHING
) -> Subscription:
    """Return an unsaved period of the plan, on its present terms, that begins at `at`."""
    period = new_period(
        line=line,
        plan_id=plan.pk,
        offered=OfferedTerms([plan.pk]).of(plan.pk, at),
        start_at=at,
        discounts=DiscountsGiven([line.customer_id]).of(line.customer_id, plan.pk, at),
        spend_limit=spend_limits([line.pk])[line.pk],
        after=after,
    )
    carry_over(period, carried)
    return period


def _carry_packs_on(period: Subscription, following: Subscription, rest: Allowance, at: datetime) -> None:
    """Give the next period a pack with what is left of this period's packs, at no price. If it was added to
    the plan's rollover instead, the next change would treat it as the plan's own allowance."""
    if rest == NOTHING:
        return
    SoldPack.objects.create(
        subscription=following,
        carried_from=period,
        name=LEFT_OF_PACKS,
        price=0,
        data_bytes=rest.data_bytes,
        voice_minutes=rest.voice_minutes,
        sms=rest.sms,
        bought_at=at,
        reference=f"left of period {period.pk}",  # spaces: as in prepaid.py, no client can use it
    )


def _add_to_limits(period: Subscription, more: Allowance) -> None:
    Subscription.objects.filter(pk=period.pk).update(
        limit_bytes=F("limit_bytes") + more.data_bytes,
        minutes_limit=F("minutes_limit") + more.voice_minutes,
        sms_limit=F("sms_limit") + more.sms,
        changes=F("changes") + 1,
    )
    period.refresh_from_db(fields=[*LIMITS, "changes"])


def as_after_the_run(line: Line, at: datetime) -> Line:
    """Return the line, which is locked, after the next period of a post-paid line has begun, if that is due.
    A prepaid line does not pay for a period that ends at once."""
    return lock_line(line) if not line.prepaid and renew_line(line=line, at=at) else line
