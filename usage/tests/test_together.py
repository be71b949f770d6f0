"""Reports of many threads in one transaction: each gets its own outcomes, and pays for nobody's faults."""

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import OperationalError

from telcox.common.errors import TooBusy
from telcox.testing.processes import wait_until
from usage.ingestion import group_commit
from usage.ingestion.group_commit import MOST, Together
from usage.ingestion.reports import Outcome, Result, UsageReport

pytestmark = pytest.mark.once

AT = datetime(2026, 12, 1, tzinfo=UTC)


class Books:
    """Stands for `apply_usage`: notes each transaction, holds the first until it is let go, and refuses what
    is called poison or comes while it is away."""

    def __init__(self) -> None:
        self.transactions: list[list[str | None]] = []
        self.away = False
        self.seconds = 0.0
        self.let_go = threading.Event()

    def apply_usage(self, *, reports: Sequence[UsageReport], at: datetime) -> list[Outcome]:
        names = [report.event_id for report in reports]
        self.transactions.append(names)
        self.let_go.wait(60)
        time.sleep(self.seconds)
        if self.away:
            raise OperationalError(2006, "gone")
        if "poison" in names:
            raise ZeroDivisionError
        return [Outcome(report, Result.APPLIED) for report in reports]


@pytest.fixture
def books(monkeypatch: pytest.MonkeyPatch) -> Books:
    books = Books()
    monkeypatch.setattr(group_commit, "apply_usage", books.apply_usage)
    return books


def reports(*names: str) -> list[UsageReport]:
    return [UsageReport("0969786985", "SMS", 1, "t", name) for name in names]


class Senders:
    """Threads that bring reports, and what each was answered."""

    def __init__(self) -> None:
        self.together = Together()
        self.answers: dict[str, Any] = {}
        self.threads: list[threading.Thread] = []

    def send(self, *names: str) -> None:
        def run() -> None:
            try:
                outcomes = self.together.apply(reports=reports(*names), at=AT)
                self.answers[names[0]] = [outcome.report.event_id for outcome in outcomes]
            except Exception as error:
                self.answers[names[0]] = error

        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()

    def waiting(self) -> int:
        return len(self.together._waiting)

    def join(self) -> None:
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive()


@pytest.fixture(autouse=True)
def patient(settings: Any) -> None:
    """Nobody is refused because this machine is slow."""
    settings.QUEUE_WAIT_SECONDS = settings.QUEUE_BEHIND_SECONDS = 600.0


@pytest.fixture
def senders() -> Senders:
    return Senders()


def send_while_one_is_under_way(books: Books, senders: Senders, *names: str) -> None:
    senders.send("first")
    wait_until(lambda: bool(books.transactions))
    for number, name in enumerate(names, start=1):
        senders.send(name, f"{name}-2")
        wait_until(lambda number=number: senders.waiting() + len(senders.answers) == number)


def test_what_comes_while_one_is_under_way_goes_into_the_next(books: Books, senders: Senders) -> None:
    send_while_one_is_under_way(books, senders, "a", "b", "c")
    assert not senders.answers
    books.let_go.set()
    senders.join()
    assert books.transactions == [["first"], ["a", "a-2", "b", "b-2", "c", "c-2"]]
    assert senders.answers == {"first": ["first"], **{name: [name, f"{name}-2"] for name in "abc"}}


def test_a_transaction_is_bounded(books: Books, senders: Senders) -> None:
    send_while_one_is_under_way(books, senders)
    for name in "abc":
        senders.send(*(f"{name}{number}" for number in range(MOST // 2)))
    wait_until(lambda: senders.waiting() == 3)
    books.let_go.set()
    senders.join()
    assert [len(names) for names in books.transactions] == [1, MOST, MOST // 2]
    assert all(len(answer) in (1, MOST // 2) for answer in senders.answers.values())


def test_what_is_beyond_us_costs_the_others_nothing(books: Books, senders: Senders) -> None:
    send_while_one_is_under_way(books, senders, "a", "poison", "c")
    books.let_go.set()
    senders.join()
    assert isinstance(senders.answers["poison"], ZeroDivisionError)
    assert senders.answers["a"] == ["a", "a-2"]
    assert senders.answers["c"] == ["c", "c-2"]


def test_a_database_that_is_away_is_told_to_all_and_the_next_are_counted(
    books: Books, senders: Senders
) -> None:
    send_while_one_is_under_way(books, senders, "a", "b")
    books.away = True
    books.let_go.set()
    senders.join()
    assert all(isinstance(answer, OperationalError) for answer in senders.answers.values())
    assert len(senders.answers) == 3
    books.away = False
    senders.send("later")
    senders.join()
    assert senders.answers["later"] == ["later"]


def test_many_threads_each_get_their_own(books: Books, senders: Senders) -> None:
    books.let_go.set()
    for number in range(200):
        senders.send(f"n{number}")
    senders.join()
    assert senders.answers == {f"n{number}": [f"n{number}"] for number in range(200)}


# --- When the database is slow ---


@pytest.fixture
def impatient(patient: None, settings: Any) -> None:
    settings.QUEUE_WAIT_SECONDS = 0.3


def test_what_is_not_taken_in_time_is_withdrawn_and_what_was_taken_waits_on(
    impatient: None, books: Books, senders: Senders
) -> None:
    send_while_one_is_under_way(books, senders, "a", "b")
    wait_until(lambda: len(senders.answers) == 2)
    assert all(isinstance(senders.answers[name], TooBusy) for name in "ab")
    books.let_go.set()
    senders.join()
    assert senders.answers["first"] == ["first"]
    assert books.transactions == [["first"]]
    senders.send("later")
    senders.join()
    assert senders.answers["later"] == ["later"]


def test_while_a_transaction_takes_long_nothing_more_is_let_in(
    settings: Any, books: Books, senders: Senders
) -> None:
    settings.QUEUE_BEHIND_SECONDS = 0.2
    send_while_one_is_under_way(books, senders, "a")
    time.sleep(0.3)
    senders.send("b")
    wait_until(lambda: "b" in senders.answers)
    assert isinstance(senders.answers["b"], TooBusy)
    books.let_go.set()
    senders.join()
    assert senders.answers["a"] == ["a", "a-2"]


def test_a_transaction_never_holds_all_threads(settings: Any, books: Books, senders: Senders) -> None:
    settings.WEB_THREADS = 4
    send_while_one_is_under_way(books, senders, *"abcde")
    books.let_go.set()
    senders.join()
    assert [len(names) for names in books.transactions] == [1, 6, 4]


def test_who_is_called_to_lead_just_when_it_would_withdraw_leads(
    settings: Any, books: Books, senders: Senders
) -> None:
    settings.QUEUE_WAIT_SECONDS = 2.0
    send_while_one_is_under_way(books, senders, "a")
    with senders.together._lock:
        time.sleep(2.2)  # it has waited for long enough, and waits for this lock
        senders.together._waiting[0].called.set()
    books.let_go.set()
    senders.join()
    assert senders.answers["a"] == ["a", "a-2"]


def test_what_is_withdrawn_is_not_counted_and_all_else_is(
    settings: Any, books: Books, senders: Senders
) -> None:
    """Tickets run out just as transactions end, again and again."""
    settings.QUEUE_WAIT_SECONDS = books.seconds = 0.02
    books.let_go.set()
    for number in range(300):
        senders.send(f"n{number}")
        time.sleep(0.001)
    senders.join()
    # However fast or slow that was: some are withdrawn for certain, because nothing ends meanwhile.
    books.let_go.clear()
    known = len(books.transactions)
    senders.send("under way")
    wait_until(lambda: len(books.transactions) > known)
    for number in range(300, 310):
        senders.send(f"n{number}")
    wait_until(lambda: len(senders.answers) == 310)
    books.let_go.set()
    senders.join()
    counted = {name for names in books.transactions for name in names}
    assert counted == {name for name, answer in senders.answers.items() if answer == [name]}
    withdrawn = senders.answers.keys() - counted
    assert withdrawn
    assert all(isinstance(senders.answers[name], TooBusy) for name in withdrawn)
    assert len(senders.answers) == 311
