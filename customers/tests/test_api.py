"""Summary and catalogue, through the front door."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from rest_framework.authtoken.models import Token

from billing.sales.renewal import renew_subscriptions
from customers.bss import _gateway
from customers.bss.standin import BssStandin, Failure, Switches
from customers.models import Customer, Line, Plan, Subscription
from telcox.common.calendar import local_date
from telcox.testing.processes import ROOT, Process, free_port, wait_for_port
from usage.models import UsageCounter
from usage.services import record_usage
from usage.vocabulary import Category

pytestmark = pytest.mark.django_db

JESUS, CARLA = "0969786985", "0934567890"
Queries = Callable[[int], AbstractContextManager[Any]]


def path(phone_number: str) -> str:
    return f"/api/customers/{phone_number}/summary"


class TestLocalGateway:
    def test_the_balance_is_the_wallets_and_the_minutes_the_counters(
        self, seeded: None, open_api: None, client: Client, now: Any
    ) -> None:
        record_usage(phone_number=JESUS, category=Category.VOICE, quantity=61, source="t", at=now)
        summary = client.get(path(JESUS)).json()
        assert summary["balance_usd"] == 12.75
        assert (summary["minutes_remaining"], summary["minutes_limit"]) == (318, 600)

    def test_minutes_are_never_below_none(
        self, seeded: None, open_api: None, client: Client, now: Any
    ) -> None:
        record_usage(phone_number=CARLA, category=Category.VOICE, quantity=600, source="t", at=now)
        assert client.get(path(CARLA)).json()["minutes_remaining"] == 0

    def test_a_renewed_period_has_all_its_minutes(
        self, seeded: None, open_api: None, client: Client, now: Any
    ) -> None:
        renew_subscriptions(at=Subscription.objects.get(line__phone_number=JESUS).expiration_at)
        assert client.get(path(JESUS)).json()["minutes_remaining"] == 600

    def test_a_line_without_wallet_and_plan_has_nothing(
        self, seeded: None, open_api: None, client: Client
    ) -> None:
        customer = Customer.objects.get(full_name="Carla M.")
        Line.objects.create(customer=customer, phone_number="0955555555", product_type="MOVIL")
        summary = client.get(path("0955555555")).json()
        assert (summary["balance_usd"], summary["minutes_limit"], summary["minutes_remaining"]) == (0, 0, 0)

    def test_it_costs_one_query_however_many_periods_there_were(
        self,
        seeded: None,
        open_api: None,
        client: Client,
        now: Any,
        django_assert_num_queries: Queries,
    ) -> None:
        renew_subscriptions(at=now.replace(year=2036))
        with django_assert_num_queries(1):
            assert client.get(path(JESUS)).json()["minutes_remaining"] == 600


class TestHttpGateway:
    @pytest.fixture
    def standin(self, settings: Any, open_api: None) -> Iterator[BssStandin]:
        with BssStandin() as standin:
            settings.BSS_GATEWAY = "customers.bss.http.HttpGateway"
            settings.BSS_URL = standin.url
            settings.BSS_TIMEOUT_SECONDS = 0.3
            _gateway.cache_clear()
            yield standin
            _gateway.cache_clear()

    def test_the_summary_is_the_bsss(self, standin: BssStandin, client: Client) -> None:
        assert client.get(path(JESUS)).json()["balance_usd"] == 12.75

    @pytest.mark.parametrize(
        ("switches", "status"),
        [(Switches(failure=Failure.STATUS), 502), (Switches(delay=1), 504), (Switches(), 404)],
        ids=str,
    )
    def test_its_failures_are_told_apart(
        self, standin: BssStandin, client: Client, switches: Switches, status: int
    ) -> None:
        standin.switches = switches
        answer = client.get(path("0999999999"))
        assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")


class TestWhoSeesIt:
    @pytest.fixture
    def jesus(self, seeded: None, closed_api: None) -> Client:
        user = User.objects.create_user("jesus")
        Customer.objects.filter(full_name="Jesus Jacome").update(user=user)
        client = Client()
        client.force_login(user)
        return client

    def test_nobody_without_a_login(self, seeded: None, closed_api: None, client: Client) -> None:
        for url in (path(JESUS), f"/api/customers/{JESUS}/billing", f"/api/customers/{JESUS}/usage"):
            answer = client.get(url)
            assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Token")

    @pytest.mark.parametrize("what", ["summary", "usage"])
    def test_a_customer_their_own_and_anothers_as_if_it_were_not_there(
        self, jesus: Client, what: str
    ) -> None:
        assert jesus.get(f"/api/customers/{JESUS}/{what}").status_code == 200
        others = jesus.get(f"/api/customers/{CARLA}/{what}")
        nobodys = jesus.get(f"/api/customers/0999999999/{what}")
        assert others.status_code == 404
        assert others.json() == nobodys.json()

    def test_a_customer_reports_no_usage(self, jesus: Client) -> None:
        event = {"phone_number": JESUS, "category": "SOCIAL", "bytes": 1}
        answer = jesus.post("/api/dev/usage-event", event, content_type="application/json")
        assert answer.status_code == 403
        assert UsageCounter.objects.get(subscription__line__phone_number=JESUS).version == 4

    def test_staff_everybody(self, jesus: Client, client: Client) -> None:
        client.force_login(User.objects.create_user("staff", is_staff=True))
        assert client.get(path(CARLA)).status_code == 200
        assert client.get(path("0999999999")).status_code == 404

    def test_a_token_serves_as_a_login(self, jesus: Client, client: Client) -> None:
        token = Token.objects.create(user=User.objects.get(username="jesus"))
        assert client.get(path(JESUS), headers={"Authorization": f"Token {token.key}"}).status_code == 200


def test_the_catalogue_shows_what_is_on_sale_in_one_query(
    seeded: None, open_api: None, client: Client, django_assert_num_queries: Queries
) -> None:
    with django_assert_num_queries(1):
        items = client.get("/api/plans").json()["items"]
    assert {item["code"] for item in items} == set(
        Plan.objects.on_sale(local_date(timezone.now())).values_list("code", flat=True)
    )
    assert "movil-10-2024" not in {item["code"] for item in items}
    assert items[0]["price"] == 8.5


@pytest.mark.parametrize(
    "written",
    [
        "0969786985",
        "969786985",
        "00593969786985",
        "+593%20(0)96%20978%206985",
        "096-978-6985",
        "%E2%80%8E0969786985",
        "%EF%BC%90969786985",
        "tel:%2B593-96-978-6985",
    ],
)
@pytest.mark.parametrize("what", ["summary", "usage", "billing", "subscription", "wallet"])
def test_a_line_is_found_by_its_number_in_any_spelling(
    seeded: None, open_api: None, client: Client, written: str, what: str
) -> None:
    answer = client.get(f"/api/customers/{written}/{what}")
    assert answer.status_code == 200
    assert answer.json() == client.get(f"/api/customers/{JESUS}/{what}").json()


@pytest.mark.parametrize(
    "number", ["09", "abc", "0969_786985", "%00%00%00%00%00", "%FF%FE%FD%FC", "9" * 500, "' or 1"]
)
@pytest.mark.parametrize("what", ["summary", "usage", "billing"])
def test_what_is_no_phone_number_is_said_to_be_none(
    open_api: None, client: Client, number: str, what: str
) -> None:
    answer = client.get(f"/api/customers/{number}/{what}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["path", "phone_number"]


@pytest.mark.processes
def test_the_standin_runs_as_a_command_and_stops_when_told() -> None:
    port = free_port()
    command = [str(ROOT / ".venv/bin/python"), "manage.py", "run_bss_standin", "--port", str(port)]
    with Process("standin", command) as process:
        wait_for_port(port)
        process.terminate()
        process.stop()
        assert process.returncode == 0
