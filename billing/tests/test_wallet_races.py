"""Many at once on one wallet, on a real MariaDB; and the same without the lock."""

import random
from datetime import datetime
from decimal import Decimal
from threading import Barrier

import pytest
from django.db import IntegrityError, transaction

from billing.models import EntryKind, Wallet, WalletEntry
from billing.verification.wallets import wallet_faults
from billing.wallets import Posted, Posting, post_entries
from customers.models import Line
from telcox.testing.threads import in_threads

pytestmark = [
    pytest.mark.mariadb,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("committed"),
]

D = Decimal
JESUS, BRUNO, CARLA = "0969786985", "0923456789", "0934567890"
THREADS = 32


@pytest.fixture
def line() -> Line:
    """Prepaid, with 12.75 on its wallet."""
    Line.objects.filter(phone_number=JESUS).update(prepaid=True)
    return Line.objects.get(phone_number=JESUS)


def some_of_everything(line: Line) -> list[Posting]:
    """320 of which many repeat another, and more is to be spent than there is."""
    chosen = random.Random(3)
    distinct = [
        Posting(
            line.pk,
            EntryKind.CHARGE if number % 3 else EntryKind.TOP_UP,
            D(chosen.randint(1, 400)) / 100,
            f"r-{number}",
        )
        for number in range(200)
    ]
    postings = distinct + chosen.choices(distinct, k=120)
    chosen.shuffle(postings)
    return postings


def test_32_threads_on_one_wallet_add_up_and_never_go_below_its_floor(line: Line, now: datetime) -> None:
    postings = some_of_everything(line)

    def post(posting: Posting) -> Posted:
        return post_entries(postings=[posting], at=now)[0]

    posted = in_threads(post, postings, threads=THREADS)

    entries = list(line.wallet.entries.order_by("position"))
    assert [entry.position for entry in entries] == list(range(1, len(entries) + 1))
    assert min(entry.balance_after for entry in entries) >= 0
    done = {item.posting.reference: item.posting.change for item in posted if item.entry}
    assert line.wallet.balance_usd == D("12.75") + sum(done.values())
    assert sum(not item.repeated for item in posted if item.entry) == len(done) == len(entries) - 1
    assert {item.refusal.reason for item in posted if item.refusal} == {"insufficient_balance"}
    assert not list(wallet_faults())


def test_control_without_the_lock_positions_collide(line: Line, now: datetime) -> None:
    all_have_read = Barrier(THREADS, timeout=60)

    def post_unlocked(number: int) -> bool:
        wallet = Wallet.objects.get(line=line)
        last = wallet.entries.order_by("-position")[0]
        all_have_read.wait()
        try:
            with transaction.atomic():
                WalletEntry.objects.create(
                    wallet=wallet,
                    position=last.position + 1,
                    kind=EntryKind.TOP_UP,
                    amount=1,
                    balance_after=last.balance_after + 1,
                    reference=f"r-{number}",
                    at=now,
                )
        except IntegrityError:
            return False
        return True

    assert sum(in_threads(post_unlocked, range(THREADS), threads=THREADS)) == 1


def test_one_reference_on_several_wallets_at_once_is_one_entry(now: datetime) -> None:
    lines = [Line.objects.get(phone_number=number) for number in (JESUS, BRUNO, CARLA)]
    wanted = [(line.pk, f"r-{number}") for number in range(20) for line in lines for _ in range(3)]
    random.Random(4).shuffle(wanted)

    def post(one: tuple[int, str]) -> Posted:
        line_id, reference = one
        return post_entries(postings=[Posting(line_id, EntryKind.TOP_UP, D(1), reference)], at=now)[0]

    posted = in_threads(post, wanted, threads=THREADS)
    assert WalletEntry.objects.filter(reference__startswith="r-").count() == 20
    assert sum(bool(item.entry and not item.repeated) for item in posted) == 20
    assert {item.refusal.reason for item in posted if item.refusal} == {"reference_used"}
    assert not list(wallet_faults())


def test_batches_of_the_same_wallets_in_any_order_wait_for_each_other(now: datetime) -> None:
    lines = [Line.objects.get(phone_number=number).pk for number in (JESUS, BRUNO, CARLA)]

    def post(number: int) -> None:
        postings = [
            Posting(line_id, EntryKind.TOP_UP, D(1), f"r-{number}-{line_id}")
            for line_id in random.Random(number).sample(lines, 3)
        ]
        assert not any(item.refusal for item in post_entries(postings=postings, at=now))

    in_threads(post, range(96), threads=16)
    assert WalletEntry.objects.filter(reference__startswith="r-").count() == 3 * 96
    assert not list(wallet_faults())


def test_the_first_entries_of_a_line_at_once_make_one_wallet(line: Line, now: datetime) -> None:
    fresh = Line.objects.create(customer=line.customer, phone_number="0911111111", product_type="MOVIL")

    def post(number: int) -> None:
        post_entries(postings=[Posting(fresh.pk, EntryKind.TOP_UP, D(1), f"r-{number}")], at=now)

    in_threads(post, range(THREADS), threads=THREADS)
    assert Wallet.objects.get(line=fresh).balance_usd == THREADS


def test_what_is_proved_holds_while_entries_come(line: Line, now: datetime) -> None:
    def post_or_look(number: int) -> list[str]:
        if number % 4 == 0:
            return [str(fault) for fault in wallet_faults()]
        post_entries(postings=[Posting(line.pk, EntryKind.TOP_UP, D(1), f"r-{number}")], at=now)
        return []

    assert not [fault for found in in_threads(post_or_look, range(200), threads=8) for fault in found]
