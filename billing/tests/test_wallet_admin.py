"""Wallets in the back-office, as a browser sends it."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from billing.models import Wallet, WalletEntry
from billing.tests.test_admin import new, rows, somebody_of, told, url
from billing.verification.wallets import wallet_faults

D = Decimal
JESUS = "0969786985"

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("seeded")]


@pytest.fixture
def clerk() -> Client:
    return somebody_of("Facturación")


@pytest.fixture
def wallet() -> Wallet:
    return Wallet.objects.get(line__phone_number=JESUS)


def given(wallet: Wallet, **changes: Any) -> dict[str, Any]:
    return {"wallet": wallet.pk, "kind": "TOP_UP", "amount": "10.00", "reference": "C-1", **changes}


def balance(wallet: Wallet) -> Decimal:
    return Wallet.objects.get(pk=wallet.pk).balance_usd


def test_from_a_wallets_page_staff_top_up_and_adjust(clerk: Client, wallet: Wallet) -> None:
    page = clerk.get(url(wallet))
    links = {str(label): address for label, address in page.context["links"]}
    assert list(links) == ["Top up", "Adjust", "Pay out", "All entries"]
    form = clerk.get(links["Top up"]).context["adminform"].form
    assert (form["wallet"].value(), form["kind"].value()) == (str(wallet.pk), "TOP_UP")
    assert [value for value, _ in form.fields["kind"].choices] == ["TOP_UP", "REFUND", "ADJUSTMENT"]
    assert f"seed-{JESUS}" in page.content.decode()
    assert f"seed-{JESUS}" in clerk.get(links["All entries"]).content.decode()


@pytest.mark.parametrize(
    ("kind", "amount", "after"),
    [("TOP_UP", "10.00", "22.75"), ("REFUND", "0.25", "13.00"), ("ADJUSTMENT", "-2.75", "10.00")],
)
def test_what_staff_fill_in_becomes_an_entry(
    clerk: Client, wallet: Wallet, kind: str, amount: str, after: str
) -> None:
    response = clerk.post(new(WalletEntry), given(wallet, kind=kind, amount=amount, description="por caja"))
    assert response.status_code == 302
    entry = WalletEntry.objects.get(reference="C-1")
    assert (entry.kind, entry.amount, entry.balance_after) == (kind, D(amount), D(after))
    assert (entry.by, entry.description, balance(wallet)) == ("Facturación", "por caja", D(after))


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "CHARGE", "amount": "-1"},
        {"kind": "TOP_UP", "amount": "-1"},
        {"kind": "ADJUSTMENT", "amount": "0"},
        {"amount": "1.005"},
        {"amount": "1e12"},
        {"reference": "a b"},
        {"reference": f"seed-{JESUS}"},
        {"wallet": "999999"},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_in_the_form(clerk: Client, wallet: Wallet, wrong: dict[str, str]) -> None:
    response = clerk.post(new(WalletEntry), {**given(wallet), **wrong})
    assert response.status_code == 200
    assert response.context["errors"]
    assert balance(wallet) == D("12.75")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"amount": "501"}, "A top-up must not be more than 500 dollars"),
        (
            {"kind": "ADJUSTMENT", "amount": "-42.76"},
            "The wallet's balance is too low: 42.76 dollars are needed and 42.75 are available. Top up first",
        ),
    ],
)
def test_what_the_service_refuses_is_told_above_the_form(
    clerk: Client, wallet: Wallet, wrong: dict[str, str], sentence: str
) -> None:
    response = clerk.post(new(WalletEntry), given(wallet, **wrong), follow=True)
    assert sentence in [str(message) for message in response.context["messages"]]
    assert response.context["adminform"].form["reference"].value() == "C-1"
    assert balance(wallet) == D("12.75")


def test_the_balance_is_not_written_by_hand_and_the_limit_is(clerk: Client, wallet: Wallet) -> None:
    clerk.post(
        url(wallet),
        {
            "line": "1",
            "balance_usd": "1000",
            "balance_limit_usd": "45",
            "entries-TOTAL_FORMS": "1",
            "entries-INITIAL_FORMS": "1",
            "entries-0-id": wallet.entries.all()[0].pk,
            "entries-0-amount": "1000",
            "entries-0-DELETE": "on",
        },
    )
    changed = Wallet.objects.get(pk=wallet.pk)
    assert (changed.balance_usd, changed.balance_limit_usd) == (D("12.75"), D(45))
    assert not list(wallet_faults())


def test_an_entry_is_only_looked_at(admin_client: Client, wallet: Wallet) -> None:
    entry = wallet.entries.all()[0]
    before = WalletEntry.objects.values().get(pk=entry.pk)
    assert admin_client.get(url(entry)).status_code == 200
    assert admin_client.post(url(entry), {"amount": "1"}).status_code == 403
    assert admin_client.post(url(entry, "delete"), {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [entry.pk], "post": "yes"}
    admin_client.post(rows(WalletEntry), chosen)
    admin_client.post(url(wallet, "delete"), {"post": "yes"})
    assert WalletEntry.objects.values().get(pk=entry.pk) == before


def test_the_shop_sees_entries_and_makes_none(wallet: Wallet) -> None:
    shop = somebody_of("Atención al cliente")
    assert [str(label) for label, _ in shop.get(url(wallet)).context["links"]] == ["All entries"]
    assert shop.get(rows(WalletEntry)).status_code == 200
    assert shop.post(new(WalletEntry), given(wallet)).status_code == 403
    assert told(shop.get(rows(WalletEntry))) == []
    assert balance(wallet) == D("12.75")
