"""What is printed on a document, written as its language writes it. Nothing of it changes once the document
is issued: what happens to it later, its payments among it, is not printed."""

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from billing.documents import facts_kept
from billing.models import Invoice, InvoiceKind, InvoiceLine, InvoiceStatus, Issuer
from billing.printing.access_key import access_key
from billing.ratable import Used
from customers.models import Language
from telcox.common.calendar import local_date

GB = 2**30
_KINDS = {InvoiceKind.INVOICE: "01", InvoiceKind.CREDIT_NOTE: "04"}

# A document is either shown to people of Ecuador (1.234,56 and 24/11/2026) or to others (1,234.56 and
# 24 Nov 2026).
_SPANISH = str.maketrans(",.", ".,")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# What is as long as this has to be broken somewhere, if it has no blanks.
_LONG = re.compile(r"\S{20,}")
_LETTERS = re.compile(r"\S[\u0300-\u036f\u200d\ufe0f]*")
_MAY_BREAK = "\u200b"


def page_of(invoice: Invoice) -> dict[str, Any]:
    """What billing/printing/document.typ reads."""
    language = Language(invoice.language)
    number = _numbers(language)
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
        "lines": [_line(line, number) for line in invoice.lines.all()],
        "used": _used(invoice, number) if is_bill else None,
        "totals": {
            "subtotal": number(invoice.subtotal, 2),
            "discount": number(invoice.discount, 2) if invoice.discount else "",
            "taxable": number(invoice.subtotal - invoice.discount, 2),
            "rate": f"{number(invoice.tax_rate * 100, 0)} %",
            "tax": number(invoice.tax, 2),
            "total": number(invoice.total, 2),
        },
        "pay": is_bill and bool(issuer.contact),
        "key": broken(key),
        "kind_of_key": kind_of_key,
        "verification": broken(issuer.verification_url) if key else "",
        "leads_to": f"{issuer.verification_url}{key}",
        "logo": issuer.logo,
    }


def broken(text: str) -> str:
    """With places to break at where there are none for long: a name, a URL of 150 letters."""
    return _LONG.sub(lambda found: _MAY_BREAK.join(_LETTERS.findall(found[0])), text)


def _numbers(language: Language) -> Callable[[Decimal | int, int], str]:
    """Writes numbers with so many decimals at least, and no more than they need."""

    def written(amount: Decimal | int, decimals: int) -> str:
        whole, _point, rest = f"{amount:,f}".partition(".")
        rest = rest.rstrip("0").ljust(decimals, "0")
        text = f"{whole}.{rest}" if rest else whole
        return text.translate(_SPANISH) if language == Language.ES else text

    return written


def _day(day: date, language: Language) -> str:
    if language == Language.ES:
        return f"{day:%d/%m/%Y}"
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def _facts(invoice: Invoice, language: Language) -> list[tuple[str, str]]:
    facts = []
    if invoice.issued_at:
        facts.append(("issued", _day(local_date(invoice.issued_at), language)))
    if invoice.due_on and invoice.kind == InvoiceKind.INVOICE:
        facts.append(("due", _day(invoice.due_on, language)))
    facts.append(("period", invoice.period))
    if corrected := invoice.corrects:
        facts.append(("corrects", broken(corrected.full_number or "")))
        if corrected.issued_at:
            facts.append(("corrected", _day(local_date(corrected.issued_at), language)))
    return facts


def _why(invoice: Invoice) -> str:
    issued = invoice.events.filter(to_status=InvoiceStatus.ISSUED).order_by("pk").first()
    return issued.why if issued else ""


def _line(line: InvoiceLine, number: Callable[[Decimal | int, int], str]) -> dict[str, str]:
    return {
        "description": broken(line.description),
        "quantity": number(line.quantity, 0),
        "unit": line.unit,
        "unit_price": number(line.unit_price, 2),
        "discount": number(line.discount, 2),
        "amount": number(line.amount, 2),
    }


def _used(invoice: Invoice, number: Callable[[Decimal | int, int], str]) -> dict[str, Any] | None:
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
                "amount": number(round(Decimal(quantity) / GB, 2), 2),
            }
            for category, quantity in data.items()
        ],
        "minutes": number(-(-used.voice_seconds // 60), 0),
        "sms": number(used.sms, 0),
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
