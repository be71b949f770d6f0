"""Decisions of staff on quarantined bills."""

from datetime import datetime

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
    is suspicious. Raise DomainError if it was already released."""
    lock_row(Subscription, parked.subscription_id)
    parked = lock_row(ParkedBill, parked.pk)
    if not parked.is_open:
        raise DomainError(_("The bill was already released"), reason="already_released")
    parked.is_open, parked.released_at, parked.released_by, parked.approved = None, at, by, approved
    parked.save(update_fields=["is_open", "released_at", "released_by", "approved"])
    return parked


@transaction.atomic
def bill_parked(*, parked: ParkedBill, approved: bool, at: datetime, by: str) -> Invoice:
    """Release a quarantined period, bill it at once, and return the invoice. Raise DomainError, and change
    nothing, if it was released or billed meanwhile, or still cannot be billed."""
    period = parked.subscription
    # Before the period is locked, because it locks the line.
    take_steps_due([period.pk], at=at)
    parked = release_parked(parked=parked, approved=approved, at=at, by=by)
    billed = bill_periods(keys=[period.pk], at=at, by=by)
    if billed.parked:
        again = ParkedBill.objects.waiting().get(subscription=period)
        raise DomainError(again.detail, reason="parked_again")
    if not billed.invoices:
        raise DomainError(_("The period already has an invoice"), reason="already_invoiced")
    return Invoice.objects.in_force().get(subscription=period)
