"""What staff decide of bills that were set aside."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from billing.invoicing.closing import bill_periods
from billing.models import Invoice, ParkedBill
from customers.models import Subscription
from telcox.common.database.locking import lock_row
from telcox.common.errors import DomainError


@transaction.atomic
def release_parked(*, parked: ParkedBill, approved: bool, at: datetime, by: str) -> ParkedBill:
    """Lets the period be billed with the next run or day; if it is `approved`, however large its bill is.
    Raises DomainError if somebody has released it."""
    lock_row(Subscription, parked.subscription_id)
    parked = lock_row(ParkedBill, parked.pk)
    if not parked.is_open:
        raise DomainError(_("The bill was already released"), reason="already_released")
    parked.is_open, parked.released_at, parked.released_by, parked.approved = None, at, by, approved
    parked.save(update_fields=["is_open", "released_at", "released_by", "approved"])
    return parked


@transaction.atomic
def bill_parked(*, parked: ParkedBill, approved: bool, at: datetime, by: str) -> Invoice:
    """Releases it and bills it at once. Raises DomainError, and nothing has changed, if it was released or
    billed meanwhile, or cannot be billed now either."""
    parked = release_parked(parked=parked, approved=approved, at=at, by=by)
    period = parked.subscription
    billed = bill_periods(keys=[period.pk], at=at, by=by)
    if billed.parked:
        again = ParkedBill.objects.waiting().get(subscription=period)
        raise DomainError(again.detail, reason="parked_again")
    if not billed.invoices:
        raise DomainError(_("The period already has an invoice"), reason="already_invoiced")
    return Invoice.objects.in_force().get(subscription=period)
