"""A line to sell to."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.utils import timezone

from customers.models import Line, Pack, Plan

Sell = Callable[..., Line]


def moment(text: str) -> datetime:
    """`2026-11-24 15:00` on the operator's clock."""
    naive = datetime.fromisoformat(text)
    return naive.replace(tzinfo=timezone.get_default_timezone())


@pytest.fixture
def make_plan(db: Any) -> Callable[..., Plan]:
    def make(code: str, **terms: Any) -> Plan:
        given = {"name": code.title(), "product_type": "MOVIL", "price": "30.00", **terms}
        plan = Plan.objects.create(code=code, **given)
        plan.refresh_from_db()
        return plan

    return make


@pytest.fixture
def make_pack(db: Any) -> Callable[..., Pack]:
    def make(code: str, **terms: Any) -> Pack:
        given = {"name": code.title(), "product_type": "MOVIL", "price": "4.00", "data_bytes": 2**30, **terms}
        pack = Pack.objects.create(code=code, **given)
        pack.refresh_from_db()
        return pack

    return make


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
