"""Admin pages of notices: documents, reminders and suspension notices in the outbox."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from billing.models import Notice, NoticeState
from billing.notices import send_again
from telcox.common.office.admin import CappedPaginator, ReadOnly, Step


@admin.register(Notice)
class NoticeAdmin(ReadOnly):
    list_display = ("invoice", "kind", "days", "channel", "state", "created_at", "sent_at", "problem")
    list_filter = ("state", "kind", "channel")
    list_select_related = ("invoice__series",)
    search_fields = ("invoice__phone_number", "invoice__customer_name", "=invoice__number")
    search_help_text = _("Number, phone number or name")
    paginator = CappedPaginator
    steps = (
        Step(
            name="send_again",
            label=_("Send again"),
            done=_("Will be sent again: %s"),
            permission="billing.change_notice",
            run=lambda notice, at, by: send_again(notice=notice),
            when=lambda notice: notice.state != NoticeState.WAITING,
            confirm=_("Send this notice again? The customer may already have received it."),
        ),
    )
