"""Texts of notices, in the language of the document that they are about."""

from typing import NamedTuple

from billing.models import Channel, InvoiceKind, Notice, NoticeKind
from billing.overdue.wording import reminder_text, suspension_text
from billing.printing.writing import format_amount
from customers.models import Language


class NoticeText(NamedTuple):
    """Subject and body of a message. The subject of an SMS is empty."""

    subject: str
    body: str


# With {document} (“factura”), {number}, {period} and {total} of the document, {customer} and {issuer}.
_MAIL = {
    Language.ES: NoticeText(
        "Su {document} {number}",
        "Estimado/a {customer}:\n\n"
        "Adjuntamos su {document} {number}, del período {period}, por USD {total}.\n\n"
        "Saludos cordiales,\n{issuer}\n",
    ),
    Language.EN: NoticeText(
        "Your {document} {number}",
        "Dear {customer},\n\n"
        "Please find attached your {document} {number} for {period}, USD {total}.\n\n"
        "Kind regards,\n{issuer}\n",
    ),
}

_DOCUMENTS = {
    Language.ES: {InvoiceKind.INVOICE: "factura", InvoiceKind.CREDIT_NOTE: "nota de crédito"},
    Language.EN: {InvoiceKind.INVOICE: "invoice", InvoiceKind.CREDIT_NOTE: "credit note"},
}


def notice_text(notice: Notice) -> NoticeText:
    """Return the text of a notice. Raise LookupError for a document by SMS: documents are only e-mailed."""
    if notice.kind != NoticeKind.DOCUMENT:
        return NoticeText(*overdue_text(notice))
    if notice.channel != Channel.MAIL:
        raise LookupError(f"documents cannot be sent by {notice.channel}")
    invoice, language = notice.invoice, Language(notice.invoice.language)
    about = {
        "document": _DOCUMENTS[language][InvoiceKind(invoice.kind)],
        "number": invoice.full_number,
        "period": invoice.period,
        "total": format_amount(invoice.total, language),
        "customer": invoice.customer_name,
        "issuer": invoice.issuer.name if invoice.issuer else "",
    }
    subject, body = _MAIL[language]
    return NoticeText(subject.format(**about), body.format(**about).rstrip() + "\n")


def overdue_text(notice: Notice) -> tuple[str, str]:
    """Return subject and text of a reminder, or of the notice of a suspension."""
    text = reminder_text if notice.kind == NoticeKind.REMINDER else suspension_text
    return text(notice.invoice, notice.days, notice.channel)
