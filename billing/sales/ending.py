"""A line's running period, and the end of both: the parts that all sales share."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from billing.rating import RatingInputs
from billing.rating.facts import PricedPeriod, facts_of, price_periods
from billing.sales.periods import cut_period
from billing.sales.prepaid import settle_prepaid
from customers.lifecycle import complete_step
from customers.models import Line, LineStep, Subscription
from customers.services import end_suspension
from telcox.common.calendar import whole_second
from telcox.common.database.locking import lock_keys
from telcox.common.errors import DomainError
from usage import broadcast
from usage.replacing import close_periods, turn_away
from usage.vocabulary import RejectionReason


def end_line(line: Line, at: datetime, by: str = "", *, use_until: datetime | None = None) -> None:
    """Terminate the line as of `at`. The caller has locked it. Usage from then on, or from `use_until` on, is
    rejected even if it was counted already."""
    period = last_period(line)
    runs = period is not None and not period.is_expired(at)
    if runs:
        period = running_period(line, at)
        require_begun(period, at)
    if period:
        lock_keys(Subscription.objects.filter(pk=period.pk))
        meanwhile = close_periods([(period, use_until or at)])
        turn_away(meanwhile, phone_number=line.phone_number, reason=RejectionReason.LINE_TERMINATED)
    if period and runs:
        cut_now(period, at)
    else:
        period = None
    call_off_change(line)
    end_suspension(line, at)
    line.terminated_at, line.ends_with_period = at, False
    complete_step(line=line, step=LineStep.TERMINATE, at=at, by=by, subscription=period)
    conclude(line, [period] if period else [], at, by)


def end_due(expiration_at: datetime, suspended_at: datetime | None) -> datetime:
    """Return when a line that ends with its period ends: with the period, or with the beginning of its open
    suspension if that is later."""
    return max(expiration_at, suspended_at or expiration_at)


def last_period(line: Line) -> Subscription | None:
    """Return the line's last period, which may be over."""
    return line.subscriptions.current().order_by().first()


def running_period(line: Line, at: datetime) -> Subscription:
    """Return the line's current period. Raise DomainError if none is running or it was billed already."""
    period = last_period(line)
    if period is None or not period.start_at <= at < period.expiration_at:
        raise DomainError(
            _("The line has no period in progress: sell it a plan first"), reason="no_running_period"
        )
    if not period.unbilled:
        raise DomainError(_("The line's period was already billed"), reason="already_invoiced")
    period.line = line
    return period


def require_begun(period: Subscription, at: datetime) -> None:
    """Raise DomainError if the period began at this very moment: cut now, it would have no time at all."""
    if period.start_at in (at, whole_second(at)):
        raise DomainError(
            _("The line's period has only just started: try again in a minute"), reason="period_just_begun"
        )


def call_off_change(line: Line) -> int:
    """Cancel the line's pending plan change, if there is one. Return how many there were."""
    return line.plan_changes.pending().update(is_pending=None)


def cut_now(period: Subscription, at: datetime) -> RatingInputs:
    """Cut the period at `at`, with its share of the allowance. Return its rating inputs."""
    [facts] = facts_of([period], at=at)
    return cut_period(period, facts, at)


def conclude(
    line: Line, periods: Sequence[Subscription], at: datetime, by: str
) -> tuple[list[PricedPeriod], Decimal]:
    """Settle prepaid periods, and notify the live feed after the commit. Return the price of each period now,
    and the amount paid by the wallet, in dollars."""
    bills = price_periods(periods, at=at)
    charged = settle_prepaid(bills, at=at, by=by)
    transaction.on_commit(lambda: broadcast.publish({line.phone_number}))
    return bills, charged
