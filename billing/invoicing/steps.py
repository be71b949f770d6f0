"""The steps of a document's life: from which status to which, and the events that record them."""

from datetime import datetime

from django.utils.translation import gettext as _

from billing.models import (
    Invoice,
    InvoiceEvent,
    InvoiceStatus,
)
from telcox.common.errors import DomainError


def record_step(invoice: Invoice, before: str, *, at: datetime, by: str = "", why: str = "") -> None:
    """Record that the invoice's status changed from `before` to its present one."""
    status_event(invoice, before, invoice.status, at, by, why).save(force_insert=True)


def update_status(invoice: Invoice, *, at: datetime, by: str = "", why: str = "") -> None:
    """Set a locked invoice's status from its payments and credit notes, and record the step. A void invoice
    goes out of force, so that its period may have another one. Raise DomainError if the step is not
    allowed."""
    before, invoice.status = invoice.status, invoice.standing
    if before != invoice.status and not InvoiceStatus(before).may_become(invoice.status):
        raise refused_transition(before, invoice.status)
    if invoice.status == InvoiceStatus.VOID:
        invoice.in_force = None
    invoice.save(update_fields=["status", "in_force"])
    record_step(invoice, before, at=at, by=by, why=why)


def refused_transition(before: str, after: str) -> DomainError:
    present, status = InvoiceStatus(before), InvoiceStatus(after)
    return DomainError(
        _("An invoice that is “%(present)s” cannot become “%(status)s”")
        % {"present": present.label, "status": status.label},
        reason=f"{present}_not_{status}".lower(),
    )


def status_event(invoice: Invoice, before: str, after: str, at: datetime, by: str, why: str) -> InvoiceEvent:
    return InvoiceEvent(invoice=invoice, from_status=before, to_status=after, at=at, by=by, why=why)
