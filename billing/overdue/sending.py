"""A notice of what is overdue on its way out: is it still true, what does it say, and SMS."""

from django.utils.translation import gettext as _

from billing.models import Notice, NoticeKind
from billing.models.invoices import OPEN
from billing.overdue.wording import reminder_text, suspension_text
from customers import sms
from customers.models import Line, LineStatus


def overtaken(notice: Notice) -> str:
    """Why the notice need not be sent any more; empty if it is to be. Of a document nothing is known here."""
    if notice.kind == NoticeKind.DOCUMENT:
        return ""
    if notice.invoice.status not in OPEN:
        return _("Nothing is owed on it any more")
    if notice.kind == NoticeKind.SUSPENSION and not _suspended(notice):
        return _("The line was resumed meanwhile")
    return ""


def text_of(notice: Notice) -> tuple[str, str]:
    """Subject and text of a reminder, or of the word of a suspension."""
    text = reminder_text if notice.kind == NoticeKind.REMINDER else suspension_text
    return text(notice.invoice, notice.days, notice.channel)


def deliver_sms(notice: Notice) -> None:
    """Hands a notice over to the SMS gateway.

    Raises SmsRefused if it can not be delivered at all, because the number is not the customer's any more or
    the gateway will not have it; BadGateway or GatewayTimeout if it may or may not have been sent.
    """
    invoice = notice.invoice
    number = invoice.phone_number
    theirs = Line.objects.filter(phone_number=number, customer=invoice.customer_id)
    if not theirs.exclude(status=LineStatus.TERMINATED).exists():
        raise sms.SmsRefused(_("The number is not the customer's any more"), reason="not_their_number")
    _subject, text = text_of(notice)
    sms.gateway().send(phone_number=number, text=text)


def _suspended(notice: Notice) -> bool:
    subscription = notice.invoice.subscription
    return subscription is not None and subscription.line.status == LineStatus.SUSPENDED
