"""Lines to order on, for the tests of orders."""

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.test import Client

from billing.models import Discount, Invoice, Wallet
from billing.sales.services import activate_subscription
from billing.wallets import adjust_wallet
from customers.models import Customer, Line, Pack, Plan, Subscription
from telcox.common.calendar import local_date
from usage.services import record_usage
from usage.vocabulary import Category

GB = 2**30
NUMBER = "0955555555"


class Clock:
    """What the views take for now."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, **time: float) -> datetime:
        self.moment += timedelta(**time)
        return self.moment


def new_line(
    *,
    at: datetime,
    plan: str = "movil-15",
    prepaid: bool = False,
    money: str = "100.00",
    spend_limit: str = "0",
    phone_number: str = NUMBER,
) -> Line:
    """A line on which `plan` was sold at `at`; a prepaid one has `money`."""
    customer = Customer.objects.create(dni=phone_number, full_name=f"Holder of {phone_number}")
    line = Line.objects.create(
        customer=customer, phone_number=phone_number, product_type="MOVIL", prepaid=prepaid
    )
    Wallet.objects.create(line=line, balance_limit_usd=Decimal(spend_limit))
    if prepaid:
        adjust_wallet(line=line, amount=Decimal(money), reference=f"start-{phone_number}", at=at)
    activate_subscription(line=line, plan=Plan.objects.get(code=plan), at=at)
    line.refresh_from_db()
    return line


def new_pack(code: str = "mas-5", price: str = "4.00", **content: Any) -> Pack:
    return Pack.objects.create(
        **{
            "code": code,
            "name": "5 GB más",
            "product_type": "MOVIL",
            "price": Decimal(price),
            "data_bytes": 5 * GB,
            **content,
        }
    )


def post(client: Client, what: str, body: Any, phone_number: str = NUMBER) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(f"/api/customers/{phone_number}/{what}", raw, content_type="application/json")


def subscription(client: Client, phone_number: str = NUMBER) -> dict[str, Any]:
    answer = client.get(f"/api/customers/{phone_number}/subscription")
    assert answer.status_code == 200, answer.content
    return answer.json()


def periods(line: Line) -> list[Subscription]:
    return list(line.subscriptions.order_by("sequence"))


def as_shown(invoice: Invoice) -> dict[str, Any]:
    """What an invoice charges, as far as an answer's bill says it too."""
    return {
        "lines": [
            {
                "unit": line.unit,
                "quantity": float(line.quantity),
                "unit_price": float(line.unit_price),
                "amount": float(line.amount),
                "discount": float(line.discount),
                "tax": float(line.tax),
                "late_for": line.late_for and f"{local_date(line.late_for.start_at):%Y-%m}",
            }
            for line in invoice.lines.order_by("position")
        ],
        "subtotal": float(invoice.subtotal),
        "discount": float(invoice.discount),
        "tax": float(invoice.tax),
        "total": float(invoice.total),
    }


def charged(bill: dict[str, Any]) -> dict[str, Any]:
    """The same of an answer's bill."""
    lines = [
        {name: value for name, value in line.items() if name not in ("kind", "name")}
        for line in bill["lines"]
    ]
    return {"lines": lines, **{name: bill[name] for name in ("subtotal", "discount", "tax", "total")}}


def busy_line(clock: Clock, *, prepaid: bool) -> Line:
    """Ten days into Móvil 15 GB, its spending limit far: all its minutes and more are spoken, and 10 GB used.
    Its holder gets a discount on what begins from now on."""
    line = new_line(at=clock() - timedelta(days=10), prepaid=prepaid, spend_limit="30.00")
    Discount.objects.create(
        name="Por fidelidad", percent=10, amount=1, customer=line.customer, valid_from="2026-12-01"
    )
    use(clock, Category.ENTERTAINMENT, 10 * GB)
    use(clock, Category.VOICE, 310 * 60 + 1)
    return line


def use(clock: Clock, category: Category, quantity: int) -> None:
    record_usage(phone_number=NUMBER, category=category, quantity=quantity, source="t", at=clock())
