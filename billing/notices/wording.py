"""How notices are said, in the language of the document they are about."""

from typing import NamedTuple

from billing.models import Channel, InvoiceKind, Notice, NoticeKind
from billing.printing.writing import amount, day
from customers.models import Language


class Said(NamedTuple):
    """A text message has no subject."""

    subject: str
    body: str


# With {document} (“factura”), {number}, {period}, {total}, {due} and {days} of the document, {customer} and
# {issuer}. What is not here is said by nobody: such a notice fails.
WORDINGS: dict[tuple[NoticeKind, Channel, Language], Said] = {
    (NoticeKind.DOCUMENT, Channel.MAIL, Language.ES): Said(
        "Su {document} {number}",
        "Estimado/a {customer}:\n\n"
        "Adjuntamos su {document} {number}, del período {period}, por USD {total}.\n\n"
        "Saludos cordiales,\n{issuer}\n",
    ),
    (NoticeKind.DOCUMENT, Channel.MAIL, Language.EN): Said(
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


def said(notice: Notice) -> Said:
    """Raises LookupError if nothing is said of this kind by this channel."""
    invoice, language = notice.invoice, Language(notice.invoice.language)
    subject, body = WORDINGS[NoticeKind(notice.kind), Channel(notice.channel), language]
    about = {
        "document": _DOCUMENTS[language][InvoiceKind(invoice.kind)],
        "number": invoice.full_number,
        "period": invoice.period,
        "total": amount(invoice.total, language),
        "due": day(invoice.due_on, language) if invoice.due_on else "",
        "days": notice.days,
        "customer": invoice.customer_name,
        "issuer": invoice.issuer.name if invoice.issuer else "",
    }
    return Said(subject.format(**about), body.format(**about).rstrip() + "\n")
