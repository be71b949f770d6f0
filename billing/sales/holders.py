"""Change of a line's holder (docs/lines.md)."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from billing.models import Wallet
from billing.sales.ending import (
    call_off_change,
    conclude,
    cut_now,
    last_period,
    require_begun,
    running_period,
)
from billing.sales.periods import append_periods, supersede
from billing.sales.prepaid import ZERO
from billing.sales.services import Sale, as_after_the_run, begin_period
from customers.lifecycle import complete_step, lock_for
from customers.models import Customer, HolderChange, Line, LineStep, Subscription
from telcox.common.database.locking import lock_rows
from telcox.common.errors import DomainError, Unprocessable
from usage.replacing import after_now, close_periods, hand_over


@transaction.atomic
def change_holder(
    *, line: Line, customer: Customer, why: str, at: datetime, by: str = "", with_balance: bool = False
) -> Sale:
    """Change the line's holder now (*cambio de titular*): end the present holder's period, as if the line
    ended, and begin one of the same plan for `customer`, on the plan's present terms. Usage of after `at`
    goes to the new period, even if it was counted already.

    The present holder gets the bill of the period until now, and keeps all documents. Nothing is carried
    over: neither rollover nor packs, discounts, a pending plan change or a scheduled end. What is on the
    wallet goes to the new holder only `with_balance`.

    What was due before is done first, as if the day's run had come in time. Raise DomainError if the line is
    not in service, `customer` holds it already, the current period began at this very moment or was billed,
    the wallet is not empty and `with_balance` was not said, or a prepaid line's wallet is short;
    Unprocessable if no reason is given.
    """
    line = as_after_the_run(lock_for(line=line, step=LineStep.CHANGE_HOLDER), at)
    if not why.strip():
        raise Unprocessable(_("Say why the holder changes"), reason="no_reason")
    if customer.pk == line.customer_id:
        raise DomainError(_("This customer already holds the line"), reason="same_holder")
    previous = line.customer
    periods = _hand_to(line, customer, at)
    call_off_change(line)
    line.ends_with_period = False
    complete_step(
        line=line,
        step=LineStep.CHANGE_HOLDER,
        at=at,
        by=by,
        subscription=periods[-1] if periods else None,
        detail=why.strip(),
    )
    bills, charged = conclude(line, periods, at, by)
    HolderChange.objects.create(
        line=line,
        previous=previous,
        customer=customer,
        at=at,
        by=by,
        why=why.strip(),
        balance=_balance_to_hand_over(line, with_balance),
    )
    return Sale(bills, charged)


def _hand_to(line: Line, customer: Customer, at: datetime) -> list[Subscription]:
    """Give the line to the customer. Return the period that ends, if one is running, and the one that begins
    in its place."""
    last = last_period(line)
    if last is None or last.is_expired(at):
        line.customer = customer
        return []
    period = running_period(line, at)
    require_begun(period, at)
    supersede([period])
    meanwhile = close_periods([(period, after_now(at))])
    cut_now(period, at)
    line.customer = customer
    following = begin_period(line, period.plan, at, after=period)
    following.renewed_from = None
    append_periods([following])
    hand_over(meanwhile, {period.pk: following}, at=at)
    return [period, following]


def _balance_to_hand_over(line: Line, with_balance: bool) -> Decimal:
    """Return what is on the line's wallet, in dollars. Raise DomainError if it may not go to the new
    holder."""
    wallet = lock_rows(Wallet.objects.filter(line=line))
    balance = wallet[0].balance_usd if wallet else ZERO
    if balance < 0:
        raise DomainError(
            _("The wallet owes %s dollars: the present holder settles it first") % f"{-balance:.2f}",
            reason="wallet_owes",
        )
    if balance and not with_balance:
        raise DomainError(
            _(
                "There are %s dollars of the present holder on the wallet: pay them out first, or say that "
                "they go to the new holder"
            )
            % f"{balance:.2f}",
            reason="wallet_not_empty",
        )
    return balance
