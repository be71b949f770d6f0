"""Reports of many threads in one transaction: each gets its own outcomes, and pays for nobody's faults."""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import OperationalError

from telcox.testing.processes import wait_until
from usage.ingestion import together
from usage.ingestion.reports import Outcome, UsageReport
from usage.ingestion.together import MOST, Together

AT = datetime(2026, 12, 1, tzinfo=UTC)


def until(condition: Callable[..., object]) -> None:
    wait_until(condition, 10, "what was waited for")


class Books:
    """Stands for `apply_usage`: notes each transaction, holds the first until it is let go, and refuses what
    is called poison or comes while it is away."""

    def __init__(self) -> None:
        self.transactions: list[list[str | None]] = []
        self.away = False
        self.let_go = threading.Event()

    def apply_usage(self, *, reports: Sequence[UsageReport], at: datetime) -> list[Outcome]:
        names = [report.event_id for report in reports]
        self.transactions.append(names)
        self.let_go.wait(10)
        if self.away:
            raise OperationalError(2006, "gone")
        if "poison" in names:
            raise ZeroDivisionError
        return [Outcome(report) for report in reports]


@pytest.fixture
def books(monkeypatch: pytest.MonkeyPatch) -> Books:
    books = Books()
    monkeypatch.setattr(together, "apply_usage", books.apply_usage)
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
            thread.join(10)
            assert not thread.is_alive()


@pytest.fixture
def senders() -> Senders:
    return Senders()


def send_while_one_is_under_way(books: Books, senders: Senders, *names: str) -> None:
    senders.send("first")
    until(lambda: bool(books.transactions))
    for number, name in enumerate(names, start=1):
        senders.send(name, f"{name}-2")
        until(lambda number=number: senders.waiting() == number)


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
    until(lambda: senders.waiting() == 3)
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
