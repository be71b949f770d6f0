"""One result for every order: whenever usage is reported and whenever the run comes, the same facts make the
same counters, days, alerts, rollover and bills."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from billing.daily import run_day
from billing.models import InvoiceLine, Wallet
from billing.sales.orders import order_pack, order_plan
from billing.sales.services import activate_subscription, schedule_end, terminate_line
from billing.tests.builders import MakePack, MakePlan, fresh, moment
from billing.wallets import adjust_wallet
from customers.models import Line, Pack, Plan, Subscription
from customers.services import resume_line, suspend_line
from telcox.common.errors import DomainError
from usage import replacing
from usage.ingestion.apply import apply_usage
from usage.ingestion.reports import UsageReport
from usage.models import UsageAlert, UsageCounter, UsageDay
from usage.verification import find_differences
from usage.vocabulary import COUNTER_FIELDS

# What a real database adds, which is locks and races, is in usage/tests/test_replacing_races.py.
pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.usefixtures("opened")]

GB = 2**30
# The first line is sold then, in the middle of a second; everything happens within 40 days.
SOLD = moment("2026-11-20 10:06:30.400000")
DAYS = 40
END = SOLD + timedelta(days=DAYS)
LATEST = 5  # days after it happened, usage is reported


class Use(NamedTuple):
    """Usage `at` that many seconds after the sale, reported `late` seconds after that."""

    at: int
    category: str
    quantity: int
    late: int = 0


class Step(NamedTuple):
    """What somebody does with the line, that many seconds after the sale."""

    at: int
    what: str


class Facts(NamedTuple):
    plan: str
    uses: list[Use]
    steps: list[Step]
    # When the run comes, in seconds after the sale.
    runs: list[int]


# --- The facts ---

# Weeks end at 10:06:30 on Fridays, months at midnight. Much happens close to the ends of both.
WEEK, DAY = 7 * 24 * 3600, 24 * 3600
ENDS = [WEEK, 2 * WEEK, 3 * WEEK, *(int((moment(day) - SOLD).total_seconds()) for day in ("2026-12-01",))]
seconds = st.one_of(
    st.integers(0, DAYS * DAY - 1),
    st.builds(
        lambda end, after: min(max(0, end + after), DAYS * DAY - 1),
        st.sampled_from(ENDS),
        st.integers(-3, 2 * 3600),
    ),
)
quantities = {
    "ENTERTAINMENT": st.integers(1, 4 * GB),
    "VOICE": st.integers(1, 3000),
    "SMS": st.integers(1, 15),
}


def uses(late: st.SearchStrategy[int]) -> st.SearchStrategy[list[Use]]:
    one = st.sampled_from(sorted(quantities)).flatmap(
        lambda category: st.builds(Use, seconds, st.just(category), quantities[category], late)
    )
    return st.lists(one, min_size=1, max_size=8)


def facts(plans: list[str], steps: list[str], late: st.SearchStrategy[int]) -> st.SearchStrategy[Facts]:
    return st.builds(
        Facts,
        st.sampled_from(plans),
        uses(late),
        st.lists(
            st.builds(Step, seconds, st.sampled_from(steps)), max_size=4, unique_by=lambda step: step.at
        ),
        st.lists(seconds, max_size=4),
    )


def ends_or_is_suspended(facts: Facts) -> bool:
    """Not both: a line that is suspended after it should have ended, and before the run, ends as of its
    suspension (`end_due`), so it matters whether the run comes first."""
    steps = {step.what for step in facts.steps}
    return "ends with period" not in steps or steps.isdisjoint(("suspend", "operator suspends"))


STEPS = ["suspend", "resume", "operator suspends", "to week", "to month", "next week", "next month"]
# Usage is reported as it happens; only the runs come when they come.
punctual = st.one_of(
    facts(
        ["rolling week", "rolling month"], [*STEPS, "pack", "ends with period", "terminate"], st.just(0)
    ).filter(ends_or_is_suspended),
    # A prepaid line that is suspended or ends before the run gets no next period.
    facts(["prepaid rolling week"], ["to week", "to month", "next week", "next month", "pack"], st.just(0)),
)
# Usage is up to five days late. Rollover and what is left of a pack go by what is known when a period ends,
# so there are none.
late = facts(
    ["week", "month"], STEPS, st.one_of(st.just(0), st.integers(0, 3 * 3600), st.integers(0, LATEST * DAY))
)


# --- The worlds in which they are played ---


@pytest.fixture(autouse=True)
def catalogue(opened: None, make_plan: MakePlan, make_pack: MakePack, settings: Any) -> None:
    settings.SUSPEND_AFTER_DAYS, settings.REMINDER_LADDER = 0, ()
    settings.LATE_USAGE_DAYS = 365
    Line.objects.update(auto_renew=False)
    Subscription.objects.update(unbilled=None)
    allowance = {"data_bytes": 5 * GB, "voice_minutes": 60, "sms": 20}
    costs = {
        "overage_price_per_gb": "1.20",
        "overage_price_per_minute": "0.06",
        "overage_price_per_sms": "0.05",
    }
    for name, days in (("week", 7), ("month", 0)):
        make_plan(name, validity_days=days, **allowance, **costs)
        make_plan(
            f"rolling {name}", validity_days=days, rollover_share="0.5", rollover_cap=1, **allowance, **costs
        )
    make_pack("pack", data_bytes=2 * GB, voice_minutes=30, sms=10)


@contextmanager
def world() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def play(line: Line, facts: Facts, *, punctually: bool) -> dict[str, Any]:
    """Return what comes of the facts. `punctually`: usage is reported when it happens, and a run comes before
    everything."""
    actions: list[tuple[datetime, int, Any]] = []
    for number, use in enumerate(facts.uses):
        occurred_at = SOLD + timedelta(seconds=use.at)
        at = occurred_at if punctually else occurred_at + timedelta(seconds=use.late)
        actions.append((at, number, (use, occurred_at)))
    # Never at the very moment of a use: then it matters which of both is known first.
    actions += [(SOLD + timedelta(seconds=step.at + 0.2), -1, step) for step in facts.steps]
    if not punctually:
        actions += [(SOLD + timedelta(seconds=run), -2, None) for run in facts.runs]
    if facts.plan.startswith("prepaid"):
        Line.objects.filter(pk=line.pk).update(prepaid=True)
    Wallet.objects.create(line=line)
    adjust_wallet(line=line, amount=Decimal(9_000), reference="money", at=SOLD - timedelta(days=1))
    plan = Plan.objects.get(code=facts.plan.removeprefix("prepaid "))
    activate_subscription(line=fresh(line), plan=plan, at=SOLD)
    for at, number, what in sorted(actions, key=lambda action: action[:2]):
        if what is None or (punctually and is_due(line, at)):
            run_day(at=at)
        if isinstance(what, Step):
            take(fresh(line), what.what, at)
        elif what is not None:
            use, occurred_at = what
            report = UsageReport(line.phone_number, use.category, use.quantity, "s", f"{number}", occurred_at)
            apply_usage(reports=[report], at=at)
    for at in settled(facts):
        run_day(at=at)
    assert not list(find_differences())
    return came_of_it(line)


def settled(facts: Facts) -> list[datetime]:
    """Return when every late charge is billed, and when the next bill is there, in which none may come again:
    the period in which all is reported ends one period later at most."""
    months = "month" in facts.plan or any("month" in step.what for step in facts.steps)
    longest = 31 if months else 7
    return [END + timedelta(days=LATEST + 1 + periods * longest) for periods in (1, 2)]


def is_due(line: Line, at: datetime) -> bool:
    return Subscription.objects.current().ended(at).filter(line=line).exists()


def take(line: Line, step: str, at: datetime) -> None:
    """Refusals are part of the facts: they are the same in every world."""
    rolling = "rolling " if line.subscriptions.first().plan.code.startswith("rolling") else ""  # type: ignore[union-attr]
    clock = {"dry_run": False, "clock": lambda: at}
    try:
        match step.split():
            case ["suspend"]:
                suspend_line(line=line, reason="CUSTOMER", at=at)
            case ["operator", _]:
                suspend_line(line=line, reason="OPERATOR", at=at)
            case ["ends", *_]:
                schedule_end(line=line, at=at)
            case ["terminate"]:
                terminate_line(line=line, at=at)
            case ["resume"]:
                resume_line(line=line, at=at)
            case ["pack"]:
                reference = f"pack-{at.timestamp()}"
                order_pack(line=line, pack=Pack.objects.get(code="pack"), reference=reference, **clock)  # type: ignore[arg-type]
            case [when, name]:
                plan = Plan.objects.get(code=rolling + name)
                order_plan(line=line, plan=plan, at_period_end=when == "next", **clock)  # type: ignore[arg-type]
    except DomainError:
        pass


def came_of_it(line: Line) -> dict[str, Any]:
    of_it = {"subscription__line": line}
    charged: defaultdict[tuple[int, str], Decimal] = defaultdict(Decimal)
    lines = InvoiceLine.objects.filter(invoice__subscription__line=line)
    for late_for, own, unit, amount, discount in lines.values_list(
        "late_for__sequence", "invoice__subscription__sequence", "unit", "amount", "discount"
    ):
        charged[late_for or own, unit] += amount - discount
    period = (
        "sequence",
        "plan__code",
        "start_at",
        "expiration_at",
        "limit_bytes",
        "minutes_limit",
        "sms_limit",
    )
    counters = UsageCounter.objects.filter(**of_it).values_list(
        "subscription__sequence", *COUNTER_FIELDS.values()
    )
    return {
        "periods": list(line.subscriptions.order_by("sequence").values_list(*period, "carried_in_bytes")),
        "counters": sorted(row for row in counters if any(row[1:])),
        "days": sorted(
            UsageDay.objects.filter(**of_it).values_list(
                "subscription__sequence", "day", *COUNTER_FIELDS.values()
            )
        ),
        "alerts": sorted(
            UsageAlert.objects.filter(**of_it).values_list("subscription__sequence", "resource", "threshold")
        ),
        "charged": {key: amount for key, amount in charged.items() if amount},
        "wallet": Wallet.objects.get(line=line).balance_usd,
    }


def both_worlds(line: Line, facts: Facts) -> tuple[dict[str, Any], dict[str, Any]]:
    with world():
        in_time = play(line, facts, punctually=True)
    with world():
        return in_time, play(line, facts, punctually=False)


# As many as the profile says: 10,000 in `make nightly`.
examples = hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
# The first minutes of a period are reported, and the run comes an hour later.
EARLY_USE = Facts("rolling week", [Use(10, "SMS", 19), Use(WEEK + 60, "SMS", 9)], [], [WEEK + 3600])
# Beat is away for a month.
AWAY = Facts("rolling month", [Use(day * DAY, "ENTERTAINMENT", GB) for day in range(7, 15)], [], [])


@examples
@given(facts=punctual)
@example(facts=EARLY_USE)
@example(facts=AWAY)
def test_whenever_the_run_comes_everything_is_the_same(line: Line, facts: Facts) -> None:
    in_time, otherwise = both_worlds(line, facts)
    assert otherwise == in_time


@examples
@given(facts=late)
def test_however_late_usage_is_reported_each_period_costs_the_same_in_all(line: Line, facts: Facts) -> None:
    in_time, otherwise = both_worlds(line, facts)
    if any(step.what in ("to week", "to month") for step in facts.steps):
        # A late report is compared with the allowance as the change of the plan has cut it.
        in_time.pop("alerts")
        otherwise.pop("alerts")
    assert otherwise == in_time


@pytest.mark.parametrize("facts", [EARLY_USE, AWAY], ids=["early use", "beat away"])
def test_control_without_moving_usage_it_is_not(
    line: Line, facts: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replacing, "_counted_since", lambda closing: {})
    monkeypatch.setattr("billing.tests.test_time_properties.find_differences", lambda: ())
    in_time, otherwise = both_worlds(line, facts)
    assert otherwise["charged"] != in_time["charged"] or otherwise["counters"] != in_time["counters"]
