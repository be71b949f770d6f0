"""Notices that wait again: one that failed, or whose fate is unknown, is sent once more."""

from django.db import transaction
from django.utils.translation import gettext as _

from billing.models import Notice, NoticeState
from telcox.common.database.locking import lock_row
from telcox.common.errors import DomainError


@transaction.atomic
def send_again(*, notice: Notice) -> Notice:
    """Sends a notice once more: one that failed, one of which nobody knows whether it went out, or one that
    went out and is asked for again. Raises DomainError if it is still waiting."""
    notice = lock_row(Notice, notice.pk)
    if notice.state == NoticeState.WAITING:
        raise DomainError(_("The notice is still waiting to be sent"), reason="notice_waiting")
    notice.state, notice.problem = NoticeState.WAITING, ""
    notice.save(update_fields=["state", "problem"])
    return notice
