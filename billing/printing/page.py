"""What is printed on a document, written as its language writes it. Nothing of it changes once the document
is issued: what happens to it later, its payments among it, is not printed."""

from decimal import Decimal
from typing import Any

from billing.models import Invoice, InvoiceKind, InvoiceLine, InvoiceStatus, Issuer
from billing.printing.access_key import access_key
from billing.printing.writing import amount, broken, day
from billing.rating.kept import facts_kept
from billing.rating.values import Used
from customers.models import Language
from telcox.common.calendar import local_date

GB = 2**30
_KINDS = {InvoiceKind.INVOICE: "01", InvoiceKind.CREDIT_NOTE: "04"}


def page_of(invoice: Invoice) -> dict[str, Any]:
    """What billing/printing/document.typ reads."""
    language = Language(invoice.language)
    issuer = invoice.issuer or Issuer.objects.first_entered() or Issuer()
    key, kind_of_key = _key(invoice, issuer)
    is_bill = invoice.kind == InvoiceKind.INVOICE
    return {
        "kind": invoice.kind,
        "language": language,
        "draft": invoice.is_draft,
        "number": broken(invoice.full_number or ""),
        "seal": (invoice.content_hash or "")[:16],
        "issuer": {
            "name": broken(issuer.name),
            "tax_id": broken(issuer.tax_id),
            "address": broken(issuer.address),
            "contact": broken(issuer.contact),
        },
        "customer": {
            "name": broken(invoice.customer_name),
            "dni": broken(invoice.customer_dni),
            "address": broken(invoice.customer_address),
            "phone_number": invoice.phone_number,
        },
        "facts": _facts(invoice, language),
        "why": "" if is_bill else broken(_why(invoice)),
        "lines": [_line(line, language) for line in invoice.lines.all()],
        "used": _used(invoice, language) if is_bill else None,
        "totals": {
            "subtotal": amount(invoice.subtotal, language),
            "discount": amount(invoice.discount, language) if invoice.discount else "",
            "taxable": amount(invoice.subtotal - invoice.discount, language),
            "rate": f"{amount(invoice.tax_rate * 100, language, 0)} %",
            "tax": amount(invoice.tax, language),
            "total": amount(invoice.total, language),
        },
        "pay": is_bill and bool(issuer.contact),
        "key": broken(key),
        "kind_of_key": kind_of_key,
        "verification": broken(issuer.verification_url) if key else "",
        "leads_to": (issuer.verification_url, key),
        "logo": issuer.logo,
    }


def _facts(invoice: Invoice, language: Language) -> list[tuple[str, str]]:
    facts = []
    if invoice.issued_at:
        facts.append(("issued", day(local_date(invoice.issued_at), language)))
    if invoice.due_on and invoice.kind == InvoiceKind.INVOICE:
        facts.append(("due", day(invoice.due_on, language)))
    facts.append(("period", invoice.period))
    if corrected := invoice.corrects:
        facts.append(("corrects", broken(corrected.full_number or "")))
        if corrected.issued_at:
            facts.append(("corrected", day(local_date(corrected.issued_at), language)))
    return facts


def _why(invoice: Invoice) -> str:
    issued = invoice.events.filter(to_status=InvoiceStatus.ISSUED).order_by("pk").first()
    return issued.why if issued else ""


def _line(line: InvoiceLine, language: Language) -> dict[str, str]:
    return {
        "description": broken(line.description),
        "quantity": amount(line.quantity, language, 0),
        "unit": line.unit,
        "unit_price": amount(line.unit_price, language),
        "discount": amount(line.discount, language),
        "amount": amount(line.amount, language),
    }


def _used(invoice: Invoice, language: Language) -> dict[str, Any] | None:
    """What was used of the period, each category's bar in percent of the longest; a document taken over from
    the former system does not know."""
    if invoice.rated_from is None:
        return None
    used: Used = facts_kept(invoice).used
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
                "amount": amount(round(Decimal(quantity) / GB, 2), language),
            }
            for category, quantity in data.items()
        ],
        "minutes": amount(-(-used.voice_seconds // 60), language, 0),
        "sms": amount(used.sms, language, 0),
    }


def _key(invoice: Invoice, issuer: Issuer) -> tuple[str, str]:
    """The access key, or the seal where there is no such key; and which of them it is."""
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
