"""Wallets and top-ups through the front door."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from billing.models import MONEY_METHODS, EntryKind, PaymentMethod, Wallet, WalletEntry
from billing.wallets import Posting, post_entries, top_up
from billing.wallets.gateway import Collected
from customers.models import Customer, Line
from telcox.common.errors import DomainError, GatewayTimeout, PaymentDeclined
from telcox.testing.builders import NOW

D = Decimal
JESUS, BRUNO = "0969786985", "0923456789"
# As they stand in the body.
WRONG_AMOUNTS = (
    *("0", "-1", "0.001", "10.005", "500.01", "1e10", "1e400", "1e-400", "1e1000000"),
    *("1e99999999999999999999", "1" * 5000, "0." + "1" * 5000),
    *("true", "null", '"10.00"', "[]", "{}", "NaN", "Infinity", "", "1.", "+1"),
)
WRONG_REFERENCES: tuple[Any, ...] = (
    *("", " ", "a b", " a", "a\n", "á", "a\x00", "x" * 65, "\ud800", "a\u200b"),
    *(None, 5, [], {}),
)
WRONG_METHODS: tuple[Any, ...] = ("", "tarjeta", "BITCOIN", None, 1, [])
Queries = Callable[[int], AbstractContextManager[Any]]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("seeded")]


@dataclass
class Provider:
    """Somebody outside who collects money, and can refuse or be slow. As the port wants it: once for each
    reference."""

    collected: dict[str, Decimal] = field(default_factory=dict)
    error: DomainError | None = None
    answers_after_collecting: bool = True

    def collect(
        self, *, phone_number: str, amount: Decimal, method: PaymentMethod, reference: str, staff: bool
    ) -> Collected:
        if self.error and self.answers_after_collecting:
            raise self.error
        self.collected.setdefault(reference, amount)
        if self.error:
            raise self.error
        return Collected(reference, confirmation="AUTH-1")


PROVIDER = Provider()


@pytest.fixture
def provider(settings: Any) -> Provider:
    settings.PAYMENT_GATEWAY = "billing.tests.test_wallet_api.the_provider"
    PROVIDER.__init__()  # type: ignore[misc]
    return PROVIDER


def the_provider() -> Provider:
    return PROVIDER


@pytest.fixture
def jesus(closed_api: None) -> Client:
    """The customer, on a closed API."""
    user = User.objects.create_user("jesus")
    Customer.objects.filter(full_name="Jesus Jacome").update(user=user)
    return logged_in(user)


def logged_in(user: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return client


def staff_of(*groups: str) -> Client:
    user = User.objects.create_user("-".join(("ana", *groups)), is_staff=True)
    user.groups.set(Group.objects.filter(name__in=groups))
    return logged_in(user)


def ask_for(client: Client, phone_number: str = JESUS, **changes: Any) -> Any:
    body = {"amount": 10.00, "reference": "TR-1", **changes}
    return client.post(f"/api/customers/{phone_number}/top-ups", body, content_type="application/json")


def wallet(client: Client, phone_number: str = JESUS, query: str = "") -> dict[str, Any]:
    answer = client.get(f"/api/customers/{phone_number}/wallet{query}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def balance() -> Decimal:
    return Wallet.objects.get(line__phone_number=JESUS).balance_usd


class TestTheWallet:
    def test_it_shows_the_balance_and_what_made_it(self, open_api: None, client: Client) -> None:
        assert wallet(client) == {
            "balance_usd": 12.75,
            "balance_limit_usd": 30.0,
            "prepaid": False,
            "entries": [
                {
                    "position": 1,
                    "kind": "TOP_UP",
                    "amount": 12.75,
                    "balance_after": 12.75,
                    "reference": f"seed-{JESUS}",
                    "description": "Recarga",
                    "at": "2026-11-23T00:16:02-05:00",
                }
            ],
        }

    def test_a_line_without_a_wallet_has_nothing(self, open_api: None, client: Client) -> None:
        customer = Customer.objects.all()[0]
        Line.objects.create(customer=customer, phone_number="0911111111", product_type="MOVIL", prepaid=True)
        shown = wallet(client, "0911111111")
        assert shown == {"balance_usd": 0.0, "balance_limit_usd": 0.0, "prepaid": True, "entries": []}

    def test_the_newest_fifty_come_first_and_older_ones_are_asked_for(
        self, open_api: None, client: Client, django_assert_num_queries: Queries
    ) -> None:
        with django_assert_num_queries(2):
            wallet(client)
        line = Line.objects.get(phone_number=JESUS)
        post_entries(postings=[Posting(line.pk, EntryKind.TOP_UP, D(1), f"t-{n}") for n in range(70)], at=NOW)
        with django_assert_num_queries(2):
            shown = wallet(client)["entries"]
        assert [entry["position"] for entry in shown] == list(range(71, 21, -1))
        older = wallet(client, query="?before=22")["entries"]
        assert [entry["position"] for entry in older] == list(range(21, 0, -1))
        assert wallet(client, query="?before=1")["entries"] == []

    @pytest.mark.parametrize("before", ["0", "-1", "x", "1.5", "9" * 30, "%00"])
    def test_a_position_that_cannot_be_is_refused(self, open_api: None, client: Client, before: str) -> None:
        answer = client.get(f"/api/customers/{JESUS}/wallet?before={before}")
        assert answer.status_code == 422
        assert answer.json()["errors"]

    def test_a_customer_sees_only_their_own(self, jesus: Client, django_assert_num_queries: Queries) -> None:
        with django_assert_num_queries(5):  # session, user, whose it is, the line, its entries
            assert wallet(jesus)["balance_usd"] == 12.75
        assert jesus.get(f"/api/customers/{BRUNO}/wallet").status_code == 404
        assert jesus.get("/api/customers/0999999999/wallet").status_code == 404
        assert Client().get(f"/api/customers/{JESUS}/wallet").status_code == 401

    def test_staff_see_everybodys(self, closed_api: None) -> None:
        assert wallet(staff_of("Atención al cliente"), BRUNO)["balance_usd"] == 3.5
        assert staff_of().get("/api/customers/0999999999/wallet").status_code == 404


class TestToppingUp:
    def test_the_money_is_there_and_the_entry_answered(self, open_api: None, client: Client) -> None:
        answer = ask_for(client)
        assert answer.status_code == 201
        shown = answer.json()
        assert shown.pop("at").endswith("-05:00")
        assert shown == {
            "position": 2,
            "kind": "TOP_UP",
            "amount": 10.0,
            "balance_after": 22.75,
            "reference": "TR-1",
            "description": "Recarga, TARJETA",
        }
        assert wallet(client)["balance_usd"] == 22.75

    def test_the_same_again_is_200_and_once(self, open_api: None, client: Client) -> None:
        first = ask_for(client)
        again = ask_for(client, amount=10)
        assert (again.status_code, again.json()) == (200, first.json())
        assert balance() == D("22.75")

    @pytest.mark.parametrize(("number", "amount"), [(JESUS, 11), (BRUNO, 10)])
    def test_another_one_under_the_same_reference_is_409_and_not_collected(
        self, open_api: None, client: Client, provider: Provider, number: str, amount: int
    ) -> None:
        ask_for(client)
        answer = ask_for(client, number, amount=amount)
        assert (answer.status_code, answer.json()["reason"]) == (409, "reference_used")
        assert provider.collected == {"TR-1": D(10)}

    @pytest.mark.parametrize("text", ["10.10", "10.1", "1010e-2", "1.01E1", "10.1000"])
    def test_an_amount_is_what_was_written_to_the_cent(
        self, open_api: None, client: Client, text: str
    ) -> None:
        body = f'{{"amount": {text}, "reference": "TR-1"}}'
        answer = client.post(f"/api/customers/{JESUS}/top-ups", body, content_type="application/json")
        assert answer.status_code == 201
        assert WalletEntry.objects.get(reference="TR-1").amount == D("10.10")

    @pytest.mark.parametrize(
        "amount",
        WRONG_AMOUNTS,
        ids=lambda amount: amount[:20],
    )
    def test_an_amount_that_cannot_be_is_422(self, open_api: None, client: Client, amount: str) -> None:
        body = f'{{"amount": {amount}, "reference": "TR-1"}}'
        answer = client.post(f"/api/customers/{JESUS}/top-ups", body, content_type="application/json")
        assert answer.status_code == 422, answer.content
        assert balance() == D("12.75")

    @pytest.mark.parametrize(
        "changes",
        [
            *({"reference": wrong} for wrong in WRONG_REFERENCES),
            *({"payment_method": wrong} for wrong in WRONG_METHODS),
        ],
        ids=repr,
    )
    def test_other_input_that_cannot_be_is_422(
        self, open_api: None, client: Client, changes: dict[str, Any]
    ) -> None:
        answer = ask_for(client, **changes)
        assert answer.status_code == 422
        assert answer.json()["errors"]
        assert balance() == D("12.75")

    @pytest.mark.parametrize("body", ["", "[]", "null", "{", "{}", '{"amount": 1}', '{"reference": "a"}'])
    def test_a_body_that_is_none_is_422(self, open_api: None, client: Client, body: str) -> None:
        answer = client.post(f"/api/customers/{JESUS}/top-ups", body, content_type="application/json")
        assert answer.status_code == 422
        assert balance() == D("12.75")

    @pytest.mark.parametrize("method", [method.value for method in MONEY_METHODS])
    def test_each_way_of_paying_is_taken(self, open_api: None, client: Client, method: str) -> None:
        assert ask_for(client, payment_method=method).json()["description"] == f"Recarga, {method}"

    def test_the_most_of_one_is_a_setting(self, open_api: None, client: Client, settings: Any) -> None:
        settings.TOP_UP_MAX_USD = D(20)
        answer = ask_for(client, amount=20.01)
        assert (answer.status_code, answer.json()["reason"]) == (422, "amount_too_large")
        assert ask_for(client, amount=20).status_code == 201

    def test_a_terminated_line_takes_none(self, open_api: None, client: Client, provider: Provider) -> None:
        Line.objects.filter(phone_number=JESUS).update(status="TERMINATED")
        answer = ask_for(client)
        assert (answer.status_code, answer.json()["reason"]) == (409, "line_terminated")
        assert not provider.collected

    def test_numbers_nobody_has_and_numbers_that_are_none(self, open_api: None, client: Client) -> None:
        assert ask_for(client, "0999999999").status_code == 404
        assert ask_for(client, "nobody").status_code == 422
        assert client.get(f"/api/customers/{JESUS}/top-ups").status_code == 405


class TestWhoMay:
    def test_a_customer_is_declined_while_nobody_collects(self, jesus: Client) -> None:
        answer = ask_for(jesus)
        assert (answer.status_code, answer.json()["reason"]) == (402, "payment_declined")
        assert "Online payment is not available" in answer.json()["detail"]
        assert balance() == D("12.75")

    def test_a_customer_tops_up_their_own_line_by_the_provider(
        self, jesus: Client, provider: Provider
    ) -> None:
        assert ask_for(jesus).status_code == 201
        entry = WalletEntry.objects.get(reference="TR-1")
        assert (entry.by, entry.description) == ("jesus", "Recarga, TARJETA, AUTH-1")
        assert ask_for(jesus, BRUNO, reference="TR-2").status_code == 404
        assert provider.collected == {"TR-1": D(10)}

    def test_staff_need_the_permission(self, closed_api: None) -> None:
        assert ask_for(staff_of("Atención al cliente")).status_code == 403
        assert ask_for(staff_of("Facturación")).status_code == 201
        assert WalletEntry.objects.get(reference="TR-1").by == "ana-Facturación"

    def test_nobody_in_particular_may_not(self, closed_api: None, client: Client) -> None:
        assert ask_for(client).status_code == 401


class TestTheProvider:
    @pytest.mark.parametrize(
        ("error", "status"), [(PaymentDeclined("no"), 402), (GatewayTimeout("slow"), 504)]
    )
    def test_what_it_does_not_collect_is_not_there(
        self, jesus: Client, provider: Provider, error: DomainError, status: int
    ) -> None:
        provider.error = error
        assert ask_for(jesus).status_code == status
        assert balance() == D("12.75")

    def test_what_it_collected_and_did_not_say_is_there_when_asked_again(
        self, jesus: Client, provider: Provider
    ) -> None:
        provider.error, provider.answers_after_collecting = GatewayTimeout("slow"), False
        assert ask_for(jesus).status_code == 504
        provider.error = None
        assert ask_for(jesus).status_code == 201
        assert (provider.collected, balance()) == ({"TR-1": D(10)}, D("22.75"))

    def test_nothing_is_collected_for_a_wallet_that_would_not_take_it(
        self, jesus: Client, provider: Provider
    ) -> None:
        Wallet.objects.filter(line__phone_number=JESUS).update(balance_usd=1)
        assert ask_for(jesus).status_code == 409
        assert not provider.collected

    def test_the_service_says_whether_it_was_repeated(self, provider: Provider) -> None:
        line = Line.objects.get(phone_number=JESUS)
        done = [
            top_up(
                line=line, amount=D(1), method=PaymentMethod.TARJETA, reference="TR-1", at=NOW, staff=False
            )
            for _ in range(2)
        ]
        assert [item.repeated for item in done] == [False, True]
        assert done[0].entry == done[1].entry
