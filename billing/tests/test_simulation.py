"""A made-up operator, played for months: whatever happens, everything adds up. And what it has found."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from billing.daily import run_day
from billing.invoicing.drafting import draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.models import EntryKind, Invoice, InvoiceLine, PaymentMethod, Wallet, WalletEntry
from billing.sales.services import activate_subscription, buy_pack, schedule_end
from billing.simulation.days import Setup, Tally, simulate_operator
from billing.simulation.outcome import operator_digest
from billing.tests.builders import moment
from billing.verification import find_faults
from billing.wallets import post_entries, top_up
from billing.wallets.posting import Posting
from customers.models import Customer, Line, LineStatus, Pack, Plan, Subscription
from customers.services import suspend_line
from usage.models import UsageAlert
from usage.services import record_usage
from usage.verification import find_differences
from usage.vocabulary import Category

D = Decimal
GB = 2**30

pytestmark = pytest.mark.django_db


def play(setup: Setup) -> Tally:
    return simulate_operator(setup, tell=lambda day, tally: None)


def played_and_forgotten(setup: Setup) -> str:
    with transaction.atomic():
        play(setup)
        outcome = operator_digest()
        transaction.set_rollback(True)
    return outcome


@pytest.mark.parametrize("seed", [7, pytest.param(8, marks=pytest.mark.once)])
def test_whatever_happens_to_an_operator_everything_adds_up(seed: int) -> None:
    tally = play(Setup(lines=40, months=6, seed=seed))
    assert [str(each) for each in find_differences()] == []
    assert [str(each) for each in find_faults()] == []
    assert tally.bank_faults == []
    assert tally.calendar.parked == 0
    # And much did happen.
    assert len(tally.steps) >= 16
    assert min(tally.steps["pay"], tally.steps["reverse"], tally.steps["credit"]) > 0
    assert tally.steps.total() > 350
    assert len(tally.refused) > 15
    assert {"applied", "duplicate", "event_conflict"} <= tally.usage.keys()
    assert min(tally.calendar.begun, tally.calendar.invoices) > 120
    assert tally.calendar.ended > 0
    assert min(tally.steps["pay_and_tell"], tally.steps["settle_transfer"]) > 0
    assert {"credit", "debit", "foreign", "pending", "shared"} <= tally.rows.keys()
    assert InvoiceLine.objects.filter(late_for__isnull=False).count() > 5


@pytest.mark.once
def test_it_adds_up_where_clocks_change(settings: Any) -> None:
    settings.TIME_ZONE = "America/Santiago"
    play(Setup(lines=8, months=11, seed=7, steps=1))
    assert [str(each) for each in (*find_differences(), *find_faults())] == []


@pytest.mark.once
def test_control_without_one_form_of_references_money_is_recorded_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("billing.models.references.reference_key", lambda reference: reference)
    tally = play(Setup(lines=10, months=3, seed=7, steps=6))
    assert [each for each in tally.bank_faults if "came by bank transfer" in each]


def test_the_same_seed_comes_to_the_same_and_another_does_not() -> None:
    first, again, other = (
        played_and_forgotten(Setup(lines=15, months=3, seed=seed, steps=3)) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_the_command_plays_proves_and_prints_a_digest(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("simulate_operator", "--lines=5", "--months=2")
    shown = capsys.readouterr().out
    assert "2023-12-31: " in shown
    assert f"digest {operator_digest()}" in shown
    assert shown.endswith("Everything adds up.\n")


def test_the_command_says_what_does_not_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(*args: Any, **options: Any) -> Tally:
        tally = simulate_operator(*args, **options)
        Subscription.objects.update(limit_bytes=1)
        return tally

    monkeypatch.setattr("billing.management.commands.simulate_operator.simulate_operator", damaged)
    with pytest.raises(CommandError, match="its limits are 1 B"):
        call_command("simulate_operator", "--lines=3", "--months=1")


def test_a_database_that_has_something_in_it_is_left_alone(seeded: None) -> None:
    before = list(Line.objects.values())
    with pytest.raises(CommandError, match="not empty"):
        call_command("simulate_operator", "--lines=5", "--months=1")
    assert list(Line.objects.values()) == before
    assert Customer.objects.count() == 3


class TestFound:
    """What it has found, each by itself."""

    @pytest.fixture
    def week(self, make_plan: Callable[..., Plan]) -> Plan:
        return make_plan("week", validity_days=7, price="7.07", data_bytes=GB)

    def fresh(self, line: Line) -> Line:
        return Line.objects.get(pk=line.pk)

    def fill(self, line: Line) -> None:
        at = moment("2026-10-01")
        top_up(line=line, amount=D(90), method=PaymentMethod.EFECTIVO, reference="cash", at=at, staff=True)

    def test_what_a_wallet_paid_is_in_whole_cents_on_every_database(self, prepaid: Line, week: Plan) -> None:
        begin = moment("2026-10-01 10:00")
        self.fill(prepaid)
        period = activate_subscription(line=prepaid, plan=week, at=begin)
        kinds = [EntryKind.CHARGE, EntryKind.CHARGE, EntryKind.REFUND]
        posted = post_entries(
            postings=[
                Posting(prepaid.pk, kind, D(amount), f"more-{amount}", subscription_id=period.pk)
                for kind, amount in zip(kinds, ["0.10", "0.20", "0.33"], strict=True)
            ],
            at=begin,
        )
        assert all(each.entry for each in posted)
        run = run_day(at=moment("2026-10-08 11:00"))
        assert (run.invoices, run.parked) == (1, 0)
        assert Invoice.objects.get(subscription=period).outstanding == 0

    def test_a_line_suspended_after_its_last_period_ended_still_ends(self, line: Line, week: Plan) -> None:
        begin = moment("2026-10-01 10:00")
        activate_subscription(line=line, plan=week, at=begin)
        schedule_end(line=self.fresh(line), at=begin + timedelta(days=1))
        suspended_at = begin + timedelta(days=7, hours=2)
        suspend_line(line=self.fresh(line), reason="CUSTOMER", at=suspended_at)
        assert run_day(at=moment("2026-10-10 03:00")).ended == 1
        line.refresh_from_db()
        assert (line.status, line.terminated_at) == (LineStatus.TERMINATED, suspended_at)

    def test_a_prepaid_invoice_issued_by_hand_gives_back_what_its_discount_takes_off(
        self, prepaid: Line, week: Plan
    ) -> None:
        begin = moment("2026-10-01 10:00")
        self.fill(prepaid)
        period = activate_subscription(line=prepaid, plan=week, at=begin)
        draft = draft_invoice(subscription=period, at=begin + timedelta(days=2), discount=D("2.00"))
        issued = issue_invoice(invoice=draft, at=begin + timedelta(days=2))
        assert (issued.total, issued.status) == (D("5.83"), "PAID")
        assert Wallet.objects.get(line=prepaid).balance_usd == D(90) - D("5.83")
        assert WalletEntry.objects.filter(kind=EntryKind.REFUND).count() == 1

    def test_an_allowance_used_up_again_after_a_pack_is_no_reason_to_refuse_usage(
        self, line: Line, week: Plan, make_pack: Callable[..., Pack]
    ) -> None:
        begin = moment("2026-10-01 10:00")
        activate_subscription(line=line, plan=week, at=begin)
        usage: Any = {"phone_number": line.phone_number, "category": Category.SOCIAL, "source": "test"}
        record_usage(quantity=GB, at=begin + timedelta(hours=1), **usage)
        buy_pack(line=self.fresh(line), pack=make_pack("gb"), reference="p", at=begin + timedelta(hours=2))
        assert not record_usage(quantity=GB, at=begin + timedelta(hours=3), **usage).duplicate
        assert UsageAlert.objects.filter(threshold=100).count() == 1
