"""Amounts and quantities as clerks type them: never another than was meant, and said when booked."""

import re
from decimal import Decimal
from typing import Any

import pytest
from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.forms import DecimalField, FloatField, IntegerField, NumberInput
from django.test import Client, RequestFactory

from billing.admin.credit_notes import LeftField
from billing.admin.exports import SelectionForm
from billing.admin.plans import ExampleForm
from billing.invoicing.drafting import draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.models import CreditNote, Discount, Invoice, Payment, Reversal, TaxRate, Wallet, WalletEntry
from billing.tests.builders import spend_balances
from customers.models import Pack, Plan, Subscription
from telcox.common.office.forms import TypedNumberMixin, number_text
from telcox.testing.builders import NOW
from telcox.testing.office import as_shown, new, somebody_of, superuser, told, url

D = Decimal
JESUS = "0969786985"

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("seeded", "clock_at_now")]

OURS = ("customers", "usage", "billing")
ADMINS = [each for model, each in admin.site._registry.items() if model._meta.app_label in OURS]
# What each way of typing an amount is, or None if it is refused.
TYPED = {
    "1,50": "1.50",
    "1.50": "1.50",
    "$ 1,50": "1.50",
    "1,50 USD": "1.50",
    "1": "1.00",
    "0,5": "0.50",
    "1 234,56": "1234.56",
    "1.234,56": "1234.56",
    "1,234.56": "1234.56",
    "25.3000": "25.30",
    "1,500": None,
    "1.500": None,
    "1.234": None,
    "1e3": None,
    "NaN": None,
    "Infinity": None,
    "1_000": None,
    "0.005": None,
    "1,2,3": None,
    "dos": None,
    "": None,
}


@pytest.fixture
def boss() -> Client:
    return superuser()


@pytest.fixture
def invoice() -> Invoice:
    """Over 25.30."""
    period = Subscription.objects.get(line__phone_number=JESUS)
    spend_balances(NOW)
    return issue_invoice(invoice=draft_invoice(subscription=period, at=NOW), at=NOW)


def top_up(amount: str, **other: Any) -> dict[str, Any]:
    wallet = Wallet.objects.get(line__phone_number=JESUS)
    return {"wallet": wallet.pk, "kind": "TOP_UP", "amount": amount, "reference": "C-1", **other}


def payment(invoice: Invoice, amount: str) -> dict[str, Any]:
    return {
        "invoice": invoice.pk,
        "amount": amount,
        "payment_method": "EFECTIVO",
        "paid_at_0": "2026-12-03",
        "paid_at_1": "10:30",
        "reference": "C-1",
    }


@pytest.mark.parametrize(("typed", "amount"), TYPED.items())
def test_a_top_up_is_of_the_amount_that_was_typed_or_of_none(
    boss: Client, settings: Any, typed: str, amount: str | None
) -> None:
    settings.TOP_UP_MAX_USD = D(5000)
    response = boss.post(new(WalletEntry), top_up(typed))
    booked = list(WalletEntry.objects.filter(reference="C-1").values_list("amount", flat=True))
    assert booked == ([D(amount)] if amount else [])
    if amount is None:
        assert "amount" in response.context["adminform"].form.errors


@pytest.mark.parametrize(("typed", "amount"), [each for each in TYPED.items() if each[0] != "1.234,56"])
def test_a_payment_too(boss: Client, invoice: Invoice, typed: str, amount: str | None) -> None:
    boss.post(new(Payment), payment(invoice, typed))
    received = [each.received for each in Payment.objects.filter(reference="C-1")]
    assert received == ([D(amount)] if amount else [])


@pytest.mark.parametrize(("typed", "price"), [("23,50", "23.50"), ("23.50", "23.50"), ("23,500", None)])
def test_a_price_too(boss: Client, typed: str, price: str | None) -> None:
    plan = Plan.objects.get(code="movil-15")
    boss.post(url(plan), {**as_shown(boss, url(plan)), "price": typed})
    assert Plan.objects.get(pk=plan.pk).price == (D(price) if price else plan.price)


def test_a_price_per_gb_has_more_decimals_and_is_still_not_guessed(boss: Client) -> None:
    plan = Plan.objects.get(code="movil-15")
    shown = as_shown(boss, url(plan))
    for typed, price in (("0,125", "0.125"), ("1,1250", "1.125"), ("1,125", "1.125")):
        boss.post(url(plan), {**shown, "overage_price_per_gb": typed})
        assert Plan.objects.get(pk=plan.pk).overage_price_per_gb == D(price)
    # The last one was refused: the price before it stands.
    response = boss.post(url(plan), {**shown, "overage_price_per_gb": "9,125"})
    assert "overage_price_per_gb" in response.context["adminform"].form.errors


@pytest.mark.parametrize(
    ("name", "typed", "stored"),
    [
        ("voice_minutes", "1000", 1000),
        ("voice_minutes", "1.000", None),  # Django's own field takes this for 1
        ("voice_minutes", "1,000", None),
        ("voice_minutes", "1 000", 1000),
        ("voice_minutes", "1,5", None),
        ("sms", "2.500", None),
        ("data_bytes", "1,5", 3 * 2**29),
        ("data_bytes", "1.5", 3 * 2**29),
        ("data_bytes", "1,500", None),
    ],
)
def test_quantities_too(boss: Client, name: str, typed: str, stored: int | None) -> None:
    plan = Plan.objects.get(code="movil-15")
    boss.post(url(plan), {**as_shown(boss, url(plan)), name: typed})
    assert getattr(Plan.objects.get(pk=plan.pk), name) == (getattr(plan, name) if stored is None else stored)


@pytest.mark.parametrize(
    ("typed", "rate"), [("0,15", "0.15"), ("0.15", "0.15"), ("$ 0,15", None), ("15", None)]
)
def test_a_tax_rate_too(boss: Client, typed: str, rate: str | None) -> None:
    boss.post(new(TaxRate), {"name": "IVA", "rate": typed, "valid_from": "2026-01-01"})
    made = TaxRate.objects.filter(valid_from="2026-01-01")
    assert [each.rate for each in made] == ([D(rate)] if rate else [])


@pytest.mark.parametrize(
    ("typed", "percent"),
    [("12,5", "12.5"), ("12.5 %", "12.5"), ("12,500", None), ("$ 10", None), ("110", None), ("-5", None)],
)
def test_a_percentage_too(boss: Client, typed: str, percent: str | None) -> None:
    plan = Plan.objects.get(code="movil-15")
    given = {"name": "x", "percent": typed, "amount": "0", "plan": plan.pk, "valid_from": "2026-12-01"}
    boss.post(new(Discount), given)
    assert [each.percent for each in Discount.objects.filter(name="x")] == ([D(percent)] if percent else [])


def test_a_part_of_a_credited_line_too(boss: Client, invoice: Invoice) -> None:
    given = {"corrects": invoice.pk, "why": "x"}
    boss.post(new(CreditNote), {**given, "line_1": "1,500"})
    assert not CreditNote.objects.exists()
    boss.post(new(CreditNote), {**given, "line_1": "1,50"})
    assert CreditNote.objects.get().subtotal == D("1.50")


@pytest.mark.parametrize("amount", ["-1,50", "0", "0,00"])
def test_money_that_is_received_is_positive(boss: Client, invoice: Invoice, amount: str) -> None:
    boss.post(new(WalletEntry), top_up(amount))
    boss.post(new(Payment), payment(invoice, amount))
    assert not WalletEntry.objects.filter(reference="C-1").exists()
    assert not Payment.objects.filter(reference="C-1").exists()


def test_an_adjustment_may_be_negative(boss: Client) -> None:
    boss.post(new(WalletEntry), top_up("-1,50", kind="ADJUSTMENT"))
    assert WalletEntry.objects.get(reference="C-1").amount == D("-1.50")


class TestSaying:
    def test_what_was_booked_is_said(self, boss: Client, invoice: Invoice) -> None:
        said = told(boss.post(new(WalletEntry), top_up("1,50"), follow=True))
        assert "Top-up of 1.50 dollars, line 0969786985. Balance of the wallet: 0.00." in said
        assert "1.50 dollars of it were set off against open invoices." in said
        said = told(boss.post(new(Payment), payment(invoice, "1,50"), follow=True))
        assert "A payment of 1.50 dollars was recorded." in said
        paid = Payment.objects.get(reference="C-1")
        said = told(boss.post(new(Reversal), {"reverses": paid.pk, "why": "x"}, follow=True))
        assert f"A payment of 1.50 dollars of invoice {invoice} was taken back." in said
        said = told(
            boss.post(new(CreditNote), {"corrects": invoice.pk, "why": "x", "line_1": "2"}, follow=True)
        )
        assert f"2.30 dollars of invoice {invoice} were credited, tax included." in said

    def test_what_could_be_either_is_asked_for_in_the_users_language(self) -> None:
        boss = superuser()
        page = boss.post(new(WalletEntry), top_up("1,500"))
        [error] = page.context["adminform"].form.errors["amount"]
        assert error == "“1,500” can be read in more than one way. Write: 1500; 1.50"
        page = boss.post(new(WalletEntry), top_up("1,500"), headers={"accept-language": "es"})
        [error] = page.context["adminform"].form.errors["amount"]
        assert error == "“1,500” puede leerse de más de una forma. Escriba: 1500; 1,50"

    def test_what_it_says_to_write_is_taken(self, boss: Client, settings: Any) -> None:
        settings.TOP_UP_MAX_USD = D(5000)
        boss.post(new(WalletEntry), top_up("1.50"))
        boss.post(new(WalletEntry), top_up("1500", reference="C-2"))
        assert list(
            WalletEntry.objects.filter(reference__startswith="C-").values_list("amount", flat=True)
        ) == [
            D("1500.00"),
            D("1.50"),
        ]


class TestBoxes:
    @pytest.mark.parametrize("language", ["es", "en"])
    @pytest.mark.parametrize("code", ["movil-15", "prepago-8", "hogar-500"])
    def test_a_page_that_is_saved_as_it_is_shown_changes_nothing(self, language: str, code: str) -> None:
        boss = superuser()
        boss.defaults["HTTP_ACCEPT_LANGUAGE"] = language
        Plan.objects.filter(code=code).update(overage_price_per_gb="1.125", overage_price_per_minute="0.001")
        before = Plan.objects.values().get(code=code)
        plan = Plan.objects.get(code=code)
        assert boss.post(url(plan), as_shown(boss, url(plan))).status_code == 302
        assert Plan.objects.values().get(code=code) == before

    def test_amounts_are_shown_as_the_rest_of_the_page_shows_them(self, boss: Client) -> None:
        plan = Plan.objects.get(code="movil-15")
        page = boss.get(url(plan), headers={"accept-language": "es"}).content.decode()
        assert re.search(r'name="price" value="\d+,\d\d"', page)
        assert 'type="number"' not in page

    @pytest.mark.parametrize("model_admin", ADMINS, ids=lambda each: each.opts.label)
    def test_every_box_for_a_number_takes_it_as_people_type_it(self, model_admin: Any) -> None:
        request = RequestFactory().get("/")
        request.user = User(is_superuser=True, is_active=True)
        obj = model_admin.model._base_manager.first()
        made = [model_admin.get_form(request, None, fields=None)]
        if obj is not None:
            made.append(model_admin.get_form(request, obj, change=True))
        made += [inline.get_formset(request).form for inline in model_admin.get_inline_instances(request)]
        for form in made:
            wrong = {name: field for name, field in form.base_fields.items() if not typed_as_people_do(field)}
            assert not wrong

    @pytest.mark.parametrize("form", [ExampleForm, SelectionForm], ids=lambda form: form.__name__)
    def test_so_do_the_boxes_of_other_forms(self, form: type[forms.Form]) -> None:
        assert not [field for field in form.base_fields.values() if not typed_as_people_do(field)]
        assert issubclass(LeftField, TypedNumberMixin)


def typed_as_people_do(field: forms.Field) -> bool:
    if isinstance(field.widget, NumberInput):
        return False
    return isinstance(field, TypedNumberMixin) or not isinstance(
        field, IntegerField | DecimalField | FloatField
    )


def test_a_pack_and_a_spending_limit_too(boss: Client) -> None:
    pack = Pack.objects.get(code="extra-1")
    boss.post(url(pack), {**as_shown(boss, url(pack)), "price": "1.500"})
    assert Pack.objects.get(pk=pack.pk).price == pack.price
    wallet = Wallet.objects.get(line__phone_number=JESUS)
    boss.post(url(wallet), {**as_shown(boss, url(wallet)), "balance_limit_usd": "12,50"})
    assert Wallet.objects.get(pk=wallet.pk).balance_limit_usd == D("12.50")


@pytest.mark.parametrize(("typed", "discount"), [("1,50", "1.50"), ("-5", None), ("1,500", None)])
def test_a_discount_of_one_invoice_too(boss: Client, typed: str, discount: str | None) -> None:
    period = Subscription.objects.get(line__phone_number=JESUS)
    response = boss.post(new(Invoice), {"subscription": period.pk, "discount": typed})
    drafts = [each.discount for each in Invoice.objects.drafts()]
    assert drafts == ([D(discount)] if discount else [])
    if discount is None:
        assert response.context["adminform"].form.errors.keys() == {"discount"}


def test_a_clerk_without_rights_books_nothing() -> None:
    assert somebody_of("Atención al cliente").post(new(WalletEntry), top_up("1,50")).status_code == 403


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("1234.5", "1234.50"),
        ("1", "1"),
        ("1.125", "1.1250"),
        ("0.080000", "0.08"),
        ("0", "0"),
        ("-1.5", "-1.50"),
    ],
)
def test_a_box_never_shows_what_it_would_refuse(number: str, text: str) -> None:
    assert number_text(D(number)) in (text, text.replace(".", ","))
