"""Orders that come at the same time, each over a connection of its own."""

from collections.abc import Callable
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billing.api import subscriptions
from billing.models import WalletEntry
from billing.rating.facts import price_periods
from billing.sales import services
from billing.sales.prepaid import paid_by_wallet
from billing.tests.orders import NUMBER, new_line, new_pack, post
from customers.lifecycle import lock_line
from customers.models import Line, LineEvent, LineStep, PlanChange, SoldPack
from telcox.common.calendar import add_days
from telcox.testing.threads import in_threads

pytestmark = [
    pytest.mark.mariadb,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("committed", "open_api"),
    pytest.mark.parametrize("prepaid", [False, True], ids=["postpaid", "prepaid"]),
]

PACK = ("packs", {"pack": "mas-5", "reference": "R-1"})


@pytest.fixture
def line(committed: None, prepaid: bool) -> Line:
    new_pack()
    return new_line(at=add_days(timezone.now(), -10), prepaid=prepaid)


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Sends orders at once; each has read the line before any is carried out."""

    def send(*orders: tuple[str, dict[str, Any]]) -> list[Any]:
        all_have_read = Barrier(len(orders), timeout=60)

        def held_back(order: Callable[..., Any]) -> Callable[..., Any]:
            def wait(**given: Any) -> Any:
                all_have_read.wait()
                return order(**given)

            return wait

        for name in ("order_plan", "order_pack"):
            monkeypatch.setattr(subscriptions, name, held_back(getattr(subscriptions, name)))
        return in_threads(lambda order: post(Client(), *order), orders, threads=len(orders))

    return send


def statuses(answers: list[Any]) -> list[int]:
    return sorted(answer.status_code for answer in answers)


def assert_paid_as_priced(line: Line) -> None:
    """What the wallet paid for each prepaid period is what it costs, and nothing was paid beside that."""
    periods = list(line.subscriptions.filter(prepaid=True))
    paid = paid_by_wallet(periods)
    for period, _facts, rated in price_periods(periods, at=timezone.now()):
        assert paid.get(period.pk, (Decimal(0), 0))[0] == rated.total
    entries = WalletEntry.objects.filter(wallet__line=line, subscription=None)
    assert entries.count() == line.prepaid


CHANGES = (("plan-change", {"plan": "movil-30"}), ("plan-change", {"plan": "movil-60"}))


@pytest.mark.parametrize("versions", [False, True], ids=["as the line was read", "as the customer saw it"])
@pytest.mark.parametrize("when", ["now", "period_end"])
def test_of_two_plan_changes_one_is_done_and_the_other_told(
    line: Line, together: Callable[..., list[Any]], when: str, versions: bool
) -> None:
    more = {"when": when, **({"version": line.version} if versions else {})}
    answers = together(*((what, {**body, **more}) for what, body in CHANGES))
    assert statuses(answers) == [201, 409]
    [refusal] = [answer.json() for answer in answers if answer.status_code == 409]
    assert refusal["reason"] == "changed_meanwhile"
    [done] = [answer.json() for answer in answers if answer.status_code == 201]
    assert PlanChange.objects.get().plan.code == done["plan"]
    assert line.subscriptions.count() == (2 if when == "now" else 1)
    steps = (LineStep.CHANGE_PLAN, LineStep.SCHEDULE_CHANGE)
    assert LineEvent.objects.filter(line=line, step__in=steps).count() == 1
    assert_paid_as_priced(line)


def test_without_the_version_both_would_be_done(
    line: Line, together: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "lock_for", lambda line, step: lock_line(line))
    assert statuses(together(*CHANGES)) == [201, 201]
    assert PlanChange.objects.filter(line=line).count() == 2


def test_a_pack_that_is_ordered_twice_is_bought_once(
    line: Line, prepaid: bool, together: Callable[..., list[Any]]
) -> None:
    answers = together(PACK, PACK, PACK)
    assert statuses(answers) == [200, 200, 201]
    assert sum(answer.json()["repeated"] for answer in answers) == 2
    assert sum(answer.json()["charged"] for answer in answers) == (4.6 if prepaid else 0)
    assert SoldPack.objects.count() == 1
    period = line.subscriptions.get()
    assert period.limit_bytes == 20 * 2**30
    assert_paid_as_priced(line)


def test_one_reference_on_two_lines_is_one_purchase(
    line: Line, prepaid: bool, together: Callable[..., list[Any]]
) -> None:
    other = new_line(at=add_days(timezone.now(), -10), prepaid=prepaid, phone_number="0966666666")
    answers = in_threads(lambda number: post(Client(), *PACK, number), [NUMBER, "0966666666"] * 2, threads=4)
    assert statuses(answers).count(201) == 1
    assert SoldPack.objects.count() == 1
    for each in (line, other):
        assert_paid_as_priced(each)


@pytest.mark.parametrize("attempt", range(3))
def test_a_pack_and_a_plan_change_are_one_after_the_other(
    line: Line, together: Callable[..., list[Any]], attempt: int
) -> None:
    change, pack = together(CHANGES[1], PACK)
    assert pack.status_code == 201
    first, *rest = line.subscriptions.order_by("sequence")
    if change.status_code == 409:  # the pack came first
        assert change.json()["reason"] == "changed_meanwhile"
        assert (SoldPack.objects.get().subscription, rest) == (first, [])
    else:
        assert change.status_code == 201
        [second] = rest
        sold = SoldPack.objects.get()
        assert sold.subscription == second
        assert sold.bought_at > second.start_at
        assert second.limit_bytes == 65 * 2**30
    assert_paid_as_priced(line)


def test_dry_runs_beside_an_order_leave_nothing_and_are_no_hindrance(
    line: Line, together: Callable[..., list[Any]]
) -> None:
    dry_runs = [(what, {**body, "dry_run": True}) for what, body in (*CHANGES, PACK)]
    *answers, done = together(*dry_runs, PACK)
    assert done.status_code == 201
    # Those that came after it were told that the line is another one now.
    assert set(statuses(answers)) <= {200, 409}
    assert SoldPack.objects.count() == 1
    assert not PlanChange.objects.exists()
    assert line.subscriptions.count() == 1
    assert_paid_as_priced(line)
