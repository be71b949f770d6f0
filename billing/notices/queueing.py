"""What is to be told. A notice is written in the transaction of what it tells, so it is there if that is."""

from collections.abc import Iterable
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from billing.models import Channel, Invoice, Notice, NoticeKind, NoticeState
from telcox.common.bulk import insert
from telcox.common.errors import DomainError


def documents_to_mail(invoices: Iterable[Invoice], *, at: datetime) -> None:
    """That customers get these documents, just issued, by e-mail: those who have an address, if documents are
    mailed at all (MAIL_DOCUMENTS)."""
    if not settings.MAIL_DOCUMENTS:
        return
    insert(
        [
            Notice(invoice=invoice, kind=NoticeKind.DOCUMENT, channel=Channel.MAIL, created_at=at)
            for invoice in invoices
            if invoice.customer and invoice.customer.email
        ]
    )


@transaction.atomic
def send_again(*, notice: Notice) -> Notice:
    """Sends a notice once more: one that failed, one of which nobody knows whether it went out, or one that
    went out and is asked for again. Raises DomainError if it is still waiting."""
    notice = Notice.objects.select_for_update().get(pk=notice.pk)
    if notice.state == NoticeState.WAITING:
        raise DomainError(_("The notice is still waiting to be sent"), reason="notice_waiting")
    notice.state, notice.problem = NoticeState.WAITING, ""
    notice.save(update_fields=["state", "problem"])
    return notice
