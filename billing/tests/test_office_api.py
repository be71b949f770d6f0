"""Payments, reversals and credit notes over REST."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from billing.invoicing.drafting import draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.models import Invoice, InvoiceEvent, Payment
from billing.settling.paying import receive_payment
from billing.tests.builders import spend_balances
from customers.models import Customer, Subscription
from telcox.testing.rows import all_rows

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("seeded")]

JESUS = "0969786985"
PAYMENT = {"amount": 5.30, "payment_method": "TARJETA", "reference": "TR-1"}
WHY = {"why": "Wrong plan"}
DOORS = [
    ("invoices/{invoice}/payments", PAYMENT, "add_payment"),
    ("invoices/{invoice}/credit-notes", WHY, "add_creditnote"),
    ("payments/{payment}/reversal", WHY, "add_reversal"),
]
each_door = pytest.mark.parametrize(("path", "body", "permission"), DOORS, ids=lambda each: str(each)[-12:])


@pytest.fixture
def invoice(now: datetime) -> Invoice:
    """Over 25.30."""
    period = Subscription.objects.get(line__phone_number=JESUS)
    spend_balances(now)
    return issue_invoice(invoice=draft_invoice(subscription=period, at=now), at=now)


@pytest.fixture
def payment(invoice: Invoice, now: datetime) -> Payment:
    return receive_payment(
        invoice=invoice, amount=Decimal("10.00"), payment_method="EFECTIVO", reference="C-1", at=now
    ).payment


def post(client: Client, path: str, body: Any) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(f"/api/{path}", raw, content_type="application/json")


def staff(*permissions: str) -> Client:
    user = User.objects.create_user("ana", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


# --- What it does ---


@pytest.mark.usefixtures("open_api")
class TestSettling:
    def test_a_payment_is_recorded_once(self, client: Client, invoice: Invoice) -> None:
        body = {**PAYMENT, "amount": 30.00}
        answer = post(client, f"invoices/{invoice.pk}/payments", body)
        assert answer.status_code == 201
        told = answer.json()
        assert (told["amount"], told["to_wallet"], told["repeated"]) == (25.3, 4.7, False)
        assert told["invoice"] == {
            "id": invoice.pk,
            "number": "001-001-000000001",
            "status": "PAID",
            "total": 25.3,
            "credited": 0.0,
            "paid": 25.3,
            "outstanding": 0.0,
            "refunded": 0.0,
        }
        before = all_rows()
        again = post(client, f"invoices/{invoice.pk}/payments/", body)
        assert (again.status_code, again.json()) == (200, {**told, "repeated": True})
        assert all_rows() == before

    def test_a_reversal_takes_it_back(self, client: Client, payment: Payment) -> None:
        answer = post(client, f"payments/{payment.pk}/reversal", WHY)
        assert answer.status_code == 201
        told = answer.json()
        assert (told["amount"], told["reverses"], told["why"]) == (-10.0, payment.pk, "Wrong plan")
        assert told["invoice"]["status"] == "ISSUED"
        again = post(client, f"payments/{payment.pk}/reversal", WHY)
        assert (again.status_code, again.json()["reason"]) == (409, "already_reversed")

    def test_a_credit_note_takes_back_a_part_or_all(self, client: Client, invoice: Invoice) -> None:
        path = f"invoices/{invoice.pk}/credit-notes"
        answer = post(client, path, {**WHY, "lines": [{"line": 1, "amount": 2.00}]})
        assert answer.status_code == 201
        told = answer.json()
        assert (told["number"], told["total"]) == ("001-002-000000001", 2.3)
        assert told["lines"] == [
            {
                "line": 1,
                "description": "Móvil 30 GB, 23/11/2026 – 22/12/2026",
                "amount": 2.0,
                "discount": 0.0,
                "tax": 0.3,
            }
        ]
        assert (told["invoice"]["status"], told["invoice"]["outstanding"]) == ("ISSUED", 23.0)
        rest = post(client, path, {**WHY, "bill_again": True}).json()
        assert (rest["total"], rest["invoice"]["status"]) == (23.0, "VOID")
        assert Subscription.objects.get(line__phone_number=JESUS).unbilled

    @each_door
    def test_a_dry_run_says_what_would_come_of_it_and_does_nothing(
        self, client: Client, payment: Payment, path: str, body: Any, permission: str
    ) -> None:
        path, before = path.format(invoice=payment.invoice_id, payment=payment.pk), all_rows()
        foretold = post(client, path, {**body, "dry_run": True})
        assert foretold.status_code == 200
        assert all_rows() == before
        done = post(client, path, body)
        changing = ("id", "dry_run", "payment_date", "reference")
        for answer in (told := [foretold.json(), done.json()]):
            for name in changing:
                answer.pop(name, None)
        assert told[0] == told[1]


# --- Who may ---


@pytest.mark.usefixtures("closed_api")
class TestWhoMay:
    @each_door
    def test_those_who_were_given_the_permission_and_nobody_else(
        self, client: Client, payment: Payment, path: str, body: Any, permission: str
    ) -> None:
        path, before = path.format(invoice=payment.invoice_id, payment=payment.pk), all_rows()
        assert post(client, path, body).status_code == 401
        assert all_rows() == before
        others = {each for _path, _body, each in DOORS} - {permission}
        assert post(staff(*others), path, body).status_code == 403
        holder = User.objects.create_user("holder")
        Customer.objects.filter(lines__phone_number=JESUS).update(user=holder)
        client.force_login(holder)
        assert post(client, path, body).status_code == 403
        User.objects.get(username="ana").delete()
        assert post(staff(permission), path, body).status_code == 201
        assert InvoiceEvent.objects.latest("pk").by == "ana"


# --- What is no order ---


NO_KEYS = ["0", "999999", "9" * 18, "9" * 30, "-1", "x", "%00", "1.0"]


def each(field: str, *values: Any) -> list[dict[str, Any]]:
    return [{field: value} for value in values]


NO_PAYMENTS = [
    *each("amount", 0, -1, 1.005, "5", None, True, 10**12, [], {}),
    *each("payment_method", "CHEQUE", "tarjeta", None, 1, []),
    *each("reference", "", "a b", "ñ", "x" * 65, "a\x00", "\ud800", None, 5, []),
    {"dry_run": "yes"},
    {"dryrun": True},
    {"paid_at": "2026-12-01"},
]
NO_REASONS = [*each("why", "", " ", "x" * 201, "a\x00", "\ud800", None, 5, []), {"because": "x"}]
NO_CREDITS = [
    *NO_REASONS,
    {"lines": None},
    {"lines": {}},
    {"lines": "1"},
    {"lines": []},
    {"lines": [1]},
    {"lines": [{"line": 1}]},
    {"lines": [{"amount": 1}]},
    {"lines": [{"line": 1, "amount": 0}]},
    {"lines": [{"line": 0, "amount": 1}]},
    {"lines": [{"line": 2, "amount": 1}]},
    {"lines": [{"line": 2**40, "amount": 1}]},
    {"lines": [{"line": "1", "amount": 1}]},
    {"lines": [{"line": 1, "amount": 1, "tax": 0}]},
    {"lines": [{"line": 1, "amount": 1}, {"line": 1, "amount": 1}]},
    {"bill_again": 1},
]
WRONG = [
    *((DOORS[0], wrong) for wrong in NO_PAYMENTS),
    *((DOORS[1], wrong) for wrong in NO_CREDITS),
    *((DOORS[2], wrong) for wrong in NO_REASONS),
]


@pytest.mark.usefixtures("open_api")
class TestBadInput:
    @pytest.mark.parametrize(("door", "wrong"), WRONG, ids=str)
    def test_what_cannot_be_is_told_and_changes_nothing(
        self, client: Client, payment: Payment, door: tuple[str, Any, str], wrong: dict[str, Any]
    ) -> None:
        path, body, _permission = door
        before = all_rows()
        answer = post(client, path.format(invoice=payment.invoice_id, payment=payment.pk), {**body, **wrong})
        assert (answer.status_code, answer["Content-Type"]) == (422, "application/problem+json")
        assert all_rows() == before

    @each_door
    @pytest.mark.parametrize("key", NO_KEYS)
    def test_what_is_not_there(self, client: Client, path: str, body: Any, permission: str, key: str) -> None:
        answer = post(client, path.format(invoice=key, payment=key), body)
        assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")

    def test_what_is_refused_says_why(self, client: Client, invoice: Invoice) -> None:
        paid = Invoice.objects.filter(series__prefix="HIST", subscription=None)[:1].get()
        for path, body, reason in (
            (f"invoices/{paid.pk}/payments", PAYMENT, "nothing_owed"),
            (f"invoices/{paid.pk}/credit-notes", WHY, "no_wallet"),
            (
                f"invoices/{invoice.pk}/credit-notes",
                {**WHY, "lines": [{"line": 1, "amount": 99}]},
                "more_than_left",
            ),
        ):
            before = all_rows()
            answer = post(client, path, body)
            assert (answer.status_code, answer.json()["reason"]) == (409, reason)
            assert all_rows() == before
