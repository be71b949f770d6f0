"""Queue a notice to be sent again."""

from django.db import transaction
from django.utils.translation import gettext as _

from billing.models import Notice, NoticeState
from telcox.common.database.locking import lock_row
from telcox.common.errors import DomainError


@transaction.atomic
def send_again(*, notice: Notice) -> Notice:
    """Queue a notice to be sent again: it failed, it is unknown whether it was sent, or it was sent and is
    wanted again. Raise DomainError if it is still waiting."""
    notice = lock_row(Notice, notice.pk)
    if notice.state == NoticeState.WAITING:
        raise DomainError(_("The notice is still waiting to be sent"), reason="notice_waiting")
    notice.state, notice.problem = NoticeState.WAITING, ""
    notice.save(update_fields=["state", "problem"])
    return notice
