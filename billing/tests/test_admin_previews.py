"""What a step of a line would cost, shown before it is taken."""

from decimal import Decimal

import pytest
from django.test import Client

from billing.models import Wallet
from billing.tests.lines import changed_by, new_line, pack, plan, running_line, running_prepaid_line
from customers.models import Line, PlanChange, SoldPack, Subscription
from telcox.testing.office import new, preview_of_new, somebody_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("seeded")]


@pytest.fixture
def shop() -> Client:
    return somebody_of("Atención al cliente")


@pytest.fixture
def line() -> Line:
    return running_line()


@pytest.fixture
def prepaid_line() -> Line:
    return running_prepaid_line()


def test_a_plan_change_is_shown_before_it_happens_and_then_costs_that(
    shop: Client, prepaid_line: Line
) -> None:
    given = {"line": prepaid_line.pk, "plan": plan("movil-15").pk, "at_period_end": "now"}
    assert shop.get(new(PlanChange)).context["preview"].address == preview_of_new(PlanChange)
    shown = []

    def preview() -> None:
        shown.append(shop.post(preview_of_new(PlanChange), given))

    assert not changed_by(preview)
    [response] = shown
    assert response["X-Frame-Options"] == "SAMEORIGIN"
    old, following = response.context["bills"]
    assert (old["total"], following["total"]) == ("4.29", "18.40")
    # 9.20 were paid for the old plan, of which 4.29 were used.
    assert response.context["charged"] == ("Charged to the wallet now: 13.49. Balance after that: 6.51.")
    shop.post(new(PlanChange), given)
    assert Wallet.objects.get(line=prepaid_line).balance_usd == Decimal("6.51")


def test_a_planned_change_charges_nothing_and_shows_the_next_period(shop: Client, line: Line) -> None:
    given = {"line": line.pk, "plan": plan("movil-30").pk, "at_period_end": "end"}
    response = shop.post(preview_of_new(PlanChange), given)
    assert [bill["total"] for bill in response.context["bills"]] == ["18.40", "25.30"]
    assert response.context["charged"] == "Nothing is charged to the wallet now."
    assert not line.plan_changes.exists()


def test_a_pack_and_a_sale_are_tried_out_too(shop: Client, prepaid_line: Line) -> None:
    given = {"line": prepaid_line.pk, "pack": pack().pk, "reference": "r"}
    fresh = new_line("0977777777")
    shown = []

    def previews() -> None:
        shown.append(shop.post(preview_of_new(SoldPack), given))
        shown.append(shop.post(preview_of_new(Subscription), {"line": fresh.pk, "plan": plan("movil-5").pk}))

    assert not changed_by(previews)
    bought, sold = shown
    assert bought.context["charged"] == "Charged to the wallet now: 1.38. Balance after that: 18.62."
    assert [bill["total"] for bill in sold.context["bills"]] == ["11.50"]


def test_a_refusal_and_what_is_wrong_are_said_in_the_frame(shop: Client, prepaid_line: Line) -> None:
    dear = {"line": prepaid_line.pk, "plan": plan("movil-60").pk, "at_period_end": "now"}
    response = shop.post(preview_of_new(PlanChange), dear)
    assert response.status_code == 200
    assert response.context["refusal"]
    page = shop.post(preview_of_new(PlanChange), {"line": "x"}).content.decode()
    assert "<strong>Line:</strong>" in page
    assert "<strong>New plan:</strong> This field is required." in page
    assert shop.get(preview_of_new(PlanChange)).status_code == 405
    stale = {**dear, "plan": plan("movil-5").pk, "seen": f"{prepaid_line.pk}-77"}
    response = shop.post(preview_of_new(PlanChange), stale)
    assert response.context["refusal"] == "The line was changed in the meantime: reload it and try again"
