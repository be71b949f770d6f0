"""Every page of the back-office, in both its languages, and with what nobody should have typed."""

import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from billing.bank import import_statement
from billing.invoicing.drafting import draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.models import (
    BillingChunk,
    BillingRun,
    Channel,
    Discount,
    Invoice,
    MoneyReference,
    Notice,
    NoticeKind,
    ParkedBill,
    ParkReason,
    TransferPart,
)
from billing.sales.holders import change_holder
from billing.sales.renewal import renew_subscriptions
from billing.sales.revising import revise_terms
from billing.sales.services import activate_subscription, buy_pack, schedule_plan_change
from billing.settling.crediting import credit_invoice
from billing.settling.paying import receive_payment, reverse_payment
from billing.wallets import pay_out
from customers.catalogue import revise_plan
from customers.models import Customer, Line, Pack, Plan, SoldPack, Subscription
from customers.services import resume_line, suspend_line
from telcox.testing.builders import NOW
from telcox.testing.rows import Contents
from usage.ingestion.idempotency import answer_once
from usage.ingestion.reports import UsageReport
from usage.models import UsageDay, UsageEvent
from usage.services import record_usage, take_usage
from usage.vocabulary import Category

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock_at_now")]

MODELS = [
    model for model in admin.site._registry if model._meta.app_label in ("customers", "usage", "billing")
]
NAMES = [model._meta.label for model in MODELS]


@pytest.fixture(scope="module")
def world(module_db: Contents, django_db_blocker: Any) -> None:
    """A back-office where every list has a row, made once."""
    with django_db_blocker.unblock():
        module_db.insert_fixtures()
        make_a_row_of_everything()
        User.objects.create_superuser("jefa")


@pytest.fixture
def staff(world: None, clock_at_now: None) -> Client:
    """A superuser in it."""
    client = Client()
    client.force_login(User.objects.get(username="jefa"))
    return client


def make_a_row_of_everything() -> None:
    renew_subscriptions(at=NOW)
    report = UsageReport("0969786985", "SOCIAL", 2**35)
    take_usage(reported=[report, UsageReport("0999999999", "SMS", 1)], at=NOW)
    answer_once(owner="", key="k", request=b"", at=NOW, make=lambda: b"{}")
    with open("billing/tests/statement.csv", "rb") as statement:
        import_statement(file=statement, source="statement.csv", at=NOW)
    draft_invoice(subscription=Subscription.objects.get(line__phone_number="0923456789"), at=NOW)
    pay_out(
        line=Line.objects.get(phone_number="0923456789"),
        amount=Decimal(1),
        method="EFECTIVO",
        reference="staff-out",
        at=NOW,
    )
    draft = draft_invoice(subscription=Subscription.objects.get(line__phone_number="0934567890"), at=NOW)
    invoice = issue_invoice(invoice=draft, at=NOW)
    settle(invoice, "staff")
    Notice.objects.create(invoice=invoice, kind=NoticeKind.DOCUMENT, channel=Channel.MAIL, created_at=NOW)
    ParkedBill.objects.create(
        subscription=Subscription.objects.order_by("pk")[0],
        run=BillingRun.objects.create(period="2026-11"),
        reason=ParkReason.BROKEN,
        parked_at=NOW,
    )
    plan = Plan.objects.get(code="movil-30")
    offer_otherwise(plan, 23)
    Discount.objects.create(name="Fidelidad", percent=10, plan=plan, valid_from=NOW)
    live(Line.objects.get(phone_number="0969786985"), "staff", at=NOW)
    first, second = Customer.objects.order_by("pk")[:2]
    given_away = Line.objects.create(customer=first, phone_number="0977777777", product_type="MOVIL")
    change_holder(line=given_away, customer=second, why="Cesión", at=NOW)


def offer_otherwise(plan: Plan, price: int) -> None:
    plan.price = Decimal(price)
    revise_plan(plan=plan, at=NOW, by="jefa")


def live(line: Line, reference: str, at: datetime) -> None:
    """What may happen to a line with a running period."""
    buy_pack(line=line, pack=Pack.objects.get(code="extra-5"), reference=reference, at=at)
    line.refresh_from_db()
    schedule_plan_change(line=line, plan=Plan.objects.get(code="movil-60"), at=at)
    line.refresh_from_db()
    suspend_line(line=line, reason="OPERATOR", at=at)
    line.refresh_from_db()
    period = line.subscriptions.current().get()
    revise_terms(subscription=period, why="Mal escrito", terms={"price": Decimal("21.00")}, at=at)
    line.refresh_from_db()


def settle(invoice: Invoice, reference: str) -> None:
    """What may happen to the money of an issued invoice."""
    first, _second = (
        receive_payment(
            invoice=invoice,
            amount=Decimal(1),
            payment_method="EFECTIVO",
            reference=f"{reference}-{number}",
            at=NOW,
        )
        for number in range(2)
    )
    reverse_payment(payment=first.payment, why="Sin fondos", at=NOW)
    credit_invoice(invoice=invoice, why="Reclamo", amounts={1: Decimal(1)}, at=NOW)


def address(model: type[Model], page: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def test_every_model_of_ours_is_in_the_back_office() -> None:
    from django.apps import apps

    ours = {
        model for app in ("customers", "usage", "billing") for model in apps.get_app_config(app).get_models()
    }
    # Django's admin takes no model with a key of two columns. Chunks are what a run's page adds up; the
    # pages of payments, movements and transfers show what references and parts of transfers say.
    assert ours == {*MODELS, UsageDay, BillingChunk, MoneyReference, TransferPart}


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("model", MODELS, ids=NAMES)
def test_every_page_opens_in_both_languages(staff: Client, model: type[Model], language: str) -> None:
    headers = {"accept-language": language}
    row = model._default_manager.first()
    assert row is not None
    pages = [
        address(model, "changelist"),
        address(model, "change", row.pk),
        address(model, "history", row.pk),
    ]
    if admin.site._registry[model].has_add_permission(staff_request(staff)):
        pages.append(address(model, "add"))
    for page in pages:
        response = staff.get(page, headers=headers)
        assert response.status_code == 200, page
        assert f'<html lang="{language}"' in response.content.decode()


def staff_request(client: Client):
    return client.get("/admin/").wsgi_request


@pytest.mark.parametrize(
    ("language", "title"), [("es", "Oficina de TelcoX"), ("en", "TelcoX back-office"), ("de", "Oficina")]
)
def test_first_page_says_what_there_is_to_do(staff: Client, language: str, title: str) -> None:
    response = staff.get("/admin/", headers={"accept-language": language})
    assert title in response.content.decode()
    assert next(figure.rows for figure in response.context["figures"]) == 1  # a draft
    for figure in response.context["figures"]:
        assert staff.get(figure.address).context["cl"].result_count == figure.rows


def test_language_is_switched_by_a_button(staff: Client) -> None:
    staff.post("/i18n/setlang/", {"language": "en", "next": "/admin/"})
    assert "TelcoX back-office" in staff.get("/admin/", headers={"accept-language": "es"}).content.decode()


@pytest.mark.parametrize("model", MODELS, ids=NAMES)
def test_lists_and_searches_cost_the_same_however_many_rows(
    staff: Client, model: type[Model], django_assert_max_num_queries
) -> None:
    def queries() -> int:
        with django_assert_max_num_queries(25) as counted:
            assert staff.get(address(model, "changelist"), {"q": ""}).status_code == 200
        return len(counted)

    few = queries()
    more_of_everything()
    assert queries() == few


@pytest.mark.parametrize("model", [Customer, Line, Plan, Subscription, Invoice])
def test_pages_with_inlines_cost_the_same_however_many_rows(
    staff: Client, model: type[Model], django_assert_max_num_queries
) -> None:
    def queries() -> int:
        row = max(model._default_manager.all(), key=weight)
        with django_assert_max_num_queries(40) as counted:
            assert staff.get(address(model, "change", row.pk)).status_code == 200
        return len(counted)

    few = queries()
    more_of_everything()
    assert queries() == few


def weight(row: object) -> int:
    """How much hangs on a row."""
    match row:
        case Customer():
            return row.lines.count()
        case Line():
            return row.subscriptions.count()
        case Subscription():
            return row.invoices.count() + row.packs.count()
        case Plan():
            return row.revisions.count()
        case Invoice():
            return row.lines.count() + row.payments.count()
    return 0


def more_of_everything() -> None:
    plan = Plan.objects.get(code="movil-30")
    customer = Customer.objects.get(lines__phone_number="0969786985")
    for number in range(6):
        line = Line.objects.create(
            customer=customer, phone_number=f"09811111{number:02}", product_type="MOVIL"
        )
        subscription = activate_subscription(line=line, plan=plan, at=NOW)
        for category in (Category.SOCIAL, Category.VOICE, Category.SMS):
            record_usage(
                phone_number=line.phone_number, category=category, quantity=60, source="test", at=NOW
            )
        line.refresh_from_db()
        live(line, f"more-{number}", at=NOW + timedelta(hours=1))
        resume_line(line=line, at=NOW + timedelta(hours=2))
        offer_otherwise(plan, 30 + number)
        Discount.objects.create(name=f"D{number}", amount=1, plan=plan, valid_from=NOW)
        draft_invoice(subscription=subscription, at=NOW)
    for number in range(3):
        settle(Invoice.objects.bills().get(status="PARTLY_PAID"), f"many-{number}")


ODD = [
    "?q=%00",
    "?q=%ff%fe",
    "?q=" + "9" * 400,
    "?q=" + "a" * 3000,
    "?q=%27%20OR%201=1--",
    "?q=/",
    "?q=a/b/c",
    "?q=%2B593969786985",
    "?p=-1",
    "?p=99999999999999999999999",
    "?p=x",
    "?o=99.-7.x",
    "?id__exact=99999999999999999999999999",
    "?id__in=99999999999999999999999999",
    "?nothing__such=1",
    "?status__exact=%00",
    "?all=",
]


ODD_KEYS = ["0", "x", "%00", "9" * 30, "-1", "1%2F2", "%f0%9f%98%80"]


@pytest.mark.parametrize("model", MODELS, ids=NAMES)
def test_no_query_and_no_key_makes_a_page_fail(staff: Client, model: type[Model]) -> None:
    staff.raise_request_exception = False
    start = address(model, "changelist")
    filters = [name for name in admin.site._registry[model].list_filter if isinstance(name, str)]
    odd = [*ODD, *(f"?{name}{lookup}={'9' * 26}" for name in filters for lookup in ("", "__exact", "__gte"))]
    answers = {query: staff.get(start + query).status_code for query in odd}
    assert set(answers.values()) <= {200, 302, 400}, answers
    answers = {key: staff.get(f"{start}{key}/change/").status_code for key in ODD_KEYS}
    assert set(answers.values()) <= {302, 400, 404}, answers


@pytest.mark.parametrize("model", MODELS, ids=NAMES)
def test_no_selection_makes_an_action_fail(staff: Client, model: type[Model]) -> None:
    """Of what is no row, or of none, by a form that was not sent by a page."""
    staff.raise_request_exception = False
    office = admin.site._registry[model]
    for action in [step.name for step in getattr(office, "steps", ())] + ["delete_selected", "nope"]:
        for key in ("x", "%00", "9" * 30, "-1", "²", "0"):
            sent = {"action": action, "_selected_action": [key], "index": "0"}
            answer = staff.post(address(model, "changelist"), sent)
            assert answer.status_code in (200, 302, 400, 403), (action, key)


@pytest.mark.parametrize("model", MODELS, ids=NAMES)
def test_no_address_makes_a_form_fail(staff: Client, model: type[Model]) -> None:
    """Neither one that fills the form in with what is no row, nor a form that is sent so."""
    if not admin.site._registry[model].has_add_permission(staff_request(staff)):
        return
    staff.raise_request_exception = False
    start = address(model, "add")
    relations = [field.name for field in model._meta.fields if field.is_relation] or ["line"]
    for key in ("x", "%00", "9" * 30, "-1", "²"):
        page = start + "?" + "&".join(f"{name}={key}" for name in relations)
        assert staff.get(page).status_code in (200, 400), page
        sent = staff.post(start, dict.fromkeys([*relations, "seen", "reference"], key))
        assert sent.status_code in (200, 302), key


@pytest.mark.parametrize("model", [Customer, Line, Plan, Pack, Subscription, Invoice])
def test_autocomplete_finds_what_forms_ask_for(staff: Client, model: type[Model]) -> None:
    asked_by = {
        Customer: ("customers", "line", "customer"),
        Line: ("customers", "subscription", "line"),
        Plan: ("customers", "planchange", "plan"),
        Pack: ("customers", "soldpack", "pack"),
        Subscription: ("billing", "invoice", "subscription"),
        Invoice: ("billing", "payment", "invoice"),
    }
    app, by, field = asked_by[model]
    given = {"app_label": app, "model_name": by, "field_name": field, "term": ""}
    found = staff.get("/admin/autocomplete/", given).json()["results"]
    assert {row["id"] for row in found} == {
        str(pk) for pk in model._default_manager.values_list("pk", flat=True)
    }


@pytest.mark.parametrize("number", ["0969786985", "+593969786985", "593969786985"])
@pytest.mark.parametrize("model", [Customer, Line, Subscription, SoldPack, UsageEvent, Invoice])
def test_a_number_is_found_in_any_of_its_forms(staff: Client, model: type[Model], number: str) -> None:
    response = staff.get(address(model, "changelist"), {"q": number})
    assert response.context["cl"].result_count > 0
    assert staff.get(address(model, "changelist"), {"q": "0911111111"}).context["cl"].result_count == 0


def test_one_event_is_found_by_its_key(staff: Client) -> None:
    event = UsageEvent.objects.all()[0]
    response = staff.get(address(UsageEvent, "changelist"), {"q": f"{event.source}/{event.event_id}"})
    assert list(response.context["cl"].queryset) == [event]


def test_nobody_but_staff_comes_in(world: None) -> None:
    client = Client()
    client.force_login(User.objects.create_user("cliente"))
    for model in MODELS:
        assert client.get(address(model, "changelist")).status_code == 302
    assert re.search(r"/admin/login/", client.get("/admin/")["Location"])
