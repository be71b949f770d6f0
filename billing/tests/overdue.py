"""Invoices that are not paid, for the tests of what becomes of them."""

from datetime import datetime, timedelta
from decimal import Decimal

from billing.invoicing.drafting import draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.models import Invoice, Payment
from billing.sales.services import activate_subscription
from billing.settling.paying import receive_payment
from billing.tests.builders import fresh, moment
from customers.models import Customer, Line, Plan

# When the first is issued. Due on the same day, it is so many days overdue so many days later.
ISSUED = moment("2026-03-01 12:00")


def days_later(days: int) -> datetime:
    return ISSUED + timedelta(days=days)


def day_plan() -> Plan:
    """A day for 115.00, tax included."""
    return Plan.objects.get_or_create(
        code="day", defaults={"name": "Day", "product_type": "MOVIL", "price": "100.00", "validity_days": 1}
    )[0]


def new_line(number: int = 0) -> Line:
    """Of the first customer; sold nothing, and it begins nothing by itself."""
    return Line.objects.create(
        customer=Customer.objects.get(dni="0929668846"),
        phone_number=f"09551{number:05}",
        product_type="MOVIL",
        auto_renew=False,
    )


def bill(line: Line, at: datetime = ISSUED) -> Invoice:
    """115.00 for the day before."""
    period = activate_subscription(line=fresh(line), plan=day_plan(), at=at - timedelta(days=1))
    return issue_invoice(invoice=draft_invoice(subscription=period, at=at), at=at)


def pay(invoice: Invoice, at: datetime, amount: str = "115.00") -> Payment:
    return receive_payment(
        invoice=invoice,
        amount=Decimal(amount),
        payment_method="EFECTIVO",
        reference=f"P-{invoice.pk}-{at:%j}",
        at=at,
    ).payment
