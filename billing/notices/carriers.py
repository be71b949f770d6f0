"""Carriers, which hand notices over: e-mail and SMS."""

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
# Composes a notice and returns the function that sends it. Before that function is called, nothing was sent.
Prepare = Callable[[Notice], HandOver]


class NoticeRefused(Exception):
    """The notice was certainly not accepted; the message says why, for staff."""


@contextmanager
def mail_carrier() -> Iterator[Prepare]:
    """Send by Django's e-mail backend, over one connection. Raise the backend's error if it cannot connect.

    The console backend is refused with ConnectionError unless DEBUG is on: in production its output would put
    personal data into the logs.
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
    message.message()  # raises here, before anything is sent, if the message cannot be composed
    return partial(_post, message)


def _post(message: EmailMessage) -> None:
    try:
        message.send()
    except (SMTPRecipientsRefused, SMTPResponseException) as refusal:
        raise NoticeRefused(str(refusal)) from refusal


@contextmanager
def sms_carrier() -> Iterator[Prepare]:
    """Send by the SMS gateway (customers/sms)."""
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
    """Send a notice by the SMS gateway.

    Raise SmsRefused if it cannot be delivered, because the number no longer belongs to the customer or the
    gateway refuses it; BadGateway or GatewayTimeout if it is unknown whether it was sent.
    """
    invoice = notice.invoice
    number = invoice.phone_number
    theirs = Line.objects.filter(phone_number=number, customer=invoice.customer_id)
    if not theirs.exclude(status=LineStatus.TERMINATED).exists():
        raise sms.SmsRefused(_("The number no longer belongs to the customer"), reason="not_their_number")
    _subject, text = overdue_text(notice)
    sms.gateway().send(phone_number=number, text=text)
