"""Who may not order, what is no order, and what is refused: a clear 4xx, and nothing has changed."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from rest_framework.authtoken.models import Token

from billing.invoicing.drafting import draft_invoice
from billing.tests.orders import NUMBER, Clock, new_line, new_pack, post
from customers.models import Customer, Line, LineEvent, LineStatus, Plan, Subscription
from telcox.testing.rows import all_rows

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("seeded")]

OTHERS, NOBODYS = "0969786985", "0999999999"
CHANGE = {"plan": "movil-60"}
PACK = {"pack": "mas-5", "reference": "R-1"}
DOORS = [
    ("get", "subscription", None),
    ("post", "plan-change", CHANGE),
    ("post", "plan-change", {**CHANGE, "dry_run": True}),
    ("delete", "plan-change", None),
    ("post", "packs", PACK),
    ("post", "packs", {**PACK, "dry_run": True}),
]
each_door = pytest.mark.parametrize(("method", "what", "body"), DOORS, ids=str)


@pytest.fixture
def line(seeded: None, clock: Clock) -> Line:
    new_pack()
    return new_line(at=clock() - timedelta(days=10))


def knock(client: Client, method: str, what: str, body: Any, phone_number: str) -> Any:
    path = f"/api/customers/{phone_number}/{what}"
    return client.generic(
        method.upper(), path, json.dumps(body).encode() if body else b"", content_type="application/json"
    )


@pytest.mark.usefixtures("closed_api", "line")
class TestWhoMay:
    @pytest.fixture
    def holder(self, line: Line, client: Client) -> Client:
        user = User.objects.create_user("holder")
        Customer.objects.filter(pk=line.customer_id).update(user=user)
        client.force_login(user)
        return client

    @each_door
    def test_nobody_without_a_login(self, client: Client, method: str, what: str, body: Any) -> None:
        before = all_rows()
        assert knock(client, method, what, body, NUMBER).status_code == 401
        assert all_rows() == before

    @each_door
    def test_no_customer_on_anothers_line_which_is_as_if_it_were_not_there(
        self, holder: Client, method: str, what: str, body: Any
    ) -> None:
        before = all_rows()
        others, nobodys = (knock(holder, method, what, body, number) for number in (OTHERS, NOBODYS))
        assert others.status_code == nobodys.status_code == 404
        assert others.json() == nobodys.json()
        assert all_rows() == before

    @each_door
    def test_staff_on_any_line_that_is_there(self, client: Client, method: str, what: str, body: Any) -> None:
        client.force_login(User.objects.create_user("ana", is_staff=True))
        assert knock(client, method, what, body, NUMBER).status_code in (200, 201, 409)
        assert knock(client, method, what, body, NOBODYS).status_code == 404

    def test_the_history_says_who_it_was(self, holder: Client) -> None:
        ana = Client(headers={"Authorization": f"Token {token_of('ana')}"})
        post(holder, "packs", PACK)
        post(ana, "plan-change", {**CHANGE, "when": "period_end"})
        ana.delete(f"/api/customers/{NUMBER}/plan-change")
        post(holder, "plan-change", CHANGE)
        events = LineEvent.objects.filter(line__phone_number=NUMBER).order_by("pk")[1:]
        assert [(event.step, event.by) for event in events] == [
            ("BUY_PACK", "holder"),
            ("SCHEDULE_CHANGE", "ana"),
            ("CANCEL_CHANGE", "ana"),
            ("CHANGE_PLAN", "holder"),
        ]

    def test_the_packs_on_sale_are_for_who_has_a_login(self, client: Client) -> None:
        assert client.get("/api/packs").status_code == 401


def token_of(staff: str) -> str:
    return Token.objects.create(user=User.objects.create_user(staff, is_staff=True)).key


@pytest.mark.usefixtures("open_api", "line")
class TestBadInput:
    @pytest.fixture(autouse=True)
    def unchanged(self, line: Line) -> Iterator[None]:
        before = all_rows()
        yield
        assert all_rows() == before

    @pytest.mark.parametrize(
        ("changes", "loc"),
        [
            ({"plan": None}, "plan"),
            ({"plan": 5}, "plan"),
            ({"plan": ["movil-60"]}, "plan"),
            ({"plan": ""}, "plan"),
            ({"plan": "x" * 51}, "plan"),
            ({"plan": "nope"}, "plan"),
            ({"plan": "MOVIL-60"}, "plan"),
            ({"plan": " movil-60"}, "plan"),
            ({"plan": "movil-60 "}, "plan"),
            ({"plan": "movil-60\x00"}, "plan"),
            ({"plan": "\ud800"}, "plan"),
            ({"plan": "mas-5"}, "plan"),
            ({"when": "later"}, "when"),
            ({"when": None}, "when"),
            ({"when": 1}, "when"),
            ({"when": ["now"]}, "when"),
            ({"dry_run": "true"}, "dry_run"),
            ({"dry_run": 1}, "dry_run"),
            ({"dry_run": None}, "dry_run"),
            ({"version": "1"}, "version"),
            ({"version": 1.5}, "version"),
            ({"version": True}, "version"),
            ({"version": -1}, "version"),
            ({"version": None}, "version"),
            ({"dryrun": True}, "dryrun"),
            ({"price": 0}, "price"),
            ({"\ud800": 0}, "\ud800"),
        ],
        ids=str,
    )
    def test_a_plan_change_that_is_none(self, client: Client, changes: dict[str, Any], loc: str) -> None:
        answer = post(client, "plan-change", {**CHANGE, **changes})
        assert answer.status_code == 422, answer.content
        assert [error["loc"] for error in answer.json()["errors"]] == [["body", loc]]

    @pytest.mark.parametrize(
        ("changes", "loc"),
        [
            ({"pack": None}, "pack"),
            ({"pack": 5}, "pack"),
            ({"pack": "nope"}, "pack"),
            ({"pack": "movil-60"}, "pack"),
            ({"pack": "MAS-5"}, "pack"),
            ({"reference": None}, "reference"),
            ({"reference": 5}, "reference"),
            ({"reference": ""}, "reference"),
            ({"reference": " "}, "reference"),
            ({"reference": "R 1"}, "reference"),
            ({"reference": " R-1"}, "reference"),
            ({"reference": "R-1\n"}, "reference"),
            ({"reference": "é"}, "reference"),
            ({"reference": "\u200b"}, "reference"),
            ({"reference": "x" * 65}, "reference"),
            ({"dry_run": "no"}, "dry_run"),
            ({"when": "now"}, "when"),
        ],
        ids=str,
    )
    def test_a_purchase_that_is_none(self, client: Client, changes: dict[str, Any], loc: str) -> None:
        answer = post(client, "packs", {**PACK, **changes})
        assert answer.status_code == 422, answer.content
        assert {tuple(error["loc"]) for error in answer.json()["errors"]} == {("body", loc)}

    @pytest.mark.parametrize("what", ["plan-change", "packs"])
    @pytest.mark.parametrize("body", [b"", b"null", b"[]", b"5", b"{", b"\xff", b"{}", b'{"a":' * 10_000])
    def test_a_body_that_is_no_order(self, client: Client, what: str, body: bytes) -> None:
        assert post(client, what, body).status_code == 422

    @pytest.mark.parametrize("what", ["plan-change", "packs"])
    def test_a_form(self, client: Client, what: str) -> None:
        assert client.post(f"/api/customers/{NUMBER}/{what}", CHANGE).status_code == 415

    @each_door
    @pytest.mark.parametrize("number", ["09", "abc", "%00", "' or 1"])
    def test_a_path_that_names_no_number(
        self, client: Client, method: str, what: str, body: Any, number: str
    ) -> None:
        answer = knock(client, method, what, body, number)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["loc"] == ["path", "phone_number"]

    def test_the_number_may_be_written_internationally_and_the_path_with_a_slash(
        self, client: Client
    ) -> None:
        shown = client.get(f"/api/customers/+593{NUMBER[1:]}/subscription/").json()
        assert shown["phone_number"] == NUMBER

    @pytest.mark.parametrize(
        ("method", "what"), [("PUT", "plan-change"), ("GET", "packs"), ("POST", "subscription")]
    )
    def test_a_method_that_is_not_for_this_path(self, client: Client, method: str, what: str) -> None:
        assert client.generic(method, f"/api/customers/{NUMBER}/{what}").status_code == 405


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
orders = st.dictionaries(
    st.sampled_from(["plan", "when", "version", "pack", "reference"]) | st.text(), values, max_size=5
)


@pytest.mark.usefixtures("open_api", "line")
@pytest.mark.parametrize("what", ["plan-change", "packs"])
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=orders | values)
def test_any_json_at_all(client: Client, what: str, order: Any) -> None:
    body = json.dumps(order).encode("utf-8", "surrogatepass")
    assert 400 <= post(client, what, body).status_code < 500


@pytest.mark.usefixtures("open_api")
class TestWhatIsRefused:
    @pytest.mark.parametrize("dry_run", [True, False])
    @pytest.mark.parametrize(
        ("what", "body", "reason"),
        [
            ("plan-change", {"plan": "movil-15"}, "same_plan"),
            ("plan-change", {"plan": "movil-10-2024"}, "plan_not_on_sale"),
            ("plan-change", {"plan": "fijo-200"}, "plan_of_other_product_type"),
            ("plan-change", {"plan": "movil-60", "version": 99}, "changed_meanwhile"),
            ("plan-change", {"plan": "movil-60", "version": 10**30}, "changed_meanwhile"),
            ("packs", {**PACK, "pack": "old"}, "pack_not_on_sale"),
            ("packs", {**PACK, "pack": "fijo"}, "pack_of_other_product_type"),
        ],
        ids=str,
    )
    def test_by_what_is_ordered(
        self, client: Client, line: Line, what: str, body: dict[str, Any], reason: str, dry_run: bool
    ) -> None:
        new_pack("old", on_sale=False)
        new_pack("fijo", product_type="FIJO")
        refused(client, what, {**body, "dry_run": dry_run}, reason)
        if what == "plan-change":
            refused(client, what, {**body, "dry_run": dry_run, "when": "period_end"}, reason)

    @pytest.mark.parametrize("dry_run", [True, False])
    @pytest.mark.parametrize(
        ("state", "reason"),
        [("SUSPENDED", "line_suspended"), ("TERMINATED", "line_terminated")],
    )
    def test_by_the_lines_state(
        self, client: Client, line: Line, state: LineStatus, reason: str, dry_run: bool
    ) -> None:
        Line.objects.filter(pk=line.pk).update(status=state)
        for what, body in (("plan-change", CHANGE), ("packs", PACK)):
            refused(client, what, {**body, "dry_run": dry_run}, reason)

    @pytest.mark.parametrize("dry_run", [True, False])
    def test_by_the_period(self, client: Client, clock: Clock, line: Line, dry_run: bool) -> None:
        draft_invoice(subscription=Subscription.objects.get(line=line), at=clock())
        for what, body in (("plan-change", CHANGE), ("packs", PACK)):
            refused(client, what, {**body, "dry_run": dry_run}, "already_invoiced")
        clock.advance(days=20)
        Line.objects.filter(pk=line.pk).update(auto_renew=False)
        for what, body in (("plan-change", CHANGE), ("packs", PACK)):
            refused(client, what, {**body, "dry_run": dry_run}, "no_running_period")

    def test_a_period_that_is_due_begins_before_what_is_ordered_for_it(
        self, client: Client, clock: Clock, line: Line
    ) -> None:
        clock.advance(days=21)
        rehearsed = post(client, "packs", {**PACK, "dry_run": True})
        assert (rehearsed.status_code, line.subscriptions.count()) == (200, 1)
        assert post(client, "packs", PACK).status_code == 201
        assert [period.packs.count() for period in line.subscriptions.order_by("sequence")] == [0, 1]

    @pytest.mark.parametrize("dry_run", [True, False])
    def test_by_the_wallet(self, client: Client, clock: Clock, dry_run: bool) -> None:
        new_pack()
        new_line(at=clock() - timedelta(days=10), prepaid=True, money="20.00")
        for what, body in (("plan-change", CHANGE), ("packs", PACK)):
            refused(client, what, {**body, "dry_run": dry_run}, "insufficient_balance")

    @pytest.mark.parametrize("dry_run", [True, False])
    def test_by_the_spending_limit(self, client: Client, clock: Clock, dry_run: bool) -> None:
        new_pack()
        new_line(at=clock() - timedelta(days=10), spend_limit="3.99")
        refused(client, "packs", {**PACK, "dry_run": dry_run}, "spend_limit")

    def test_a_line_that_never_had_a_plan(self, client: Client, clock: Clock) -> None:
        new_pack()
        customer = Customer.objects.first()
        Line.objects.create(customer=customer, phone_number=NUMBER, product_type="MOVIL")
        for what, body in (("plan-change", CHANGE), ("packs", PACK)):
            refused(client, what, body, "no_running_period")
        assert Plan.objects.filter(code="movil-60").exists()


def refused(client: Client, what: str, body: dict[str, Any], reason: str) -> None:
    before = all_rows()
    answer = post(client, what, body)
    assert (answer.status_code, answer.json()["reason"]) == (409, reason)
    assert all_rows() == before
