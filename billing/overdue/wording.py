"""Texts of reminders and suspension notices, in the language of the customer's documents.

An SMS has 160 characters of the GSM alphabet (3GPP TS 23.038), which has no á, í, ó and ú: the Spanish SMS
use no words with them.
"""

from collections.abc import Mapping
from decimal import Decimal

from django.utils.formats import date_format, number_format
from django.utils.translation import override

from billing.models import Channel, Invoice
from customers.models import Language

_REMINDER_SUBJECT = {
    Language.ES: "Factura {number} pendiente de pago",
    Language.EN: "Invoice {number} is waiting for your payment",
}
_REMINDER_MAIL = {
    Language.ES: (
        "Hola, {name}:\n\n"
        "La factura {number} de la línea {phone_number} venció el {due_on}{since}. "
        "Quedan por pagar $ {owed}.\n\n"
        "Si ya la pagó en estos días, no haga caso de este mensaje.\n"
    ),
    Language.EN: (
        "Dear {name},\n\n"
        "Invoice {number} for {phone_number} was due on {due_on}{since}. "
        "$ {owed} of it is still to be paid.\n\n"
        "If you have paid it in the last few days, please ignore this message.\n"
    ),
}
_REMINDER_SMS = {
    Language.ES: (
        "Factura {number}: quedan por pagar $ {owed}, plazo hasta el {due_on}. "
        "Si ya hizo el pago, ignore este mensaje."
    ),
    Language.EN: "Invoice {number}: $ {owed} was due on {due_on}. If you have paid it, please ignore this.",
}
_SUSPENSION_SUBJECT = {
    Language.ES: "Línea {phone_number} suspendida por falta de pago",
    Language.EN: "Line {phone_number} suspended for non-payment",
}
_SUSPENSION_MAIL = {
    Language.ES: (
        "Hola, {name}:\n\n"
        "Suspendimos la línea {phone_number} porque la factura {number}, que venció el {due_on}{since}, "
        "sigue pendiente: quedan por pagar $ {owed}.\n\n"
        "La línea vuelve a funcionar en cuanto recibamos el pago.\n"
    ),
    Language.EN: (
        "Dear {name},\n\n"
        "We have suspended {phone_number}, because invoice {number}, which was due on {due_on}{since}, is "
        "still open: $ {owed} is to be paid.\n\n"
        "The line will be back in service as soon as we have received the payment.\n"
    ),
}
_SUSPENSION_SMS = {
    Language.ES: "Servicio suspendido: factura {number}, $ {owed} por pagar desde el {due_on}. "
    "Vuelve en cuanto se reciba el pago.",
    Language.EN: "Service suspended: invoice {number}, $ {owed} due since {due_on}. "
    "It will be back once we have received the payment.",
}
_SINCE = {
    Language.ES: {1: ", hace un día", 2: ", hace {days} días"},
    Language.EN: {1: ", a day ago", 2: ", {days} days ago"},
}

Text = Mapping[Language, str]


def reminder_text(invoice: Invoice, days: int, channel: str) -> tuple[str, str]:
    """Return subject (empty for an SMS) and text of the reminder that was made when the invoice was `days`
    days overdue."""
    if channel == Channel.SMS:
        return "", _filled(_REMINDER_SMS, invoice, days)
    return _filled(_REMINDER_SUBJECT, invoice, days), _filled(_REMINDER_MAIL, invoice, days)


def suspension_text(invoice: Invoice, days: int, channel: str) -> tuple[str, str]:
    """Return subject (empty for an SMS) and text of the notice that the invoice's line was suspended."""
    if channel == Channel.SMS:
        return "", _filled(_SUSPENSION_SMS, invoice, days)
    return _filled(_SUSPENSION_SUBJECT, invoice, days), _filled(_SUSPENSION_MAIL, invoice, days)


def _filled(text: Text, invoice: Invoice, days: int) -> str:
    assert invoice.due_on is not None
    language = Language(invoice.language)
    with override(language):
        return text[language].format(
            number=invoice.full_number,
            name=invoice.customer_name,
            phone_number=invoice.phone_number,
            owed=_money(invoice.outstanding),
            due_on=date_format(invoice.due_on, "DATE_FORMAT"),
            since=_SINCE[language][min(days, 2)].format(days=days) if days else "",
        )


def _money(amount: Decimal) -> str:
    return number_format(amount, 2)
