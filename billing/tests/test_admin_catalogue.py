"""What staff do with plans, packs and discounts."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from billing.models import Discount
from billing.rating import Used, rate_period
from billing.sales.examples import example_of
from billing.sales.services import activate_subscription
from customers.models import Customer, Line, Pack, Plan, PlanRevision, Subscription
from telcox.testing.builders import NOW
from telcox.testing.office import as_shown, new, preview_of_new, rows, somebody_of, superuser, url

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("seeded")]

GB = 2**30


@pytest.fixture
def boss() -> Client:
    return superuser()


@pytest.fixture
def catalogue() -> Client:
    return somebody_of("Catálogo")


@pytest.fixture
def shop() -> Client:
    return somebody_of("Atención al cliente")


@pytest.fixture
def subscription() -> Subscription:
    return Subscription.objects.get(line__phone_number="0969786985")


@pytest.fixture
def plan() -> Plan:
    return Plan.objects.get(code="movil-30")


PLAN = {
    "name": "Móvil 30 GB plus",
    "code": "movil-30",
    "product_type": "MOVIL",
    "on_sale": "on",
    "data_bytes": "31.5",
    "voice_minutes": "700",
    "sms": "200",
    "validity_days": "30",
    "price": "27.50",
    "overage_price_per_gb": "1.1",
    "overage_price_per_minute": "0.05",
    "overage_price_per_sms": "0.05",
    "overage_per_started_minute": "on",
    "rollover_share": "0",
    "rollover_cap": "1",
}


def test_editing_a_plan_does_not_touch_what_was_sold(boss: Client, subscription: Subscription) -> None:
    plan = subscription.plan
    before = Subscription.objects.filter(plan=plan).order_by("pk").values()
    sold = list(before)
    response = boss.post(url(plan), PLAN)
    assert response.status_code == 302
    plan.refresh_from_db()
    assert (plan.name, plan.price, plan.data_bytes) == ("Móvil 30 GB plus", Decimal("27.50"), 33_822_867_456)
    assert list(before.all()) == sold


def test_a_price_changed_in_mid_period_changes_nothing_of_the_bill_so_far(
    catalogue: Client, boss: Client, subscription: Subscription, plan: Plan
) -> None:
    def bill() -> str:
        page = boss.get(url(subscription)).content.decode()
        return page[page.index("office-bill") : page.index("</table>", page.index("office-bill"))]

    before = bill()
    assert "22.00" in before
    catalogue.post(url(plan), PLAN)
    assert bill() == before


def test_saving_a_plan_as_it_is_shown_changes_nothing(boss: Client, plan: Plan) -> None:
    plan.data_bytes = 32_212_254_721  # one byte more than 30 GB
    plan.save()
    before = Plan.objects.values().get(pk=plan.pk)
    form = boss.get(url(plan)).context["adminform"].form
    assert not form.fields["data_bytes"].has_changed(plan.data_bytes, form["data_bytes"].value())
    assert boss.post(url(plan), as_shown(boss, url(plan))).status_code == 302
    assert Plan.objects.values().get(pk=plan.pk) == before
    assert not plan.revisions.exists()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"price": "-1"}, None),
        ({"data_bytes": "-1"}, "data_bytes"),
        ({"validity_days": "-1"}, "validity_days"),
        ({"data_bytes": "9" * 20}, "data_bytes"),
        ({"rollover_share": "1.01"}, "rollover_share"),
        ({"on_sale_from": "2027-02-01", "on_sale_until": "2027-01-31"}, "on_sale_until"),
    ],
)
def test_a_plan_nobody_could_sell_is_refused_in_the_form(
    boss: Client, plan: Plan, wrong: dict[str, str], field: str | None
) -> None:
    response = boss.post(url(plan), {**PLAN, **wrong})
    assert response.status_code == 200
    errors = response.context["adminform"].form.errors
    assert errors
    assert field is None or list(errors) == [field]
    assert Plan.objects.get(pk=plan.pk).name == plan.name
    assert not plan.revisions.exists()


# --- History ---


def test_a_plans_page_shows_who_changed_what_newest_first(catalogue: Client, plan: Plan) -> None:
    catalogue.post(url(plan), {**PLAN, "name": plan.name, "data_bytes": "30", "voice_minutes": "600"})
    catalogue.post(url(plan), {**PLAN, "zero_rated_social": "on", "validity_days": "0"})
    page = catalogue.get(url(plan)).content.decode()
    history = page[page.index("history-of-terms") :]
    found = [
        history.index(sentence)
        for sentence in (
            "<td>name</td><td><del>Móvil 30 GB</del></td><td>Móvil 30 GB plus</td>",
            "<td>validity</td><td><del>30 days</del></td><td>calendar month</td>",
            "<td>data</td><td><del>30 GB</del></td><td>31.5 GB</td>",
            "<td>social networks free</td><td><del>no</del></td><td>yes</td>",
            "<td>price</td><td><del>22.00</del></td><td>27.50</td>",
            "<td>overage price per GB</td><td><del>1.00</del></td><td>1.10</td>",
        )
    ]
    assert found == sorted(found)
    assert history.count("Catálogo</td>") == 2
    assert PlanRevision.objects.filter(plan=plan, replaced_by="Catálogo").count() == 2


def test_former_terms_are_only_looked_at(boss: Client, plan: Plan) -> None:
    boss.post(url(plan), PLAN)
    revision = plan.revisions.get()
    assert boss.get(url(revision)).status_code == 200
    assert boss.post(url(revision), {"price": "1"}).status_code == 403
    assert boss.post(url(revision, "delete"), {"post": "yes"}).status_code == 403
    assert boss.get(new(PlanRevision)).status_code == 403


# --- Preview ---

EXAMPLE = {
    "example-social": "1",
    "example-navigation_search": "32.5",
    "example-voice_minutes": "710.5",
    "example-sms": "201",
    "example-days": "",
}


def unchanged() -> list[object]:
    models = (Plan, PlanRevision, Subscription, Pack, Discount)
    return [list(model._default_manager.order_by("pk").values()) for model in models]


def test_a_preview_is_what_rating_says_of_the_unsaved_terms(catalogue: Client, plan: Plan) -> None:
    Discount.objects.create(name="10 %", percent=10, plan=plan, valid_from="2026-01-01")
    pack = Pack.objects.get(code="extra-1")
    before = unchanged()
    response = catalogue.post(
        url(plan, "preview"), {**PLAN, **EXAMPLE, "example-pack": pack.pk, "price": "40"}
    )
    assert response.status_code == 200
    assert response["X-Frame-Options"] == "SAMEORIGIN"
    assert unchanged() == before

    typed = Plan.objects.get(pk=plan.pk)
    typed.price, typed.data_bytes, typed.voice_minutes = Decimal(40), 33_822_867_456, 700
    typed.overage_price_per_gb = Decimal("1.1")
    used = Used(GB, 0, 0, 65 * GB // 2, 42_630, 201)
    facts = example_of(plan=typed, used=used, at=timezone.now())
    changes = type(facts.changes)(packs=(type_of_pack(pack),), discounts=facts.changes.discounts)
    rated = rate_period(facts.terms, used, facts.span, changes, Decimal("0.15"))
    [bill] = response.context["bills"]
    assert [line["amount"] for line in bill["lines"]] == [f"{line.amount}" for line in rated.lines]
    assert [bill[name] for name in ("subtotal", "discount", "tax", "total")] == [
        f"{sum_:,.2f}" for sum_ in (rated.subtotal, rated.discount, rated.tax, rated.total)
    ]
    assert bill["lines"][0]["amount"] == "40.00"


def type_of_pack(pack: Pack):
    from billing.rating import Pack as Bought

    return Bought(pack.name, pack.price, pack.data_bytes, pack.voice_minutes, pack.sms)


def test_part_of_a_period_a_prepaid_line_and_a_spending_limit(catalogue: Client, plan: Plan) -> None:
    def total(**given: str) -> str:
        response = catalogue.post(url(plan, "preview"), {**PLAN, **EXAMPLE, **given})
        return response.context["bills"][0]["subtotal"]

    assert total(**{"example-prepaid": "on"}) == "27.50"
    assert total(**{"example-spend_limit": "1"}) == "28.50"
    assert total(**{"example-prepaid": "on", "example-days": "15"}) == "13.75"


def test_a_plan_that_is_not_there_yet_is_previewed(catalogue: Client) -> None:
    assert catalogue.get(new(Plan)).context["preview"].address == preview_of_new(Plan)
    given = {**PLAN, **EXAMPLE, "code": "new", "validity_days": "0"}
    response = catalogue.post(preview_of_new(Plan), given)
    assert response.context["bills"][0]["lines"][0]["amount"] == "27.50"
    assert not Plan.objects.filter(code="new").exists()


def test_what_is_wrong_is_said_in_the_frame(catalogue: Client, plan: Plan) -> None:
    given = {**PLAN, **EXAMPLE, "price": "x", "example-sms": "-1"}
    page = catalogue.post(url(plan, "preview"), given).content.decode()
    assert "<strong>Price:</strong> Enter a number." in page
    assert "<strong>SMS:</strong>" in page
    response = catalogue.post(url(plan, "preview"), {**PLAN, "example-days": "31"})
    assert "The period has only 30 days" in response.content.decode()


def test_who_only_sees_plans_previews_them_as_they_are(shop: Client, plan: Plan) -> None:
    response = shop.post(url(plan, "preview"), {**PLAN, "price": "1"})
    assert response.context["bills"][0]["subtotal"] == "22.00"
    assert shop.post(preview_of_new(Plan), PLAN).status_code == 403


def test_previews_are_for_those_who_may_see_plans(plan: Plan) -> None:
    nobody = somebody_of("Red")
    assert nobody.post(url(plan, "preview"), PLAN).status_code == 403
    assert Client().post(url(plan, "preview"), PLAN).status_code == 302
    assert superuser().get(url(plan, "preview")).status_code == 405
    assert (
        superuser("otra").post(url(plan, "preview").replace(str(plan.pk), "99999"), PLAN).status_code == 404
    )


# --- Packs and discounts ---

PACK = {
    "name": "2 GB más",
    "code": "extra-2",
    "product_type": "MOVIL",
    "price": "2.00",
    "on_sale": "on",
    "data_bytes": "2",
    "voice_minutes": "0",
    "sms": "0",
}


def test_a_pack_is_written_in_gb(catalogue: Client) -> None:
    assert catalogue.post(new(Pack), PACK).status_code == 302
    assert Pack.objects.get(code="extra-2").data_bytes == 2 * GB


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"data_bytes": "0"}, "data_bytes"),
        ({"on_sale_from": "2027-02-01", "on_sale_until": "2027-01-31"}, "on_sale_until"),
        ({"price": ""}, "price"),
    ],
)
def test_a_pack_nobody_could_buy_is_refused_in_the_form(
    catalogue: Client, wrong: dict[str, str], field: str
) -> None:
    response = catalogue.post(new(Pack), {**PACK, **wrong})
    assert list(response.context["adminform"].form.errors) == [field]
    assert not Pack.objects.filter(code="extra-2").exists()


def test_a_discount_is_for_the_periods_to_come(boss: Client, plan: Plan, subscription: Subscription) -> None:
    given = {"name": "Fiel", "percent": "10", "amount": "0", "plan": plan.pk, "valid_from": "2026-01-01"}
    assert boss.post(new(Discount), given).status_code == 302
    subscription.refresh_from_db()
    assert subscription.discounts == []
    customer = subscription.line.customer
    line = Line.objects.create(customer=customer, phone_number="0955555555", product_type="MOVIL")
    sold = activate_subscription(line=line, plan=plan, at=NOW)
    page = boss.get(url(sold)).content.decode()
    assert "Fiel (10 %)" in page


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"percent": "0"}, "percent"),
        ({"percent": "101"}, None),
        ({"plan": ""}, "plan"),
        ({"valid_until": "2025-12-31"}, "valid_until"),
    ],
)
def test_a_discount_that_is_none_is_refused(
    boss: Client, plan: Plan, wrong: dict[str, str], field: str | None
) -> None:
    given = {"name": "Fiel", "percent": "10", "amount": "0", "plan": plan.pk, "valid_from": "2026-01-01"}
    errors = boss.post(new(Discount), {**given, **wrong}).context["adminform"].form.errors
    assert list(errors) == [field or "__all__"]
    assert not Discount.objects.exists()


def test_discounts_that_are_valid_now_are_found(boss: Client, plan: Plan) -> None:
    today = date.today()
    for name, begin, end in (
        ("past", today - timedelta(9), today - timedelta(2)),
        ("now", today - timedelta(9), None),
        ("future", today + timedelta(2), None),
    ):
        Discount.objects.create(name=name, percent=1, plan=plan, valid_from=begin, valid_until=end)
    found = boss.get(rows(Discount), {"valid": "now"}).context["cl"].queryset
    assert [each.name for each in found] == ["now"]


def test_each_group_has_its_doors(catalogue: Client, shop: Client, plan: Plan) -> None:
    for page in (rows(Plan), rows(Pack), rows(Discount), rows(PlanRevision), new(Plan), new(Pack)):
        assert catalogue.get(page).status_code == 200, page
    for page in (rows(Plan), rows(Pack), rows(Discount)):
        assert shop.get(page).status_code == 200, page
    for page in (new(Plan), new(Pack), new(Discount)):
        assert shop.get(page).status_code == 403, page
    assert shop.post(url(plan), PLAN).status_code == 403
    assert catalogue.get(rows(Customer)).status_code == 403
