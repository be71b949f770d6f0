"""What admin/bill.html shows: prices of periods, before there is an invoice, and documents."""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.template.defaultfilters import filesizeformat
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _

from billing.models import Invoice, InvoiceLine, Unit, Wallet
from billing.models.taxes import taxes_by_rate
from billing.rating import Rated, RatedLine, RatingInputs, Span
from billing.rating.facts import PricedPeriod, price_periods
from billing.runs.rehearsing import Sample, SampleLine
from customers.models import Line, Subscription
from telcox.common.errors import DomainError


def bill_shown(facts: RatingInputs, rated: Rated, title: str = "") -> dict[str, Any]:
    allowance = facts.granted()
    return {
        "title": title or f"{facts.terms.plan_name}, {days_of(facts.span)}",
        "lines": [line_shown(line, _label(line)) for line in rated.lines],
        **sums_shown(rated, *_rates(facts, rated.lines)),
        "allowance": _("Included: %(data)s of data, %(minutes)d minutes, %(sms)d SMS")
        % {
            "data": filesizeformat(allowance.data_bytes),
            "minutes": allowance.voice_minutes,
            "sms": allowance.sms,
        },
    }


def document_shown(document: Invoice) -> dict[str, Any]:
    """Return what admin/bill.html shows of a document, which may be the result of a dry run."""
    lines = document.lines.order_by("position")
    return {
        "title": str(document),
        "lines": [line_shown(line, line.description) for line in lines],
        **sums_shown(document, *_rates(document, lines)),
    }


def bills_shown(bills: Iterable[PricedPeriod]) -> list[dict[str, Any]]:
    return [bill_shown(facts, rated) for _period, facts, rated in bills]


def bill_so_far(period: Subscription) -> str:
    """Return, as HTML, what the period costs with its usage so far, or why its price cannot be calculated."""
    try:
        [bill] = price_periods([period], at=timezone.now())
    except DomainError as refusal:
        return refusal.detail
    return render_to_string("admin/bill.html", {"bill": bill_shown(bill.facts, bill.rated)})


def balance_of(line: Line) -> Decimal | None:
    return Wallet.objects.filter(line=line).values_list("balance_usd", flat=True).first()


def wallet_movement(line: Line, before: Decimal | None) -> str:
    """Return a sentence: what was charged or refunded to the line's wallet since its balance was `before`."""
    after = balance_of(line)
    taken = (before or Decimal(0)) - (after or Decimal(0))
    told = {"amount": format_usd(abs(taken)), "balance": format_usd(after or Decimal(0))}
    if taken > 0:
        return _("Charged to the wallet now: %(amount)s. Balance after that: %(balance)s.") % told
    if taken < 0:
        return _("Refunded to the wallet now: %(amount)s. Balance after that: %(balance)s.") % told
    return _("Nothing is charged to the wallet now.")


def days_of(span: Span) -> str:
    last = max(span.start, span.end - timedelta(days=1))
    whole = _day(span.start) if last == span.start else f"{_day(span.start)} – {_day(last)}"
    days = (span.end - span.start).days
    return (
        whole
        if days == span.days
        else _("%(days)s (%(part)d of %(all)d days)")
        % {
            "days": whole,
            "part": days,
            "all": span.days,
        }
    )


def _day(day: Any) -> str:
    return date_format(day, "SHORT_DATE_FORMAT")


def _label(line: RatedLine) -> str:
    overage = {"DATA": _("Additional data"), "VOICE": _("Additional minutes"), "SMS": _("Additional SMS")}
    label = overage.get(line.kind, line.name)
    if line.late:
        label = _("%(label)s: late usage of %(month)s") % {"label": label, "month": line.late.month}
    return label


def line_shown(line: RatedLine | InvoiceLine | SampleLine, label: str) -> dict[str, str]:
    return {
        "label": label,
        "quantity": f"{format_decimal(line.quantity)} {Unit(line.unit).label}",
        "unit_price": format_decimal(line.unit_price, least=2),
        "amount": format_usd(line.amount),
        "discount": format_usd(line.discount) if line.discount else "—",
        "tax": format_usd(line.tax),
        "total": format_usd(line.amount - line.discount + line.tax),
    }


def _rates(of: RatingInputs | Invoice, lines: Iterable[Any]) -> list[Decimal]:
    return [each.rate for each in taxes_by_rate(of, lines)]


def sums_shown(of: Rated | Invoice | Sample, *tax_rates: Decimal) -> dict[str, str]:
    return {
        "subtotal": format_usd(of.subtotal),
        "discount": format_usd(of.discount),
        "tax": format_usd(of.tax),
        "total": format_usd(of.total),
        "tax_rate": " / ".join(f"{format_decimal(rate * 100)} %" for rate in tax_rates),
    }


def format_usd(amount: Decimal) -> str:
    return number_format(amount, 2)


def format_decimal(number: Decimal, least: int = 0) -> str:
    """Return the number without trailing zeros, but with at least `least` decimals."""
    exponent = number.normalize().as_tuple().exponent
    return number_format(number, max(least, -exponent if isinstance(exponent, int) else 0))
