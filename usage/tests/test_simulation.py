"""What a simulated network sends, and whether its receipts are believed."""

import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usage.ingestion.formats import Malformed, read_json
from usage.ingestion.receipts import Receipt, Rejection
from usage.ingestion.reports import UsageReport
from usage.services import take_usage
from usage.simulation.tally import Tally
from usage.simulation.traffic import Batch, Element, Subscriber, Traffic
from usage.vocabulary import Category

AT = datetime(2026, 12, 1, 15, 0, tzinfo=UTC)
BEGUN = datetime(2026, 11, 23, 5, 16, 2, tzinfo=UTC)
LINES = [Subscriber("0969786985", BEGUN), Subscriber("0934567890", BEGUN)]
EVEN = dict.fromkeys(Category, 1)


def traffic(**changes: Any) -> Traffic:
    return Traffic(**{"source": "sim", "lines": LINES, "weights": EVEN, "unknown": ["0999999999"], **changes})


@st.composite
def traffics(draw: st.DrawFn) -> Traffic:
    duplicates = draw(st.floats(0, 0.9))
    weights = {category: draw(st.integers(0, 9)) for category in Category} | {Category.SMS: 1}
    return traffic(
        weights=weights,
        duplicates=duplicates,
        bad=draw(st.floats(0, 0.99 - duplicates)),
        late=draw(st.floats(0, 1)),
        unknown=draw(st.sampled_from([["0999999999"], []])),
    )


SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=6)


@settings(max_examples=80, deadline=None)
@given(what=traffics(), sizes=SIZES, seed=st.integers())
def test_a_batch_is_what_it_says(what: Traffic, sizes: list[int], seed: int) -> None:
    element = Element(what, number=3, seed=seed)
    known: dict[str, Any] = {}
    for size in sizes:
        batch = element.batch(size, AT)
        assert len(batch.items) == size == len(batch.good) + batch.repeats + batch.bad.total()
        read = read_json(batch.body())
        assert sum(isinstance(item, Malformed) for item in read) == batch.bad["invalid"]
        numbers = [item.phone_number for item in read if isinstance(item, UsageReport)]
        assert numbers.count("0999999999") == batch.bad["unknown_line"]
        for event in batch.good:
            assert event["event_id"] not in known
            known[event["event_id"]] = event
            assert what.weights[Category(event["category"])]
            assert AT - timedelta(days=3) <= datetime.fromisoformat(event["occurred_at"]) <= AT
        # Only what is in this batch or was acknowledged is repeated.
        element.acknowledged(batch)
        repeated = [item for item in batch.items if isinstance(item, dict) and item in known.values()]
        assert len(repeated) == len(batch.good) + batch.repeats


@settings(max_examples=30, deadline=None)
@given(what=traffics(), sizes=SIZES, seed=st.integers())
def test_the_same_seed_makes_the_same_choices(what: Traffic, sizes: list[int], seed: int) -> None:
    def bodies(number: int) -> list[bytes]:
        element = Element(what, number=number, seed=seed)
        return [element.batch(size, AT).body() for size in sizes]

    assert bodies(1) == bodies(1)
    assert bodies(1) != bodies(2)


def test_quantities_are_those_of_their_category() -> None:
    element = Element(traffic(), number=1, seed=1)
    quantities: dict[str, list[int]] = {}
    for event in element.batch(3_000, AT).good:
        quantities.setdefault(event["category"], []).append(event["quantity"])
    middle = {category: sorted(each)[len(each) // 2] for category, each in quantities.items()}
    assert middle["SMS"] == 1
    assert 30 < middle["VOICE"] < 300
    assert middle["NAVIGATION_SEARCH"] < middle["SOCIAL"] < middle["ENTERTAINMENT"] < middle["SYSTEM_UPDATES"]
    assert all(1 <= quantity <= 2**32 for each in quantities.values() for quantity in each)


@pytest.mark.django_db
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(what=traffics(), sizes=SIZES, again=st.sets(st.integers(0, 5)))
def test_the_receipts_of_the_pipeline_agree_though_batches_come_twice(
    seeded: None, what: Traffic, sizes: list[int], again: set[int]
) -> None:
    of_its_own = traffic(**{**vars(what), "source": uuid.uuid4().hex})
    element, tally = Element(of_its_own, number=1, seed=None), Tally()
    for number, size in enumerate(sizes):
        batch = element.batch(size, AT)
        attempts = 2 if number in again else 1
        receipts = [take_usage(reported=read_json(batch.body()), at=AT) for _ in range(attempts)]
        tally.add(batch, receipts[-1], attempts=attempts, seconds=0.1)
        element.acknowledged(batch)
        assert tally.disagreements() == []
    assert tally.sent == sum(sizes)


BATCH = Batch(items=[None] * 7, good=[{}] * 4, repeats=1, bad=Counter(invalid=2))
INVALID = [Rejection(index, None, "invalid", "") for index in (2, 5)]
LATE = Rejection(2, "e", "too_late", "")


def disagreements(receipt: Receipt, attempts: int = 1) -> int:
    tally = Tally()
    tally.add(BATCH, receipt, attempts=attempts, seconds=0.1)
    return len(tally.disagreements())


def test_receipts_that_do_not_add_up_are_seen() -> None:
    assert disagreements(Receipt(7, 4, 1, 2, INVALID)) == 0
    for wrong in (
        Receipt(6, 4, 1, 2, INVALID),
        Receipt(7, 5, 1, 2, INVALID),
        Receipt(7, 3, 2, 2, INVALID),
        Receipt(7, 4, 2, 1, INVALID[:1]),
        Receipt(7, 4, 1, 2, [INVALID[0], LATE]),
        Receipt(7, 3, 1, 3, [*INVALID, LATE]),
    ):
        assert disagreements(wrong) > 0, wrong


def test_a_batch_that_was_sent_twice_may_have_been_counted_the_first_time() -> None:
    assert disagreements(Receipt(7, 0, 5, 2, INVALID), attempts=2) == 0
    assert disagreements(Receipt(7, 4, 1, 2, INVALID), attempts=2) == 0
    assert disagreements(Receipt(7, 5, 0, 2, INVALID), attempts=2) > 0
    assert disagreements(Receipt(7, 0, 4, 3, [*INVALID, LATE]), attempts=2) > 0


def test_latencies_are_by_their_rank() -> None:
    tally = Tally()
    assert tally.latency(0.99) == 0
    tally.latencies.extend(number / 1000 for number in range(100, 0, -1))
    assert (tally.latency(0.5), tally.latency(0.99)) == (0.051, 0.1)
