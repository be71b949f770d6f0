"""Who hands notices over: one carrier for each channel."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from smtplib import SMTPRecipientsRefused, SMTPResponseException
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.utils.translation import gettext as _

from billing.models import Channel, Notice, NoticeKind
from billing.notices.wording import notice_text, overdue_text
from billing.printing import document_pdf, file_name
from customers import sms
from customers.models import Line, LineStatus
from customers.sms import SmsRefused

CONSOLE = "django.core.mail.backends.console.EmailBackend"

HandOver = Callable[[], None]
# Makes a notice ready, and returns what is left to do: until then nobody has been told anything.
Prepare = Callable[[Notice], HandOver]


class NoticeRefused(Exception):
    """It was not taken, for certain; why is for staff."""


@contextmanager
def mail_carrier() -> Iterator[Prepare]:
    """By Django's e-mail backend, over one connection. Raises what that raises where the server is away.

    The console is for development: elsewhere it ends in the logs, and no personal data does.
    """
    if settings.EMAIL_BACKEND == CONSOLE and not settings.DEBUG:
        raise ConnectionError("no mail server is set up: set EMAIL_URL")
    connection = get_connection()
    connection.open()
    try:
        yield partial(_mail, connection)
    finally:
        connection.close()


def _mail(connection: Any, notice: Notice) -> HandOver:
    invoice, words = notice.invoice, notice_text(notice)
    address = invoice.customer.email if invoice.customer else ""
    if not address:
        raise NoticeRefused(_("The customer has no e-mail address"))
    message = EmailMessage(words.subject, words.body, to=[address], connection=connection)
    if notice.kind == NoticeKind.DOCUMENT:
        message.attach(file_name(invoice), document_pdf(invoice), "application/pdf")
    message.message()  # what cannot be written raises here
    return partial(_post, message)


def _post(message: EmailMessage) -> None:
    try:
        message.send()
    except (SMTPRecipientsRefused, SMTPResponseException) as refusal:
        raise NoticeRefused(str(refusal)) from refusal


@contextmanager
def sms_carrier() -> Iterator[Prepare]:
    """By the SMS gateway (customers/sms)."""
    yield lambda notice: partial(_text, notice)


def _text(notice: Notice) -> None:
    try:
        deliver_sms(notice)
    except SmsRefused as refusal:
        raise NoticeRefused(refusal.detail) from refusal


CARRIERS: Mapping[Channel, Callable[[], AbstractContextManager[Prepare]]] = {
    Channel.MAIL: mail_carrier,
    Channel.SMS: sms_carrier,
}


def deliver_sms(notice: Notice) -> None:
    """Hands a notice over to the SMS gateway.

    Raises SmsRefused if it can not be delivered at all, because the number is not the customer's any more or
    the gateway will not have it; BadGateway or GatewayTimeout if it may or may not have been sent.
    """
    invoice = notice.invoice
    number = invoice.phone_number
    theirs = Line.objects.filter(phone_number=number, customer=invoice.customer_id)
    if not theirs.exclude(status=LineStatus.TERMINATED).exists():
        raise sms.SmsRefused(_("The number no longer belongs to the customer"), reason="not_their_number")
    _subject, text = overdue_text(notice)
    sms.gateway().send(phone_number=number, text=text)
