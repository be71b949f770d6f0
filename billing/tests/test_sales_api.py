"""Orders through the front door: what a dry run says is what is done, and what is billed."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from billing.invoicing.drafting import draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.models import Wallet, WalletEntry
from billing.sales.renewal import renew_subscriptions
from billing.sales.services import activate_subscription
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
)
from customers.models import Line, Plan, PlanChange, Subscription
from telcox.testing.rows import all_rows

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("seeded", "open_api")]

Queries = Callable[[int], AbstractContextManager[Any]]
BOTH = pytest.mark.parametrize("prepaid", [False, True], ids=["postpaid", "prepaid"])


@pytest.fixture
def line(clock: Clock, prepaid: bool) -> Line:
    return busy_line(clock, prepaid=prepaid)


def outcome(answer: dict[str, Any]) -> dict[str, Any]:
    """What a dry run and the deed itself have in common."""
    return {name: value for name, value in answer.items() if name not in ("dry_run", "version")}


def rehearsed_and_done(client: Client, what: str, body: dict[str, Any]) -> dict[str, Any]:
    """The answer, the dry run's having been the same."""
    dry = post(client, what, {**body, "dry_run": True})
    assert dry.status_code == 200, dry.content
    done = post(client, what, body)
    assert done.status_code == 201, done.content
    dry, done = dry.json(), done.json()
    assert (dry["dry_run"], done["dry_run"]) == (True, False)
    assert done["version"] == dry["version"] + 1
    assert outcome(done) == outcome(dry)
    return done


def paid_since(line: Line, entries: int) -> Decimal:
    new = WalletEntry.objects.filter(wallet__line=line).order_by("position")[entries:]
    return -sum((entry.amount for entry in new), Decimal(0))


def entries_of(line: Line) -> int:
    return WalletEntry.objects.filter(wallet__line=line).count()


def balance(line: Line) -> float:
    return float(Wallet.objects.get(line=line).balance_usd)


@BOTH
class TestChangingNow:
    def test_the_dry_run_is_what_is_done_and_what_is_billed_to_the_cent(
        self, client: Client, clock: Clock, line: Line, prepaid: bool
    ) -> None:
        before = entries_of(line)
        done = rehearsed_and_done(client, "plan-change", {"plan": "movil-60"})
        assert (done["plan"], done["when"], done["prepaid"]) == ("movil-60", "now", prepaid)
        assert done["effective_at"] == "2026-12-01T10:00:00-05:00"
        assert float(paid_since(line, before)) == done["charged"]
        assert (done["charged"] > 0) == prepaid
        assert done["balance_usd"] == balance(line)
        clock.advance(days=12)
        ended, begun = periods(line)
        for period, bill in zip((ended, begun), done["bills"], strict=True):
            invoice = draft_invoice(subscription=period, at=clock())
            assert as_shown(invoice) == charged(bill)
            assert issue_invoice(invoice=invoice, at=clock()).status == ("PAID" if prepaid else "ISSUED")

    def test_what_it_comes_to_can_be_reckoned_by_hand(
        self, client: Client, clock: Clock, line: Line, prepaid: bool
    ) -> None:
        # 10 of 15 GB and 310:01 minutes were used in ten of thirty days: all 300 minutes of the plan are used
        # up, so all of its price is paid, and 11 minutes more by who is not prepaid.
        # 32.00 less 10 % and 1.00: 27.80, and 15 % tax.
        ended, begun = post(client, "plan-change", {"plan": "movil-60", "dry_run": True}).json()["bills"]
        expected = [("PLAN", 16.0)] if prepaid else [("PLAN", 16.0), ("VOICE", 0.66)]
        lines = [(each["kind"], each["amount"]) for each in ended["lines"]]
        assert lines == expected
        assert ended["total"] == (18.4 if prepaid else 19.16)
        assert ended["period"] == {
            "start_at": "2026-11-21T10:00:00-05:00",
            "expiration_at": "2026-12-01T10:00:00-05:00",
            "plan": "movil-15",
            "plan_name": "Móvil 15 GB",
            "limits": {"data_bytes": 5 * GB, "voice_minutes": 100, "sms": 33},
        }
        assert (begun["subtotal"], begun["discount"], begun["tax"], begun["total"]) == (32, 4.2, 4.17, 31.97)
        assert begun["period"]["limits"] == {"data_bytes": 60 * GB, "voice_minutes": 1500, "sms": 500}

    def test_a_pack_that_was_bought_goes_along(
        self, client: Client, clock: Clock, line: Line, prepaid: bool
    ) -> None:
        pack = new_pack(data_bytes=20 * GB)
        assert post(client, "packs", {"pack": pack.code, "reference": "R-1"}).status_code == 201
        done = rehearsed_and_done(client, "plan-change", {"plan": "movil-60"})
        # 5 GB of the plan and 5 of the pack were used.
        assert done["bills"][1]["period"]["limits"]["data_bytes"] == 75 * GB
        [left] = subscription(client)["period"]["packs"]
        assert (left["data_bytes"], left["price"], left["pack"]) == (15 * GB, 0, None)


@BOTH
class TestChangingAtThePeriodsEnd:
    BODY = {"plan": "movil-60", "when": "period_end"}

    def test_the_dry_run_is_what_is_done_and_what_is_billed_to_the_cent(
        self, client: Client, clock: Clock, line: Line, prepaid: bool
    ) -> None:
        before = entries_of(line)
        done = rehearsed_and_done(client, "plan-change", self.BODY)
        assert (done["when"], done["charged"]) == ("period_end", 0)
        assert done["effective_at"] == "2026-12-21T10:00:00-05:00"
        assert entries_of(line) == before
        assert subscription(client)["pending_change"]["plan"] == "movil-60"
        clock.advance(days=20)
        renew_subscriptions(at=clock())
        ended, begun = periods(line)
        assert begun.plan.code == "movil-60"
        if prepaid:
            assert float(paid_since(line, before)) == done["bills"][1]["total"]
        for period, bill in zip((ended, begun), done["bills"], strict=True):
            assert as_shown(draft_invoice(subscription=period, at=clock())) == charged(bill)
        assert subscription(client)["pending_change"] is None

    def test_what_is_foreseen_to_roll_over_is_what_does(
        self, client: Client, clock: Clock, line: Line, prepaid: bool
    ) -> None:
        Subscription.objects.filter(line=line).update(rollover_share="0.5")
        done = rehearsed_and_done(client, "plan-change", self.BODY)
        clock.advance(days=20)
        renew_subscriptions(at=clock())
        begun = periods(line)[1]
        assert begun.limit_bytes == done["bills"][1]["period"]["limits"]["data_bytes"] == int(62.5 * GB)

    def test_it_can_be_called_off_once(self, client: Client, clock: Clock, line: Line, prepaid: bool) -> None:
        post(client, "plan-change", self.BODY)
        path = f"/api/customers/{NUMBER}/plan-change"
        assert client.delete(path).status_code == 204
        assert subscription(client)["pending_change"] is None
        refused = client.delete(path)
        assert (refused.status_code, refused.json()["reason"]) == (409, "no_pending_change")
        clock.advance(days=20)
        renew_subscriptions(at=clock())
        assert periods(line)[1].plan.code == "movil-15"

    @pytest.mark.parametrize("field", ["ends_with_period", "auto_renew"])
    def test_it_is_refused_where_no_other_period_will_follow(
        self, client: Client, clock: Clock, line: Line, prepaid: bool, field: str
    ) -> None:
        Line.objects.filter(pk=line.pk).update(**{field: field == "ends_with_period"})
        refused = post(client, "plan-change", self.BODY)
        assert (refused.status_code, refused.json()["reason"]) == (409, "no_next_period")


@BOTH
class TestPacks:
    def test_the_dry_run_is_what_is_done_and_what_is_billed_to_the_cent(
        self, client: Client, clock: Clock, line: Line, prepaid: bool
    ) -> None:
        before = entries_of(line)
        new_pack()
        done = rehearsed_and_done(client, "packs", {"pack": "mas-5", "reference": "R-1"})
        assert done["limits"] == {"data_bytes": 20 * GB, "voice_minutes": 300, "sms": 100}
        assert done["charged"] == float(paid_since(line, before)) == (4.6 if prepaid else 0)
        assert done["balance_usd"] == balance(line)
        [bill] = done["bills"]
        assert subscription(client)["bill_so_far"] == bill
        clock.advance(days=20)
        assert as_shown(draft_invoice(subscription=periods(line)[0], at=clock())) == charged(bill)

    def test_the_same_reference_again_buys_nothing_and_says_so(
        self, client: Client, clock: Clock, line: Line, prepaid: bool
    ) -> None:
        new_pack()
        body = {"pack": "mas-5", "reference": "R-1"}
        first = post(client, "packs", body).json()
        before = all_rows()
        again = post(client, "packs", body)
        assert (again.status_code, again.json()["repeated"], again.json()["charged"]) == (200, True, 0)
        assert {**again.json(), "repeated": False, "charged": first["charged"]} == first
        assert all_rows() == before

    def test_a_reference_of_another_pack_or_line_is_refused(
        self, client: Client, clock: Clock, line: Line, prepaid: bool
    ) -> None:
        new_pack()
        new_pack("mas-1", "1.00", data_bytes=GB)
        new_line(at=clock() - timedelta(days=1), phone_number="0966666666")
        post(client, "packs", {"pack": "mas-5", "reference": "R-1"})
        for body, phone_number in (
            ({"pack": "mas-1", "reference": "R-1"}, NUMBER),
            ({"pack": "mas-5", "reference": "R-1"}, "0966666666"),
        ):
            for dry_run in (True, False):
                refused = post(client, "packs", {**body, "dry_run": dry_run}, phone_number)
                assert (refused.status_code, refused.json()["reason"]) == (409, "reference_used")


@BOTH
@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("plan-change", {"plan": "movil-60"}),
        ("plan-change", {"plan": "movil-60", "when": "period_end"}),
        ("packs", {"pack": "mas-5", "reference": "R-1"}),
    ],
    ids=["now", "period end", "pack"],
)
def test_a_dry_run_changes_nothing_and_tells_nobody(
    client: Client,
    clock: Clock,
    line: Line,
    what: str,
    body: dict[str, Any],
    django_capture_on_commit_callbacks: Any,
) -> None:
    new_pack()
    PlanChange.objects.create(line=line, plan=Plan.objects.get(code="movil-5"), asked_at=clock())
    before = all_rows()
    with django_capture_on_commit_callbacks() as callbacks:
        assert post(client, what, {**body, "dry_run": True}).status_code == 200
    assert all_rows() == before
    assert callbacks == []
    with django_capture_on_commit_callbacks() as callbacks:
        assert post(client, what, body).status_code == 201
    assert all_rows() != before
    assert len(callbacks) == (body.get("when") != "period_end")


class TestVersions:
    @pytest.fixture
    def prepaid(self) -> bool:
        return False

    def test_who_saw_another_state_is_refused(self, client: Client, clock: Clock, line: Line) -> None:
        seen = subscription(client)["version"]
        new_pack()
        post(client, "packs", {"pack": "mas-5", "reference": "R-1"})
        before = all_rows()
        for dry_run in (True, False):
            refused = post(client, "plan-change", {"plan": "movil-60", "version": seen, "dry_run": dry_run})
            assert (refused.status_code, refused.json()["reason"]) == (409, "changed_meanwhile")
        assert all_rows() == before

    def test_a_dry_run_names_the_version_to_order_with(
        self, client: Client, clock: Clock, line: Line
    ) -> None:
        body = {"plan": "movil-60"}
        version = post(client, "plan-change", {**body, "dry_run": True}).json()["version"]
        assert version == subscription(client)["version"]
        done = post(client, "plan-change", {**body, "version": version})
        assert done.status_code == 201
        assert done.json()["version"] == subscription(client)["version"] == version + 1


def test_a_plan_that_is_sold_anew_calls_off_a_change_that_was_waiting(client: Client, clock: Clock) -> None:
    line = new_line(at=clock() - timedelta(days=10))
    post(client, "plan-change", {"plan": "movil-60", "when": "period_end"})
    Line.objects.filter(pk=line.pk).update(auto_renew=False)
    clock.advance(days=20)
    line.refresh_from_db()
    activate_subscription(line=line, plan=Plan.objects.get(code="movil-30"), at=clock())
    assert subscription(client)["pending_change"] is None
    assert not PlanChange.objects.pending().exists()
