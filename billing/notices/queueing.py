"""Queue a notice again that failed, or of which it is unknown whether it was sent."""

from django.db import transaction
from django.utils.translation import gettext as _

from billing.models import Notice, NoticeState
from telcox.common.database.locking import lock_row
from telcox.common.errors import DomainError


@transaction.atomic
def send_again(*, notice: Notice) -> Notice:
    """Queue a notice again: one that failed, one of which it is unknown whether it was sent, or one that was
    sent and is wanted again. Raise DomainError if it is still waiting."""
    notice = lock_row(Notice, notice.pk)
    if notice.state == NoticeState.WAITING:
        raise DomainError(_("The notice is still waiting to be sent"), reason="notice_waiting")
    notice.state, notice.problem = NoticeState.WAITING, ""
    notice.save(update_fields=["state", "problem"])
    return notice
