"""Content of a printed document, formatted in its language. It never changes once the document is issued:
later events, such as payments, are not printed."""

from decimal import Decimal
from typing import Any

from billing.models import Invoice, InvoiceKind, InvoiceLine, InvoiceStatus, Issuer
from billing.models.taxes import taxes_by_rate
from billing.printing.access_key import access_key
from billing.printing.writing import format_amount, format_day
from billing.rating.kept import kept_inputs
from billing.rating.values import Used
from customers.models import Language
from telcox.common.calendar import local_date
from telcox.common.characters import without_invisible

GB = 2**30
_KINDS = {InvoiceKind.INVOICE: "01", InvoiceKind.CREDIT_NOTE: "04"}


def printed_page(invoice: Invoice) -> dict[str, Any]:
    """Return the data that billing/printing/document.typ reads."""
    language = Language(invoice.language)
    issuer = invoice.issuer or Issuer.objects.first_entered() or Issuer()
    key, kind_of_key = _key(invoice, issuer)
    is_bill = invoice.kind == InvoiceKind.INVOICE
    return {
        "kind": invoice.kind,
        "language": language,
        "draft": invoice.is_draft,
        "number": invoice.full_number or "",
        "seal": (invoice.content_hash or "")[:16],
        "issuer": {
            "name": without_invisible(issuer.name),
            "tax_id": issuer.tax_id,
            "address": without_invisible(issuer.address),
            "contact": without_invisible(issuer.contact),
        },
        "customer": {
            "name": without_invisible(invoice.customer_name),
            "dni": invoice.customer_dni,
            "identity": invoice.customer_identity_kind or "IDENTITY",
            "address": without_invisible(invoice.customer_address),
            "phone_number": invoice.phone_number,
        },
        "facts": _facts(invoice, language),
        "why": "" if is_bill else without_invisible(_why(invoice)),
        "lines": [_line(line, language) for line in invoice.lines.all()],
        "used": _used(invoice, language) if is_bill else None,
        "totals": {
            "subtotal": format_amount(invoice.subtotal, language),
            "discount": format_amount(invoice.discount, language) if invoice.discount else "",
            "taxable": format_amount(invoice.subtotal - invoice.discount, language),
            "rate": f"{format_amount(invoice.tax_rate * 100, language, 0)} %",
            "tax": format_amount(invoice.tax, language),
            "taxes": _taxes(invoice, language),
            "total": format_amount(invoice.total, language),
        },
        "pay": is_bill and bool(issuer.contact),
        "key": key,
        "kind_of_key": kind_of_key,
        "verification": issuer.verification_url if key else "",
        "leads_to": (issuer.verification_url, key),
        "logo": issuer.logo,
    }


def _taxes(invoice: Invoice, language: Language) -> list[dict[str, str]]:
    """Return what is taxed at each rate, if the document has lines of more than one."""
    taxes = taxes_by_rate(invoice, invoice.lines.all())
    return [
        {
            "rate": f"{format_amount(each.rate * 100, language, 0)} %",
            "taxable": format_amount(each.taxable, language),
            "tax": format_amount(each.tax, language),
        }
        for each in taxes
        if len(taxes) > 1
    ]


def _facts(invoice: Invoice, language: Language) -> list[tuple[str, str]]:
    facts = []
    if invoice.issued_at:
        facts.append(("issued", format_day(local_date(invoice.issued_at), language)))
    if invoice.due_on and invoice.kind == InvoiceKind.INVOICE:
        facts.append(("due", format_day(invoice.due_on, language)))
    facts.append(("period", invoice.period))
    if corrected := invoice.corrects:
        facts.append(("corrects", corrected.full_number or ""))
        if corrected.issued_at:
            facts.append(("corrected", format_day(local_date(corrected.issued_at), language)))
    return facts


def _why(invoice: Invoice) -> str:
    issued = invoice.events.filter(to_status=InvoiceStatus.ISSUED).order_by("pk").first()
    return issued.why if issued else ""


def _line(line: InvoiceLine, language: Language) -> dict[str, str]:
    return {
        "description": without_invisible(line.description),
        "quantity": format_amount(line.quantity, language, 0),
        "unit": line.unit,
        "unit_price": format_amount(line.unit_price, language),
        "discount": format_amount(line.discount, language),
        "amount": format_amount(line.amount, language),
    }


def _used(invoice: Invoice, language: Language) -> dict[str, Any] | None:
    """Return the usage of the period, each category's bar in percent of the longest; or None for a document
    imported from the previous system, which has no record of usage."""
    if invoice.rated_from is None:
        return None
    used: Used = kept_inputs(invoice).used
    data = {
        "SOCIAL": used.social_bytes,
        "ENTERTAINMENT": used.entertainment_bytes,
        "SYSTEM_UPDATES": used.system_updates_bytes,
        "NAVIGATION_SEARCH": used.navigation_search_bytes,
    }
    most = max(data.values()) or 1
    return {
        "data": [
            {
                "category": category,
                "share": round(100 * quantity / most, 1),
                "amount": format_amount(round(Decimal(quantity) / GB, 2), language),
            }
            for category, quantity in data.items()
        ],
        "minutes": format_amount(-(-used.voice_seconds // 60), language, 0),
        "sms": format_amount(used.sms, language, 0),
    }


def _key(invoice: Invoice, issuer: Issuer) -> tuple[str, str]:
    """Return the access key, or the seal if there is no access key; and which of them it is. Empty for a
    draft."""
    if invoice.is_draft or not (invoice.series and invoice.number and invoice.issued_at):
        return "", ""
    seal = invoice.content_hash or ""
    key = access_key(
        day=local_date(invoice.issued_at),
        kind=_KINDS[InvoiceKind(invoice.kind)],
        tax_id=issuer.tax_id,
        series=invoice.series.prefix,
        number=invoice.number,
        seal=seal,
    )
    return (key, "access_key") if key else (seal, "seal")
