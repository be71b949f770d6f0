"""Bills through the front door."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from billing.invoicing.drafting import draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.models import Invoice, InvoiceSeries, PaymentMethod
from billing.settling.crediting import credit_invoice
from billing.settling.paying import receive_payment, reverse_payment
from billing.tests.builders import spend_balances
from customers.models import Customer, Line, Subscription

pytestmark = pytest.mark.django_db

JESUS = "0969786985"
Queries = Callable[[int], AbstractContextManager[Any]]


@pytest.fixture
def issued(seeded: None, now: datetime) -> Invoice:
    subscription = Subscription.objects.get(line__phone_number=JESUS)
    spend_balances(now)
    return issue_invoice(invoice=draft_invoice(subscription=subscription, at=now), at=now)


def bills(client: Client, phone_number: str = JESUS) -> list[dict[str, Any]]:
    answer = client.get(f"/api/customers/{phone_number}/billing")
    assert answer.status_code == 200
    return answer.json()["items"]


def test_an_unpaid_bill_is_shown_with_its_number_and_no_payment(
    issued: Invoice, open_api: None, client: Client
) -> None:
    first = bills(client)[0]
    assert (first["number"], first["status"]) == ("001-001-000000001", "ISSUED")
    assert (first["payment_method"], first["payment_date"]) == (None, None)
    assert (first["total"], first["tax"], first["discount"]) == (25.3, 3.3, 0.0)


def test_of_several_payments_the_last_is_shown_and_the_bill_once(
    issued: Invoice, open_api: None, client: Client, now: datetime
) -> None:
    for day, method in (
        (20, PaymentMethod.TARJETA),
        (22, PaymentMethod.EFECTIVO),
        (21, PaymentMethod.TARJETA),
    ):
        receive_payment(
            invoice=issued,
            amount=Decimal("1.00"),
            payment_method=method,
            reference=f"TR-{day}",
            at=now.replace(day=day),
        )
    shown = bills(client)
    assert [bill["id"] for bill in shown].count(issued.pk) == 1
    assert (shown[0]["payment_method"], shown[0]["status"]) == ("EFECTIVO", "PARTLY_PAID")
    assert shown[0]["payment_date"] == "2026-12-22T10:00:00-05:00"


def test_a_payment_that_was_reversed_is_not_shown_nor_its_reversal(
    issued: Invoice, open_api: None, client: Client, now: datetime
) -> None:
    first, second = (
        receive_payment(
            invoice=issued,
            amount=Decimal("1.00"),
            payment_method=method,
            reference=method.name,
            at=now.replace(day=day),
        )
        for day, method in ((20, PaymentMethod.TARJETA), (22, PaymentMethod.EFECTIVO))
    )
    reverse_payment(payment=second.payment, why="x", at=now.replace(day=23))
    assert bills(client)[0]["payment_method"] == "TARJETA"
    reverse_payment(payment=first.payment, why="x", at=now.replace(day=24))
    shown = bills(client)[0]
    assert (shown["payment_method"], shown["payment_date"], shown["status"]) == (None, None, "ISSUED")


def test_a_void_bill_is_shown_as_such_and_its_credit_note_is_no_bill(
    issued: Invoice, open_api: None, client: Client, now: datetime
) -> None:
    credit_invoice(invoice=issued, why="x", at=now)
    assert [bill["status"] for bill in bills(client)] == ["VOID", "PAID", "PAID"]


def test_the_newest_period_comes_first(issued: Invoice, open_api: None, client: Client) -> None:
    assert [bill["period"] for bill in bills(client)] == ["2026-11", "2025-06", "2025-05"]


def test_a_draft_is_not_shown(seeded: None, open_api: None, client: Client, now: datetime) -> None:
    draft_invoice(subscription=Subscription.objects.get(line__phone_number=JESUS), at=now)
    assert len(bills(client)) == 2


def test_ten_years_of_bills_cost_as_many_queries_as_two(
    seeded: None, open_api: None, client: Client, django_assert_num_queries: Queries
) -> None:
    with django_assert_num_queries(1):
        bills(client)
    example = Invoice.objects.get(period="2025-06", phone_number=JESUS)
    series = InvoiceSeries.objects.get(prefix="HIST")
    InvoiceSeries.objects.filter(pk=series.pk).update(last_number=1_200)
    for number in range(120):
        example.pk, example.series, example.number = None, series, 1000 + number
        example.period = f"{2015 + number // 12}-{number % 12 + 1:02d}"
        example.save(force_insert=True)
    with django_assert_num_queries(1):
        assert len(bills(client)) == 122


def test_a_number_that_changed_hands_shows_its_new_holder_none_of_the_old_bills(
    seeded: None, closed_api: None, client: Client
) -> None:
    user = User.objects.create_user("carla")
    carla = Customer.objects.get(full_name="Carla M.")
    Customer.objects.filter(pk=carla.pk).update(user=user)
    Line.objects.filter(phone_number=JESUS).update(customer=carla)
    client.force_login(user)
    assert bills(client) == []
