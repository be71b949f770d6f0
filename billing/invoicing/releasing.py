"""Decisions of staff on quarantined bills."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from billing.invoicing.closing import bill_periods
from billing.models import Invoice, ParkedBill
from billing.sales.renewal import take_steps_due
from customers.models import Subscription
from telcox.common.database.locking import lock_row
from telcox.common.errors import DomainError


@transaction.atomic
def release_parked(*, parked: ParkedBill, approved: bool, at: datetime, by: str) -> ParkedBill:
    """Release a quarantined period, so that the next run or day bills it; if `approved`, even if its amount
    is suspicious, as long as it is the amount that was quarantined. Raise DomainError if it was already
    released, or if the amount to approve is not that of `parked` any more."""
    seen = parked.total
    lock_row(Subscription, parked.subscription_id)
    parked = lock_row(ParkedBill, parked.pk)
    if not parked.is_open:
        raise DomainError(_("The bill was already released"), reason="already_released")
    if approved and parked.total != seen:
        raise DomainError(_another_amount(parked.total, seen), reason="another_amount")
    parked.is_open, parked.released_at, parked.released_by, parked.approved = None, at, by, approved
    parked.save(update_fields=["is_open", "released_at", "released_by", "approved"])
    return parked


def _another_amount(now: Decimal | None, before: Decimal | None) -> str:
    return _("The bill comes to %(now)s now, and came to %(before)s before: check it again") % {
        "now": "—" if now is None else f"{now:.2f}",
        "before": "—" if before is None else f"{before:.2f}",
    }


class ParkedAgain(DomainError):
    """The period still cannot be billed; `parked` says why, as it would be quarantined again."""

    def __init__(self, before: ParkedBill, parked: ParkedBill) -> None:
        detail = parked.detail
        if None not in (before.total, parked.total) and before.total != parked.total:
            detail = _another_amount(parked.total, before.total)
        super().__init__(detail, reason="parked_again")
        self.parked = parked


def bill_parked(*, parked: ParkedBill, approved: bool, at: datetime, by: str) -> Invoice:
    """Release a quarantined period, bill it at once, and return the invoice. `approved`: the amount that it
    was quarantined with is correct.

    Raise DomainError if it was released or billed meanwhile, or still cannot be billed. Nothing changes then,
    except that the quarantined bill has its present amount and reason, so that these can be approved.
    """
    try:
        return _release_and_bill(parked, approved, at, by)
    except ParkedAgain as refusal:
        _update_doubt(parked, refusal.parked)
        raise


@transaction.atomic
def _release_and_bill(parked: ParkedBill, approved: bool, at: datetime, by: str) -> Invoice:
    # Before the period is locked, because it locks the line.
    take_steps_due([parked.subscription_id], at=at)
    released = release_parked(parked=parked, approved=approved, at=at, by=by)
    period = released.subscription
    billed = bill_periods(keys=[period.pk], at=at, by=by)
    if billed.parked:
        raise ParkedAgain(released, ParkedBill.objects.waiting().get(subscription=period))
    if not billed.invoices:
        raise DomainError(_("The period already has an invoice"), reason="already_invoiced")
    return Invoice.objects.in_force().get(subscription=period)


@transaction.atomic
def _update_doubt(parked: ParkedBill, now: ParkedBill) -> None:
    lock_row(Subscription, parked.subscription_id)
    ParkedBill.objects.waiting().filter(pk=parked.pk).update(
        reason=now.reason, detail=now.detail, total=now.total
    )
