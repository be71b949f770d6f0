"""Renewal: periods and lines that begin or end by date."""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import F, QuerySet

from billing.models import Wallet
from billing.rating import Allowance
from billing.rating.facts import NOTHING, PricedPeriod, facts_of, price_periods
from billing.sales.ending import end_due, end_line
from billing.sales.periods import (
    DiscountsGiven,
    append_periods,
    carry_over,
    new_period,
    spend_limits,
    supersede,
)
from billing.sales.prepaid import settle_prepaid
from billing.sales.shortage import not_renewed, short_meanwhile, still_short
from billing.wallets import TopUp, top_up
from customers.catalogue import OfferedTerms
from customers.models import (
    Line,
    LineEvent,
    LineStatus,
    LineStep,
    PlanChange,
    Subscription,
    Suspension,
)
from telcox.common.calendar import whole_second
from telcox.common.database.batches import ALL, Share, in_chunks, in_pieces
from telcox.common.database.bulk import bulk_insert
from telcox.common.database.locking import lock_keys, lock_rows
from telcox.common.database.retrying import retry_lost_locks
from telcox.common.errors import DomainError
from usage import broadcast
from usage.replacing import close_periods, hand_over

logger = logging.getLogger(__name__)


def renew_subscriptions(*, at: datetime) -> int:
    """Begin every period that is due by `at`. Return how many. See `renew_due_lines`."""
    begun = sum(renew_due_lines(at=at))
    if begun:
        logger.info("%d period(s) started", begun)
    return begun


def lines_due(at: datetime) -> QuerySet[Subscription]:
    """Return the ended periods that another one should follow."""
    return Subscription.objects.renewing().current().ended(at)


def renew_due_lines(*, at: datetime, share: Share = ALL) -> Iterator[int]:
    """Begin the next period of every auto-renewing line whose period has ended by `at`. Each step is one
    committed transaction: it yields the number of periods that it began.

    A line that missed periods gets each of them, so that its periods have no gap. Each is sold on the terms
    that its plan has when it begins, or on those of another plan if a change was pending. Usage that was
    counted to the ended period meanwhile goes to the new one (usage/replacing.py).

    A prepaid line whose wallet is short gets none (`RENEWAL_REFUSED`), and has stopped. Once the wallet can
    pay, its next period begins at that moment. Safe to run twice, late, or in several processes at once, and
    to be killed: each chunk is one transaction, under the locks of its lines.
    """
    for due in in_chunks(share.among(lines_due(at)), "line_id"):
        short = still_short(due, at)
        line_ids = [line_id for line_id in due if line_id not in short]
        while line_ids:
            done = [some for some in in_pieces(partial(_renew, at=at), line_ids, "renewed") if some]
            if begun := sum(some.begun for some in done):
                yield begun
            line_ids = [line_id for some in done for line_id in some.again]


def renew_line(*, line: Line, at: datetime) -> int:
    """Begin the line's due periods now, without waiting for the daily run. Return how many."""
    begun = 0
    if not lines_due(at).filter(line=line).exists():
        return begun
    again: Sequence[int] = [line.pk]
    while again:
        done = retry_lost_locks(partial(_renew, again, at))
        begun, again = begun + done.begun, done.again
    return begun


def take_steps_due(keys: Sequence[int], *, at: datetime) -> None:
    """Take the steps that are due at the end of these periods, which are about to be billed: begin
    the next period, or end the line. Usage of after the period is no overage of it then.

    The caller holds the transaction, and no lock that comes after a line's. A step that is refused is logged.
    """
    for due, step, done in (
        (lines_due(at), partial(_renew, at=at), "renewed"),
        (lines_ending(at), partial(_end, at=at), "ended"),
    ):
        lines = due.filter(pk__in=keys).order_by("line_id")
        if line_ids := list(lines.values_list("line_id", flat=True)):
            list(in_pieces(step, line_ids, done))


def top_up_and_renew(*, line: Line, at: datetime, **wanted: Any) -> TopUp:
    """Top up the line's wallet, as `billing.wallets.top_up` does. If the line is prepaid and its next period
    is due, begin it. The top-up stays even if that fails: the daily run tries it again."""
    done = top_up(line=line, at=at, **wanted)
    renew_topped_up(line=line, at=at)
    return done


def renew_topped_up(*, line: Line, at: datetime) -> None:
    """Begin the next period of a line whose wallet was topped up, if it is prepaid and the period is due. If
    that is refused, log it: the daily run tries it again."""
    if line.prepaid:
        try:
            renew_line(line=line, at=at)
        except DomainError as refusal:
            logger.warning("line %d not renewed: %s", line.pk, refusal.reason)


def end_due_lines(*, at: datetime, share: Share = ALL) -> Iterator[int]:
    """Terminate the lines that are to end with their period, as of its end, or as of their suspension if that
    began later. Each step is one committed transaction: it yields the number of lines that it ended."""
    for line_ids in in_chunks(share.among(lines_ending(at)), "line_id"):
        yield sum(done or 0 for done in in_pieces(partial(_end, at=at), line_ids, "ended"))


def lines_ending(at: datetime) -> QuerySet[Subscription]:
    ending = Subscription.objects.current().ended(at).filter(line__ends_with_period=True)
    return ending.exclude(line__status=LineStatus.TERMINATED)


def _lock(line_ids: Sequence[int]) -> dict[int, Line]:
    return {line.pk: line for line in lock_rows(Line.objects.filter(pk__in=line_ids))}


@transaction.atomic
def _end(line_ids: Sequence[int], at: datetime) -> int:
    lines = _lock(line_ids)
    ending = lines_ending(at).filter(line__in=lines).values_list("line_id", "expiration_at")
    suspensions = Suspension.objects.filter(line__in=lines, is_open=True)
    suspended = dict(suspensions.values_list("line_id", "start_at"))
    for line_id, expiration_at in ending:
        end_line(lines[line_id], end_due(expiration_at, suspended.get(line_id)))
    return len(ending)


class Renewed(NamedTuple):
    """Result of a renewal step: how many periods were begun, and the lines to process again. They are still
    behind, or were just noted as not renewed, and a period that begins now may be prorated and cheaper."""

    begun: int = 0
    again: Sequence[int] = ()


@transaction.atomic
def _renew(line_ids: Sequence[int], at: datetime) -> Renewed:
    """Begin one more period of each of these lines that is still due, under their locks."""
    lines = _lock(line_ids)
    due = list(lines_due(at).filter(line__in=lines).order_by("line_id"))
    if not due:
        return Renewed()
    for period in due:
        period.line = lines[period.line_id]
    changes = {change.line_id: change for change in PlanChange.objects.pending().filter(line__in=lines)}
    next_periods, bills = _next_periods_and_bills(due, changes, at)
    short, just_noted = _short(bills, at)
    begun = [period for period in next_periods if period.line_id not in short]
    if not begun:
        return Renewed(again=just_noted)
    ended = [period for period in due if period.line_id not in short]
    supersede(ended)
    meanwhile = close_periods(
        [(before, period.start_at) for before, period in zip(ended, begun, strict=True)]
    )
    carried = _carried(begun, at)
    for period in begun:
        carry_over(period, carried.get(period.renewed_from_id or 0, NOTHING))
    append_periods(begun)
    hand_over(meanwhile, {period.renewed_from_id or 0: period for period in begun}, at=at)
    settle_prepaid([bill for bill in bills if bill.period.line_id not in short], at=at)
    _write_down(begun, changes, at)
    return Renewed(len(begun), [*just_noted, *(p.line_id for p in begun if p.is_expired(at))])


def _next_periods_and_bills(
    due: Sequence[Subscription], changes: Mapping[int, PlanChange], at: datetime
) -> tuple[list[Subscription], list[PricedPeriod]]:
    """Return the period that follows each of these, without what is carried over to it; and the prices of
    those that are prepaid."""
    stopped = _lapsed(due)
    next_periods = _next_periods(due, changes, at, stopped)
    bills = _priced(next_periods, at)
    if short := short_meanwhile(bills):
        stopped |= {period.pk for period in due if period.line_id in short}
        next_periods = _next_periods(due, changes, at, stopped)
        bills = _priced(next_periods, at)
    return next_periods, bills


def _priced(periods: Sequence[Subscription], at: datetime) -> list[PricedPeriod]:
    return price_periods([period for period in periods if period.prepaid], at=at)


def _next_periods(
    due: Sequence[Subscription], changes: Mapping[int, PlanChange], at: datetime, stopped: Collection[int]
) -> list[Subscription]:
    plans = {
        period.line_id: changes[period.line_id].plan_id if period.line_id in changes else period.plan_id
        for period in due
    }
    offered = OfferedTerms(set(plans.values()))
    discounts = DiscountsGiven(period.line.customer_id for period in due)
    limits = spend_limits(period.line_id for period in due if not period.line.prepaid)
    periods = []
    for period in due:
        plan_id = plans[period.line_id]
        start_at = _start(period, period.pk in stopped, at)
        periods.append(
            new_period(
                line=period.line,
                plan_id=plan_id,
                offered=offered.of(plan_id, start_at),
                start_at=start_at,
                discounts=discounts.of(period.line.customer_id, plan_id, start_at),
                spend_limit=limits[period.line_id],
                after=period,
            )
        )
    return periods


def _start(period: Subscription, stopped: bool, at: datetime) -> datetime:
    """Return when the next period begins: where the last one ended. A prepaid line does not pay for a time
    without service: it begins when the line was resumed, or now if it has `stopped` for want of money."""
    if not period.line.prepaid:
        return period.expiration_at
    served_from = max(period.expiration_at, period.line.resumed_at or period.expiration_at)
    return max(served_from, whole_second(at)) if stopped else served_from


def period_to_come(period: Subscription, at: datetime) -> PricedPeriod | None:
    """Return the next period of a line whose last one is over, as the run will begin it for the time since:
    the line goes on. Return None if it is not due, or if the wallet is or was short: then a prepaid line has
    stopped."""
    if not lines_due(at).filter(pk=period.pk).exists() or _lapsed([period]):
        return None
    changes = {change.line_id: change for change in PlanChange.objects.pending().filter(line=period.line_id)}
    bills = price_periods(_next_periods([period], changes, at, ()), at=at)
    if period.line.prepaid:
        balance = Wallet.objects.filter(line=period.line_id).values_list("balance_usd", flat=True).first()
        if balance is None or balance < bills[0].rated.total or short_meanwhile(bills):
            return None
    return bills[0]


def _carried(begun: Sequence[Subscription], at: datetime) -> dict[int, Allowance]:
    """Return what is carried over to these periods from those before them, by the key of the latter. Nothing
    goes over a gap."""
    ended = [period.renewed_from for period in begun if period.renewed_from]
    rolling = [
        before
        for before, period in zip(ended, begun, strict=True)
        if before.rollover_share and before.expiration_at == period.start_at
    ]
    if not rolling:
        return {}
    return {
        period.pk: facts.carried_over(cut=False)
        for period, facts in zip(rolling, facts_of(rolling, at=at), strict=True)
    }


def _lapsed(due: Sequence[Subscription]) -> set[int]:
    """Return the prepaid periods that were not renewed when they ended."""
    prepaid = [period.pk for period in due if period.line.prepaid]
    return set(not_renewed().filter(pk__in=prepaid).values_list("pk", flat=True))


def _short(bills: Sequence[PricedPeriod], at: datetime) -> tuple[set[int], list[int]]:
    """Return the lines whose wallet cannot pay, and those for which this was noted just now; it is noted once
    for each period that ended. Lock the wallets until the transaction ends."""
    if not bills:
        return set(), []
    # A concurrent billing of the ended period may be about to refund something to its wallet.
    lock_keys(Subscription.objects.filter(pk__in=[bill.period.renewed_from_id for bill in bills]))
    wallets = lock_rows(Wallet.objects.filter(line__in=[bill.period.line_id for bill in bills]))
    money = {wallet.line_id: wallet.balance_usd for wallet in wallets}
    short = [bill.period for bill in bills if bill.rated.total > money.get(bill.period.line_id, 0)]
    ended = [period.renewed_from for period in short if period.renewed_from]
    noted = _lapsed(ended)
    to_note = [period for period in ended if period.pk not in noted]
    LineEvent.objects.bulk_create(
        LineEvent(
            line_id=period.line_id,
            step=LineStep.RENEWAL_REFUSED,
            at=at,
            subscription=period,
            detail=period.plan_name,
        )
        for period in to_note
    )
    return {period.line_id for period in short}, [period.line_id for period in to_note]


def _write_down(begun: Sequence[Subscription], changes: Mapping[int, PlanChange], at: datetime) -> None:
    """Write the lines' history, and notify the live feed."""
    done = [changes[period.line_id].pk for period in begun if period.line_id in changes]
    if done:
        PlanChange.objects.filter(pk__in=done).update(is_pending=None, done_at=at)
    Line.objects.filter(pk__in=[period.line_id for period in begun]).update(version=F("version") + 1)
    bulk_insert(
        [
            LineEvent(
                line_id=period.line_id,
                step=LineStep.RENEW,
                at=period.start_at,
                subscription_id=period.pk,
                detail=period.plan_name,
            )
            for period in begun
        ]
    )
    phone_numbers = {period.line.phone_number for period in begun}
    transaction.on_commit(lambda: broadcast.publish(phone_numbers))
