"""Any order, any cut, any repetition of the same reports: the same books."""

import itertools
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usage.ingestion.apply import apply_usage
from usage.ingestion.reports import Result, UsageReport
from usage.models import UsageAlert, UsageCounter, UsageDay, UsageEvent
from usage.tests.batches import CARLA, GIB, JESUS, NOBODY, add_pack, make_free, report, suspend, terminate
from usage.verification import find_differences
from usage.vocabulary import ALERT_THRESHOLDS, COUNTER_FIELDS, ZERO_RATED, Category

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Feed:
    """Distinct events; and how they came: cut into batches, in any order, some of
    them again and again. Of Jesus some data is free, and he buys a pack before some of the batches. Carla's
    line was out of service and in again at the `turns`, at last for good: suspended or terminated."""

    events: list[UsageReport]
    batches: list[list[UsageReport]]
    free: list[str]
    packs_before: set[int]
    turns: list[datetime]
    terminated: bool

    def happen(self) -> None:
        make_free(*self.free)
        for start_at, end_at in itertools.zip_longest(self.turns[::2], self.turns[1::2]):
            if end_at or not self.terminated:
                suspend(start_at, end_at, phone_number=CARLA)
            else:
                terminate(start_at, phone_number=CARLA)

    def refusal(self, event: UsageReport) -> str | None:
        turns = sum(turn <= cast(datetime, event.occurred_at) for turn in self.turns)
        if event.phone_number == NOBODY:
            return "unknown_line"
        if event.phone_number == CARLA and turns % 2:
            last = turns == len(self.turns)
            return "line_terminated" if last and self.terminated else "line_suspended"
        return None


@st.composite
def feeds(draw: st.DrawFn) -> Feed:
    at, hours = datetime(2026, 12, 1, 15, 0, tzinfo=UTC), st.integers(0, 24 * 7)
    events = [
        report(
            f"e-{number}",
            phone_number=draw(st.sampled_from([JESUS, CARLA, NOBODY])),
            category=draw(st.sampled_from(Category.values)),
            quantity=draw(st.one_of(st.integers(1, 1000), st.just(8 * GIB))),
            occurred_at=at - draw(hours) * HOUR,
        )
        for number in range(draw(st.integers(1, 12)))
    ]
    sent = draw(st.permutations(events + draw(st.lists(st.sampled_from(events), max_size=8))))
    cuts = sorted(draw(st.lists(st.integers(0, len(sent)), max_size=5)))
    edges = [0, *cuts, len(sent)]
    return Feed(
        events,
        [list(sent[start:end]) for start, end in itertools.pairwise(edges)],
        draw(st.lists(st.sampled_from(list(ZERO_RATED.values())), max_size=2)),
        draw(st.sets(st.integers(0, len(edges) - 2), max_size=2)),
        sorted(at - hour * HOUR for hour in draw(st.lists(hours, max_size=5, unique=True))),
        draw(st.booleans()),
    )


def books() -> tuple[Any, ...]:
    return (
        set(UsageCounter.objects.values_list("pk", "version", *COUNTER_FIELDS.values())),
        set(UsageDay.objects.values_list("subscription_id", "day", *COUNTER_FIELDS.values())),
        set(UsageEvent.objects.values_list("source", "event_id", "subscription_id", "quantity")),
    )


def due_alerts() -> set[tuple[int, str, int]]:
    """By what was used of the allowances as they are now."""
    return {
        (held.pk, resource, threshold)
        for held in UsageCounter.objects.select_related("subscription")
        for resource, used, limit in [
            ("DATA", held.drawn_bytes(held.subscription), held.subscription.limit_bytes),
            ("VOICE", held.used_voice_seconds, held.subscription.minutes_limit * 60),
            ("SMS", held.used_sms, held.subscription.sms_limit),
        ]
        for threshold in ALERT_THRESHOLDS
        if 0 < threshold * limit <= used * 100
    }


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(feed=feeds())
def test_any_order_cut_and_repetition_of_the_same_events_keeps_the_same_books(
    seeded: None, now: datetime, feed: Feed
) -> None:
    def undone(
        batches: list[list[UsageReport]], packs_before: Collection[int] = ()
    ) -> tuple[tuple[Any, ...], Counter[Result], dict[str | None, str]]:
        """The books after these batches, what became of their reports, and which were rejected; then all is
        as before."""
        results: Counter[Result] = Counter()
        rejected = {}
        with transaction.atomic():
            feed.happen()
            before = due_alerts()
            for number, batch in enumerate(batches):
                if number in packs_before:
                    add_pack(7 * GIB)
                for outcome in apply_usage(reports=batch, at=now):
                    results[outcome.result] += 1
                    if outcome.reason is not None:
                        rejected[outcome.report.event_id] = outcome.reason.value
            assert not list(find_differences())
            kept = books()
            said = set(UsageAlert.objects.values_list("subscription_id", "resource", "threshold"))
            assert before | said >= due_alerts()
            assert packs_before or said == due_alerts() - before
            transaction.set_rollback(True)
        return kept, results, rejected

    at_once, of_each, rejected = undone([feed.events])
    in_pieces, of_all, rejected_in_pieces = undone(feed.batches, feed.packs_before)
    assert in_pieces == at_once
    assert of_all[Result.APPLIED] == of_each[Result.APPLIED]
    assert of_all.total() == sum(map(len, feed.batches))
    refusals = {event.event_id: feed.refusal(event) for event in feed.events}
    assert rejected == rejected_in_pieces == {key: reason for key, reason in refusals.items() if reason}
