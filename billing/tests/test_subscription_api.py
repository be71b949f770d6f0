"""What a line has, through the front door: it and its bill are the same whatever becomes of the catalogue."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from billing.invoicing.drafting import draft_invoice
from billing.sales.renewal import renew_subscriptions
from billing.sales.services import agree_spend_limit
from billing.tests.orders import (
    GB,
    NUMBER,
    Clock,
    as_shown,
    busy_line,
    charged,
    new_line,
    new_pack,
    periods,
    post,
    subscription,
    use,
)
from customers.catalogue import revise_plan
from customers.models import Line, Pack, Plan, PlanRevision, Subscription
from usage.vocabulary import Category

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("seeded", "open_api")]

Queries = Callable[[int], AbstractContextManager[Any]]


@pytest.fixture
def line(clock: Clock) -> Line:
    return busy_line(clock, prepaid=False)


class TestWhatALineHas:
    def test_all_of_it(self, client: Client, clock: Clock, line: Line) -> None:
        new_pack()
        post(client, "packs", {"pack": "mas-5", "reference": "R-1"})
        post(client, "plan-change", {"plan": "movil-60", "when": "period_end"})
        shown = subscription(client)
        bill = shown.pop("bill_so_far")
        assert shown == {
            "phone_number": NUMBER,
            "status": "ACTIVE",
            "prepaid": False,
            "auto_renew": True,
            "ends_with_period": False,
            "version": 3,
            "period": {
                "sequence": 1,
                "start_at": "2026-11-21T10:00:00-05:00",
                "expiration_at": "2026-12-21T10:00:00-05:00",
                "expired": False,
                "plan": "movil-15",
                "plan_name": "Móvil 15 GB",
                "price": 16.0,
                "limits": {"data_bytes": 20 * GB, "voice_minutes": 300, "sms": 100},
                "included": {"data_bytes": 15 * GB, "voice_minutes": 300, "sms": 100},
                "carried_in": {"data_bytes": 0, "voice_minutes": 0, "sms": 0},
                "packs": [
                    {
                        "pack": "mas-5",
                        "name": "5 GB más",
                        "price": 4.0,
                        "data_bytes": 5 * GB,
                        "voice_minutes": 0,
                        "sms": 0,
                        "bought_at": "2026-12-01T10:00:00-05:00",
                        "reference": "R-1",
                    }
                ],
            },
            "used": {"data_bytes": 10 * GB, "zero_rated_bytes": 0, "voice_seconds": 18601, "sms": 0},
            "left": {"data_bytes": 10 * GB, "voice_minutes": 0, "sms": 100},
            "stopped": [],
            "spend_limit": 30.0,
            "pending_change": {
                "plan": "movil-60",
                "plan_name": "Móvil 60 GB",
                "asked_at": "2026-12-01T10:00:00-05:00",
                "effective_at": "2026-12-21T10:00:00-05:00",
            },
        }
        assert bill["lines"][-1] == {
            "kind": "VOICE",
            "name": "Móvil 15 GB",
            "unit": "MINUTE",
            "quantity": 11.0,
            "unit_price": 0.06,
            "amount": 0.66,
            "discount": 0.0,
            "tax": 0.1,
            "late_for": None,
        }

    def test_what_is_reached_is_stopped(self, client: Client, clock: Clock, line: Line) -> None:
        agree_spend_limit(line=line, limit=Decimal("0.66"), at=clock())
        use(clock, Category.VOICE, 59)
        assert subscription(client)["stopped"] == ["VOICE"]

    def test_zero_rated_data_is_used_of_no_allowance(self, client: Client, clock: Clock, line: Line) -> None:
        Subscription.objects.filter(line=line).update(zero_rated_entertainment=True)
        shown = subscription(client)
        assert (shown["used"]["data_bytes"], shown["used"]["zero_rated_bytes"]) == (0, 10 * GB)
        assert shown["left"]["data_bytes"] == 15 * GB

    @pytest.mark.parametrize(("money", "stopped"), [("20.00", ["DATA", "VOICE", "SMS"]), ("100.00", [])])
    def test_a_prepaid_period_that_has_run_out_gives_nothing_more_unless_the_next_is_paid(
        self, client: Client, clock: Clock, money: str, stopped: list[str]
    ) -> None:
        new_line(at=clock() - timedelta(days=10), prepaid=True, money=money)
        assert subscription(client)["stopped"] == []
        clock.advance(days=20)
        shown = subscription(client)
        assert (shown["period"]["expired"], shown["stopped"]) == (True, stopped)

    def test_a_line_that_never_had_a_plan_has_no_period(self, client: Client, clock: Clock) -> None:
        customer = Line.objects.get(phone_number="0969786985").customer
        Line.objects.create(customer=customer, phone_number=NUMBER, product_type="MOVIL")
        shown = subscription(client)
        for name in ("period", "used", "left", "pending_change", "bill_so_far", "spend_limit"):
            assert shown[name] is None
        assert (shown["version"], shown["stopped"]) == (0, ["DATA", "VOICE", "SMS"])

    def test_the_past_costs_no_query(
        self, client: Client, clock: Clock, line: Line, django_assert_max_num_queries: Queries
    ) -> None:
        new_pack()

        def ask() -> None:
            bought = post(client, "packs", {"pack": "mas-5", "reference": f"R-{clock():%Y}"})
            assert bought.status_code == 201
            with django_assert_max_num_queries(12):
                subscription(client)
            with django_assert_max_num_queries(38):  # three less if nothing is left of the pack
                post(client, "plan-change", {"plan": "movil-60", "dry_run": True})
            with django_assert_max_num_queries(33):
                post(client, "packs", {"pack": "mas-5", "reference": "another", "dry_run": True})

        ask()
        renew_subscriptions(at=clock.advance(days=3650))
        clock.advance(seconds=1)
        assert len(periods(line)) > 100
        ask()


class TestAPriceThatIsEdited:
    """In the middle of a period: for whom has it already, nothing changes."""

    @pytest.fixture(params=["by staff, who keep what it was", "in the table itself"])
    def edit(self, request: pytest.FixtureRequest, clock: Clock) -> Callable[[str], None]:
        def edit(code: str) -> None:
            changes = {"price": Decimal("99.00"), "data_bytes": 1, "name": "Dear", "overage_price_per_gb": 9}
            plan = Plan.objects.get(code=code)
            if request.param == "in the table itself":
                Plan.objects.filter(pk=plan.pk).update(**changes)
                assert not PlanRevision.objects.exists()
                return
            for name, value in changes.items():
                setattr(plan, name, value)
            revise_plan(plan=plan, at=clock(), by="ana")
            assert PlanRevision.objects.get().price != plan.price

        return edit

    def test_neither_the_bill_so_far_nor_a_dry_run_nor_the_invoice(
        self, client: Client, clock: Clock, line: Line, edit: Callable[[str], None]
    ) -> None:
        new_pack()
        orders = (
            ("plan-change", {"plan": "movil-60"}),
            ("plan-change", {"plan": "movil-60", "when": "period_end"}),
            ("packs", {"pack": "mas-5", "reference": "R-1"}),
        )

        def seen() -> list[Any]:
            dry_runs = [post(client, what, {**body, "dry_run": True}).json() for what, body in orders]
            return [subscription(client), *dry_runs]

        before = seen()
        edit("movil-15")
        assert seen() == before
        clock.advance(days=20)
        assert as_shown(draft_invoice(subscription=periods(line)[0], at=clock())) == charged(
            before[0]["bill_so_far"]
        )

    def test_nor_those_of_a_plan_one_has_changed_to(
        self, client: Client, clock: Clock, line: Line, edit: Callable[[str], None]
    ) -> None:
        done = post(client, "plan-change", {"plan": "movil-60"}).json()
        clock.advance(days=1)
        edit("movil-60")
        assert subscription(client)["bill_so_far"] == done["bills"][1]
        ended, begun = periods(line)
        clock.advance(days=29)
        assert as_shown(draft_invoice(subscription=ended, at=clock())) == charged(done["bills"][0])
        assert as_shown(draft_invoice(subscription=begun, at=clock())) == charged(done["bills"][1])

    def test_who_has_yet_to_change_is_told_the_new_price(
        self, client: Client, clock: Clock, line: Line, edit: Callable[[str], None]
    ) -> None:
        edit("movil-60")
        clock.advance(seconds=1)
        begun = post(client, "plan-change", {"plan": "movil-60", "dry_run": True}).json()["bills"][1]
        assert begun["subtotal"] == 99


def test_the_packs_on_sale(client: Client, clock: Clock, django_assert_num_queries: Queries) -> None:
    Pack.objects.update(on_sale=False)
    new_pack()
    new_pack("old", on_sale=False)
    new_pack("next", on_sale_from="2026-12-02")
    with django_assert_num_queries(1):
        [pack] = client.get("/api/packs").json()["items"]
    assert pack == {
        "code": "mas-5",
        "name": "5 GB más",
        "product_type": "MOVIL",
        "price": 4.0,
        "data_bytes": 5 * GB,
        "voice_minutes": 0,
        "sms": 0,
    }


def test_a_plan_shows_all_its_terms(client: Client, clock: Clock) -> None:
    Plan.objects.filter(code="movil-15").update(
        validity_days=0, zero_rated_social=True, zero_rated_navigation_search=True, rollover_share="0.5"
    )
    items = {plan["code"]: plan for plan in client.get("/api/plans").json()["items"]}
    assert items["movil-15"] == {
        "code": "movil-15",
        "name": "Móvil 15 GB",
        "product_type": "MOVIL",
        "price": 16.0,
        "data_bytes": 15 * GB,
        "voice_minutes": 300,
        "sms": 100,
        "validity_days": 0,
        "overage_price_per_gb": 1.2,
        "overage_price_per_minute": 0.06,
        "overage_price_per_sms": 0.06,
        "overage_per_started_gb": False,
        "overage_per_started_minute": True,
        "data_stops": False,
        "voice_stops": False,
        "sms_stops": False,
        "overage_beyond_spend_limit": False,
        "rollover_share": 0.5,
        "rollover_cap": 1.0,
        "zero_rated": ["SOCIAL", "NAVIGATION_SEARCH"],
    }
    assert items["movil-30"]["zero_rated"] == []
