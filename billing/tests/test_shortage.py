"""Prepaid lines that wait for money: which of them are still short is known without looking at each."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import Discount, TaxRate, Wallet
from billing.sales.renewal import renew_due_lines, renew_line
from billing.sales.services import activate_subscription, schedule_plan_change
from billing.sales.shortage import still_short
from billing.tests.builders import moment
from billing.wallets import adjust_wallet
from customers.catalogue import revise_plan
from customers.models import Customer, Line, LineEvent, Plan, Subscription

D = Decimal
MakePlan = Callable[..., Plan]
Sell = Callable[..., Line]

pytestmark = pytest.mark.django_db

BEGUN, REFUSED, LATER = moment("2026-11-01 10:00"), moment("2026-12-02"), moment("2026-12-20")


@pytest.fixture
def sell(seeded: None, make_plan: MakePlan) -> Sell:
    """A prepaid line with a period, and nothing left for another one."""
    Line.objects.update(auto_renew=False)
    first = make_plan("first", price="10.00")

    def sell(plan: Plan = first, customer: Customer | None = None) -> Line:
        line = Line.objects.create(
            customer=customer or Customer.objects.earliest("pk"),
            phone_number=f"098{Line.objects.count():07d}",
            product_type="MOVIL",
            prepaid=True,
        )
        pay(line, "200.00", BEGUN)
        activate_subscription(line=line, plan=plan, at=BEGUN)
        pay(line, -Wallet.objects.get(line=line).balance_usd, BEGUN)
        return Line.objects.get(pk=line.pk)

    return sell


def pay(line: Line, amount: Decimal | str, at: datetime) -> None:
    adjust_wallet(line=line, amount=D(amount), reference=f"{line.phone_number} {at} {amount}", at=at)


def waiting() -> list[int]:
    return list(Line.objects.filter(prepaid=True, auto_renew=True).values_list("pk", flat=True))


def test_it_is_whoever_cannot_begin_a_period_when_tried_alone(sell: Sell, make_plan: MakePlan) -> None:
    """To the cent: by plan, price of the day, part of a month, discount, wished change of plan."""
    monthly, dear = make_plan("monthly", price="31.00", validity_days=0), make_plan("dear", price="99.00")
    cheap = make_plan("cheap", price="2.00")
    favoured = Customer.objects.latest("pk")
    lines = {
        ("as sold", "11.49"): sell(),
        ("as sold", "11.50"): sell(),
        ("revised", "22.99"): sell(dear),
        ("revised", "23.00"): sell(dear),
        ("12 of 31 days", "13.79"): sell(monthly),
        ("12 of 31 days", "13.80"): sell(monthly),
        ("half off", "5.74"): sell(customer=favoured),
        ("half off", "5.75"): sell(customer=favoured),
        ("to the cheap one", "2.29"): sell(),
        ("to the cheap one", "2.30"): sell(),
    }
    for (what, _money), line in lines.items():
        if what == "to the cheap one":
            schedule_plan_change(line=line, plan=cheap, at=BEGUN)
    nothing = sell()
    assert not any(renew_due_lines(at=REFUSED))
    for (_what, money), line in lines.items():
        pay(line, money, REFUSED)
    dear.price = D("20.00")
    revise_plan(plan=dear, at=REFUSED)
    Discount.objects.create(name="Half", percent=50, customer=favoured, valid_from=date(2026, 12, 15))

    short = still_short(waiting(), LATER)

    begun = {key for key, line in lines.items() if renew_line(line=line, at=LATER)}
    assert begun == {key for key, line in lines.items() if line.pk not in short}
    assert begun == set(list(lines)[1::2])
    assert nothing.pk in short


def test_a_run_begins_what_can_be_paid_and_leaves_the_others(sell: Sell) -> None:
    lines = [sell() for _ in range(4)]
    assert not any(renew_due_lines(at=REFUSED))
    pay(lines[2], "11.50", LATER)
    assert list(renew_due_lines(at=LATER)) == [1]
    assert Subscription.objects.get(line=lines[2], is_last=True).start_at == LATER
    assert LineEvent.objects.filter(step="RENEWAL_REFUSED").count() == 4
    assert still_short(waiting(), LATER) == {line.pk for line in lines} - {lines[2].pk}


def test_who_was_not_tried_yet_is_tried(sell: Sell) -> None:
    line = sell()
    assert still_short([line.pk], REFUSED) == set()
    assert not any(renew_due_lines(at=REFUSED))
    assert still_short([line.pk], REFUSED) == {line.pk}


def test_ten_times_as_many_cost_the_same_queries(sell: Sell) -> None:
    costs = []
    for more in (2, 18):
        for _ in range(more):
            sell()
        assert not any(renew_due_lines(at=REFUSED))
        with CaptureQueriesContext(connection) as asked:
            assert not any(renew_due_lines(at=LATER))
        costs.append(len(asked))
    assert costs[0] == costs[1]


def test_where_no_price_can_be_known_each_is_looked_at_by_itself(sell: Sell) -> None:
    line = sell()
    assert not any(renew_due_lines(at=REFUSED))
    TaxRate.objects.all().delete()
    assert still_short([line.pk], LATER) == set()
    assert not any(renew_due_lines(at=LATER))
