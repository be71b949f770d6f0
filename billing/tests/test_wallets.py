"""Wallets as ledgers: what an entry does, what is refused, and that any sequence of them adds up."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from decimal import Decimal
from importlib import import_module
from itertools import pairwise
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.models import EntryKind, Wallet, WalletEntry
from billing.verification.wallets import wallet_faults
from billing.wallets import Posted, Posting, adjust_wallet, post_entries, refund_wallet
from customers.models import Line, Subscription
from telcox.common.errors import DomainError
from telcox.testing.builders import NOW
from telcox.testing.guards import tampering

D = Decimal
JESUS, BRUNO, CARLA = "0969786985", "0923456789", "0934567890"
Queries = Callable[[int], AbstractContextManager[Any]]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("seeded")]


def line_of(phone_number: str, *, prepaid: bool = False) -> Line:
    Line.objects.filter(phone_number=phone_number).update(prepaid=prepaid)
    return Line.objects.get(phone_number=phone_number)


def balance(line: Line) -> Decimal:
    return Wallet.objects.get(line=line).balance_usd


def post(*postings: Posting) -> list[Posted]:
    return post_entries(postings=postings, at=NOW)


def charge(
    *,
    line: Line,
    amount: Decimal,
    reference: str,
    at: datetime,
    by: str = "",
    subscription: Subscription | None = None,
) -> WalletEntry:
    """Take `amount` dollars. Raises the refusal."""
    posting = Posting(
        line.pk,
        EntryKind.CHARGE,
        amount,
        reference,
        subscription_id=subscription.pk if subscription else None,
    )
    return post_entries(postings=[posting], at=at, by=by)[0].taken()


def reasons(posted: Sequence[Posted]) -> list[str | None]:
    return [item.refusal.reason if item.refusal else None for item in posted]


class TestEntries:
    def test_the_seeds_wallets_are_what_their_entries_say(self) -> None:
        assert not list(wallet_faults())
        assert WalletEntry.objects.get(reference=f"seed-{JESUS}").balance_after == D("12.75")

    def test_an_entry_says_what_the_balance_was_after_it(self) -> None:
        line = line_of(JESUS)
        period = Subscription.objects.get(line=line)
        entry = charge(line=line, amount=D("2.50"), reference="c-1", at=NOW, by="ana", subscription=period)
        assert (entry.position, entry.amount, entry.balance_after) == (2, D("-2.50"), D("10.25"))
        assert (entry.kind, entry.by, entry.subscription, entry.at) == ("CHARGE", "ana", period, NOW)
        assert WalletEntry.objects.get(reference="c-1") == entry
        assert balance(line) == D("10.25")

    def test_what_was_taken_is_given_back_by_another_entry(self) -> None:
        line = line_of(JESUS)
        charge(line=line, amount=D("2.50"), reference="c-1", at=NOW)
        refund_wallet(line=line, amount=D("2.50"), reference="r-1", at=NOW)
        adjust_wallet(line=line, amount=D("-0.75"), reference="a-1", at=NOW)
        assert list(line.wallet.entries.order_by("position").values_list("position", "balance_after")) == [
            (1, D("12.75")),
            (2, D("10.25")),
            (3, D("12.75")),
            (4, D("12.00")),
        ]

    def test_a_wallet_is_made_when_it_is_first_needed(self) -> None:
        line = line_of(JESUS)
        line = Line.objects.create(customer=line.customer, phone_number="0911111111", product_type="MOVIL")
        refund_wallet(line=line, amount=D("1.00"), reference="r-1", at=NOW)
        assert (line.wallet.balance_usd, line.wallet.balance_limit_usd) == (D("1.00"), D(0))

    def test_several_entries_of_one_wallet_are_done_in_their_order(self) -> None:
        line = line_of(CARLA, prepaid=True)
        posted = post(
            Posting(line.pk, EntryKind.CHARGE, D(5), "too-early"),
            Posting(line.pk, EntryKind.TOP_UP, D(5), "t-1"),
            Posting(line.pk, EntryKind.CHARGE, D(5), "in-time"),
        )
        assert reasons(posted) == ["insufficient_balance", None, None]
        assert balance(line) == 0

    def test_one_refused_costs_the_others_nothing(self) -> None:
        jesus, bruno = line_of(JESUS), line_of(BRUNO, prepaid=True)
        posted = post(
            Posting(bruno.pk, EntryKind.CHARGE, D(100), "c-1"),
            Posting(10**9, EntryKind.TOP_UP, D(1), "c-2"),
            Posting(jesus.pk, EntryKind.TOP_UP, D(1), "c-3"),
        )
        assert reasons(posted) == ["insufficient_balance", "unknown_line", None]
        assert (balance(bruno), balance(jesus)) == (D("3.50"), D("13.75"))

    def test_seventy_cost_as_many_queries_as_one(self, django_assert_num_queries: Queries) -> None:
        line = line_of(JESUS)
        made = Line.objects.bulk_create(
            Line(customer=line.customer, phone_number=f"0980000{n:03d}", product_type="MOVIL")
            for n in range(70)  # SQLite takes no more of them in one statement
        )
        Wallet.objects.bulk_create(Wallet(line=each) for each in made)
        for lines in ([line], made):
            with django_assert_num_queries(10):  # three of them begin, mark and end
                posted = post(*(Posting(each.pk, EntryKind.TOP_UP, D(1), f"t-{each.pk}") for each in lines))
            assert reasons(posted) == [None] * len(lines)
        assert not list(wallet_faults())


class TestReferences:
    def test_the_same_again_is_the_entry_that_is_there(self) -> None:
        line = line_of(JESUS)
        first = charge(line=line, amount=D(1), reference="c-1", at=NOW)
        assert charge(line=line, amount=D("1.00"), reference="c-1", at=NOW) == first
        assert balance(line) == D("11.75")

    @pytest.mark.parametrize(
        "other",
        [{"amount": D(2)}, {"kind": EntryKind.REFUND}, {"phone_number": BRUNO}],
        ids=["amount", "kind", "line"],
    )
    def test_another_movement_under_the_same_reference_is_refused(self, other: dict[str, Any]) -> None:
        line = line_of(JESUS)
        charge(line=line, amount=D(1), reference="c-1", at=NOW)
        wanted = {"phone_number": JESUS, "kind": EntryKind.CHARGE, "amount": D(1), **other}
        posted = post(Posting(line_of(wanted["phone_number"]).pk, wanted["kind"], wanted["amount"], "c-1"))
        assert reasons(posted) == ["reference_used"]
        assert WalletEntry.objects.count() == 3

    def test_twice_in_one_go_is_once(self) -> None:
        line = line_of(JESUS)
        posting = Posting(line.pk, EntryKind.TOP_UP, D(1), "t-1")
        first, second = post(posting, posting)
        assert (first.repeated, second.repeated) == (False, True)
        assert first.taken() == second.taken()
        assert balance(line) == D("13.75")

    def test_references_that_differ_in_case_are_two(self) -> None:
        line = line_of(JESUS)
        for reference in ("abc", "ABC"):
            charge(line=line, amount=D(1), reference=reference, at=NOW)
        assert balance(line) == D("10.75")


class TestTheFloor:
    def test_a_prepaid_line_spends_what_is_there_and_no_more(self) -> None:
        line = line_of(BRUNO, prepaid=True)
        with pytest.raises(DomainError) as refused:
            charge(line=line, amount=D("3.51"), reference="c-1", at=NOW)
        assert (refused.value.status, refused.value.reason) == (409, "insufficient_balance")
        assert "3.51" in refused.value.detail
        assert "3.50" in refused.value.detail
        assert balance(line) == D("3.50")
        charge(line=line, amount=D("3.50"), reference="c-1", at=NOW)
        assert balance(line) == 0

    def test_a_postpaid_line_spends_up_to_its_limit_more(self) -> None:
        line = line_of(BRUNO)
        charge(line=line, amount=D("23.50"), reference="c-1", at=NOW)
        assert balance(line) == D(-20)
        with pytest.raises(DomainError):
            charge(line=line, amount=D("0.01"), reference="c-2", at=NOW)
        assert balance(line) == D(-20)

    def test_who_is_below_it_may_still_put_money_on(self) -> None:
        line = line_of(BRUNO)
        charge(line=line, amount=D("23.50"), reference="c-1", at=NOW)
        line = line_of(BRUNO, prepaid=True)
        refund_wallet(line=line, amount=D(5), reference="r-1", at=NOW)
        assert balance(line) == D(-15)


@pytest.mark.parametrize(
    ("kind", "amount", "reason"),
    [
        (EntryKind.TOP_UP, "0", "amount_not_positive"),
        (EntryKind.CHARGE, "-1", "amount_not_positive"),
        (EntryKind.ADJUSTMENT, "0", "amount_not_positive"),
        (EntryKind.REFUND, "NaN", "amount_not_positive"),
        (EntryKind.REFUND, "1.005", "amount_not_in_cents"),
        (EntryKind.REFUND, "1e-1000", "amount_not_in_cents"),
        (EntryKind.REFUND, "1e10", "amount_too_large"),
        (EntryKind.REFUND, "1e1000000", "amount_too_large"),
        (EntryKind.REFUND, "9999999999.99", "amount_too_large"),
    ],
)
def test_an_amount_that_cannot_be_is_refused(kind: EntryKind, amount: str, reason: str) -> None:
    line = line_of(JESUS)
    assert reasons(post(Posting(line.pk, kind, D(amount), "x-1"))) == [reason]
    assert balance(line) == D("12.75")


def test_a_wallet_whose_balance_is_not_what_its_entries_say_is_left_alone() -> None:
    jesus, bruno = line_of(JESUS), line_of(BRUNO)
    Wallet.objects.filter(line=jesus).update(balance_usd=100)
    posted = post(
        Posting(jesus.pk, EntryKind.TOP_UP, D(1), "t-1"), Posting(bruno.pk, EntryKind.TOP_UP, D(1), "t-2")
    )
    assert reasons(posted) == ["wallet_inconsistent", None]
    assert balance(jesus) == 100


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "LOST"},
        {"amount": 0},
        {"amount": -1},
        {"kind": "CHARGE"},
        {"position": 0},
        {"reference": "seed-0923456789"},
    ],
    ids=str,
)
def test_the_database_itself_refuses_an_entry_that_cannot_be(change: dict[str, Any]) -> None:
    entry = WalletEntry.objects.get(reference=f"seed-{JESUS}")
    content = {"position": 2, "kind": "TOP_UP", "amount": 1, "balance_after": 1, "reference": "x-1", **change}
    with pytest.raises(IntegrityError), transaction.atomic():
        WalletEntry.objects.create(wallet=entry.wallet, at=NOW, **content)


# --- Any sequence at all, against a ledger in a few lines of Python ---

postings = st.lists(
    st.tuples(
        st.sampled_from([JESUS, BRUNO, CARLA]),
        st.sampled_from([kind for kind in EntryKind.values if kind != EntryKind.SET_OFF]),  # needs a payment
        st.decimals(min_value=-20, max_value=20, places=2),
        st.sampled_from([f"p-{number}" for number in range(8)]),
    ),
    max_size=12,
)
Wanted = tuple[str, str, Decimal, str]


class Ledger:
    """What should come of it."""

    def __init__(self) -> None:
        self.balances = {JESUS: D("12.75"), BRUNO: D("3.50"), CARLA: D(0)}
        self.floors = {JESUS: D(0), BRUNO: D(-20), CARLA: D(-10)}
        self.done: dict[str, tuple[str, str, Decimal]] = {}

    def post(self, wanted: Wanted) -> str:
        number, kind, amount, reference = wanted
        change = -amount if kind in ("CHARGE", "PAY_OUT") else amount
        if reference in self.done:
            same = self.done[reference] == (number, kind, change)
            return "repeated" if same else "reference_used"
        if amount == 0 or (amount < 0 and kind != "ADJUSTMENT"):
            return "amount_not_positive"
        floor = D(0) if kind == "PAY_OUT" else self.floors[number]
        if change < 0 and self.balances[number] + change < floor:
            return "insufficient_balance"
        self.balances[number] += change
        self.done[reference] = (number, kind, change)
        return "posted"


def outcome(posted: Posted) -> str:
    return posted.refusal.reason if posted.refusal else "repeated" if posted.repeated else "posted"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=postings, cuts=st.lists(st.integers(0, 12), max_size=3))
def test_any_sequence_however_it_is_cut_is_what_a_ledger_says(wanted: list[Wanted], cuts: list[int]) -> None:
    lines = {JESUS: line_of(JESUS, prepaid=True), BRUNO: line_of(BRUNO), CARLA: line_of(CARLA)}
    ledger = Ledger()
    edges = sorted({0, len(wanted), *(cut for cut in cuts if cut < len(wanted))})
    with transaction.atomic():
        came_of_it = []
        for start, end in pairwise(edges):
            batch = [
                Posting(lines[number].pk, EntryKind(kind), amount, reference)
                for number, kind, amount, reference in wanted[start:end]
            ]
            came_of_it += [outcome(posted) for posted in post(*batch)]
        assert came_of_it == [ledger.post(each) for each in wanted]
        assert {number: balance(line) for number, line in lines.items()} == ledger.balances
        assert WalletEntry.objects.filter(reference__startswith="p-").count() == len(ledger.done)
        assert not list(wallet_faults())
        transaction.set_rollback(True)


# --- What is proved of all of them ---


def tamper_with_a_balance(entries: Any) -> None:
    Wallet.objects.filter(line__phone_number=JESUS).update(balance_usd=1000)


def tamper_with_an_amount(entries: Any) -> None:
    entries.filter(position=2).update(amount=F("amount") - 1)


def tamper_with_a_sum(entries: Any) -> None:
    entries.filter(position=3).update(balance_after=1000)


def take_one_out(entries: Any) -> None:
    entries.filter(position=2).delete()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("tamper", "told"),
    [
        (tamper_with_a_balance, "balance 1000.00, by its last entry 9.75"),
        (tamper_with_an_amount, "entry 2: balance 11.75, by the entries up to it 10.75"),
        (tamper_with_a_sum, "entry 3: balance 1000.00, by the entries up to it 10.75"),
        (take_one_out, "entry 2: missing, the next one is 3"),
    ],
)
def test_tampering_is_found_and_the_first_that_is_wrong_named(
    tamper: Callable[[Any], None], told: str, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.verification.wallets.ENTRIES_AT_ONCE", 2)
    monkeypatch.setattr("billing.verification.wallets.WALLETS_AT_ONCE", 2)
    line = line_of(JESUS)
    for number in range(3):
        charge(line=line, amount=D(1), reference=f"c-{number}", at=now)
    assert not list(wallet_faults())
    with tampering():
        tamper(line.wallet.entries)
    assert [str(fault) for fault in wallet_faults()] == [f"wallet of {JESUS}: {told}"]


@pytest.mark.django_db(transaction=True)
def test_what_was_in_a_wallet_before_there_were_entries_becomes_its_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    migration = import_module("billing.migrations.0007_opening_entries")
    monkeypatch.setattr(migration, "AT_ONCE", 1)
    with tampering():
        WalletEntry.objects.all().delete()
    migration.open_wallets(apps, None)
    assert WalletEntry.objects.count() == 2
    jesus = Wallet.objects.get(line__phone_number=JESUS)
    assert WalletEntry.objects.get(reference=f"opening-{jesus.pk}").balance_after == D("12.75")
    assert not list(wallet_faults())


def test_the_command_prints_what_is_wrong_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("verify_wallets")
    assert "sums of their entries" in capsys.readouterr().out
    Wallet.objects.filter(line__phone_number=CARLA).update(balance_usd=1)
    with pytest.raises(CommandError):
        call_command("verify_wallets")
    assert f"wallet of {CARLA}: balance 1.00, by its last entry 0" in capsys.readouterr().out


def test_where_the_database_does_not_say_which_keys_it_gave_they_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(type(connection.features), "can_return_rows_from_bulk_insert", False)  # as on MySQL
    entry = charge(line=line_of(JESUS), amount=D(1), reference="c-1", at=NOW)
    assert entry.pk == WalletEntry.objects.get(reference="c-1").pk
