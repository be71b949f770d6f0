"""A line to sell to."""

from datetime import datetime
from typing import Any

import pytest
from django.utils import timezone

from billing.models import EntryKind, InvoiceSeries, Wallet, WalletEntry
from billing.tests.builders import MakePack, MakePlan, moment
from billing.tests.orders import Clock
from customers.models import Line, Pack, Plan


@pytest.fixture
def make_plan(db: Any) -> MakePlan:
    def make(code: str, **terms: Any) -> Plan:
        given = {"name": code.title(), "product_type": "MOVIL", "price": "30.00", **terms}
        plan = Plan.objects.create(code=code, **given)
        plan.refresh_from_db()
        return plan

    return make


@pytest.fixture
def make_pack(db: Any) -> MakePack:
    def make(code: str, **terms: Any) -> Pack:
        given = {"name": code.title(), "product_type": "MOVIL", "price": "4.00", "data_bytes": 2**30, **terms}
        pack = Pack.objects.create(code=code, **given)
        pack.refresh_from_db()
        return pack

    return make


@pytest.fixture
def opened(seeded: None) -> None:
    """Every wallet has the entries that made its balance; there is a series, after a flush as well."""
    InvoiceSeries.objects.get_or_create(prefix="001-001")
    for wallet in Wallet.objects.filter(entries=None).exclude(balance_usd=0):
        WalletEntry.objects.create(
            wallet=wallet,
            position=1,
            kind=EntryKind.ADJUSTMENT,
            amount=wallet.balance_usd,
            balance_after=wallet.balance_usd,
            reference=f"opening-{wallet.pk}",
            at=moment("2026-10-01"),
        )


@pytest.fixture
def line(seeded: None) -> Line:
    """In service, without a plan."""
    customer = Line.objects.get(phone_number="0969786985").customer
    return Line.objects.create(customer=customer, phone_number="0955555555", product_type="MOVIL")


@pytest.fixture
def prepaid(line: Line) -> Line:
    line.prepaid = True
    line.save()
    return line


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, now: datetime) -> Clock:
    """What the views take for now, from the first of December on."""
    clock = Clock(now)
    monkeypatch.setattr(timezone, "now", clock)
    return clock
