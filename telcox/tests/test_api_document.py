"""The API document (OpenAPI) says what the API answers, with a summary and an example for each operation."""

import json
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from django.contrib.auth.models import User
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator

from billing.invoicing.drafting import draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.settling.paying import receive_payment
from billing.tests.builders import spend_balances
from billing.wallets import adjust_wallet
from customers.models import Line, Subscription
from usage.services import record_usage
from usage.vocabulary import Category

JESUS, CARLA = "0969786985", "0934567890"
LINE = f"/api/customers/{JESUS}"


class Call(NamedTuple):
    method: str
    path: str
    body: Any = None


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return json.loads(json.dumps(SchemaGenerator().get_schema(request=None, public=True)))


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        operation["operationId"]: operation
        for path in document["paths"].values()
        for operation in path.values()
    }


def successes(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the 2xx answers that have a body, as (media type, description of the body)."""
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            yield from answer.get("content", {}).items()


# --- What the document says ---


def test_each_operation_has_a_summary_of_one_sentence(operations: dict[str, Any]) -> None:
    for name, operation in operations.items():
        summary = operation.get("summary", "")
        assert 10 <= len(summary) <= 80, name
        assert summary[0].isupper(), name
        assert not summary.endswith("."), name


def test_each_operation_has_a_description(operations: dict[str, Any]) -> None:
    for name, operation in operations.items():
        assert operation.get("description", "").endswith("."), name
        assert operation["description"] != operation["summary"], name


def test_each_operation_answers_with_an_example(operations: dict[str, Any]) -> None:
    for name, operation in operations.items():
        for media_type, body in successes(operation):
            assert body.get("examples") or media_type == "application/pdf", name
        for media_type, body in operation.get("requestBody", {}).get("content", {}).items():
            assert body.get("examples"), (name, media_type)


def test_each_parameter_has_a_description_or_a_list_of_values(operations: dict[str, Any]) -> None:
    for name, operation in operations.items():
        for parameter in operation.get("parameters", []):
            assert parameter.get("description"), (name, parameter["name"])


def test_examples_are_what_their_schema_says(document: dict[str, Any], operations: dict[str, Any]) -> None:
    checked = 0
    for name, operation in operations.items():
        bodies = [*successes(operation), *operation.get("requestBody", {}).get("content", {}).items()]
        for media_type, body in bodies:
            for example in body.get("examples", {}).values():
                if media_type != "application/x-ndjson":
                    validate(example["value"], body["schema"], document, name)
                    checked += 1
    assert checked > 30


# --- What the API answers ---


@pytest.fixture
def calls(seeded: None, now: datetime, monkeypatch: pytest.MonkeyPatch) -> dict[str, Call]:
    """A request for each operation, after a month with usage, an invoice that is paid in part, and a pack."""
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)
    record_usage(phone_number=JESUS, category=Category.SOCIAL, quantity=5 * 2**20, source="t", at=now)
    period = Subscription.objects.get(line__phone_number=JESUS)
    spend_balances(now)
    adjust_wallet(line=Line.objects.get(phone_number=CARLA), amount=Decimal(20), reference="given", at=now)
    invoice = issue_invoice(invoice=draft_invoice(subscription=period, at=now), at=now)
    payment, _ = receive_payment(
        invoice=invoice, amount=Decimal("10.00"), payment_method="EFECTIVO", reference="C-1", at=now
    )
    key = f"{LINE}/invoices/{invoice.pk}"
    event = {"phone_number": JESUS, "category": "SOCIAL", "quantity": 1048576, "event_id": "e-1"}
    stranger = {**event, "phone_number": "0912345678", "event_id": "e-2"}
    return {
        "get_customer_summary": Call("GET", f"{LINE}/summary"),
        "list_plans": Call("GET", "/api/plans"),
        "list_packs": Call("GET", "/api/packs"),
        "get_usage": Call("GET", f"{LINE}/usage"),
        "get_usage_history": Call("GET", f"{LINE}/usage/history"),
        "post_usage_events": Call("POST", "/api/usage/events", [event, stranger]),
        "post_usage_event": Call(
            "POST", "/api/dev/usage-event", {"phone_number": JESUS, "category": "SOCIAL", "bytes": 1048576}
        ),
        "get_billing": Call("GET", f"{LINE}/billing?limit=2"),
        "get_invoice": Call("GET", key),
        "get_invoice_usage": Call("GET", f"{key}/usage"),
        "get_invoice_pdf": Call("GET", f"{key}/pdf"),
        "get_overdue_invoices": Call("GET", "/api/invoices/overdue?on=2027-06-30&limit=1"),
        "get_wallet": Call("GET", f"{LINE}/wallet"),
        "top_up": Call("POST", f"{LINE}/top-ups", {"amount": 10, "reference": "shop-17-000123"}),
        "pay_out": Call(
            "POST",
            f"/api/customers/{CARLA}/pay-outs",
            {"amount": 20, "payment_method": "TRANSFERENCIA", "reference": "bank-out-000042"},
        ),
        "get_subscription": Call("GET", f"/api/customers/{CARLA}/subscription"),
        "post_plan_change": Call(
            "POST", f"/api/customers/{CARLA}/plan-change", {"plan": "movil-60", "when": "period_end"}
        ),
        "delete_plan_change": Call("DELETE", f"/api/customers/{CARLA}/plan-change"),
        "post_pack": Call(
            "POST", f"/api/customers/{CARLA}/packs", {"pack": "extra-5", "reference": "app-7f3a"}
        ),
        "post_payment": Call(
            "POST",
            f"/api/invoices/{invoice.pk}/payments",
            {"amount": 5.3, "payment_method": "TRANSFERENCIA", "reference": "bank-2026-000017"},
        ),
        "post_reversal": Call("POST", f"/api/payments/{payment.pk}/reversal", {"why": "Cheque bounced"}),
        "post_credit_note": Call(
            "POST",
            f"/api/invoices/{invoice.pk}/credit-notes",
            {"why": "Wrong plan", "lines": [{"line": 1, "amount": 2.5}], "dry_run": True},
        ),
    }


def test_each_operation_answers_as_the_document_says(
    document: dict[str, Any], operations: dict[str, Any], calls: dict[str, Call]
) -> None:
    assert set(calls) == set(operations)
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    for name, (method, path, body) in calls.items():
        raw = json.dumps(body) if body else ""
        answer = client.generic(method, path, raw, content_type="application/json")
        described = operations[name]["responses"].get(str(answer.status_code))
        assert described, (name, answer.status_code, answer.content)
        assert answer.status_code < 300, (name, answer.content)
        if "content" not in described:
            assert not answer.content, name
            continue
        assert list(described["content"]) == [answer["Content-Type"].partition(";")[0]], name
        if answer["Content-Type"].startswith("application/json"):
            validate(answer.json(), described["content"]["application/json"]["schema"], document, name)


def test_a_refusal_is_answered_as_the_document_says(
    document: dict[str, Any], operations: dict[str, Any], seeded: None
) -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    answer = client.post(f"{LINE}/packs", {"pack": "none"}, content_type="application/json")
    described = operations["post_pack"]["responses"][str(answer.status_code)]["content"]
    assert answer.status_code == 422
    validate(answer.json(), described["application/problem+json"]["schema"], document, "post_pack")


def validate(value: Any, schema: dict[str, Any], document: dict[str, Any], name: str) -> None:
    validator = Draft202012Validator({**strict(schema), "components": strict(document["components"])})
    assert [f"{name}: {error.json_path}: {error.message}" for error in validator.iter_errors(value)] == []


def strict(schema: Any) -> Any:
    """Return the schema with objects that have no other members than those it names."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: strict(value) for key, value in schema.items()}
    if found.get("type") == "object" and "properties" in found:
        found.setdefault("additionalProperties", False)
    return found
