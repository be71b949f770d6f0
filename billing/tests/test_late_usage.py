"""Use that arrives after its period was billed, on the next bill."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from django.test import Client

from billing.daily import run_day
from billing.invoicing import parking
from billing.invoicing.closing import bill_periods
from billing.invoicing.drafting import discard_draft, draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.models import Invoice, InvoiceLine, Wallet
from billing.rating.late_use import late_use
from billing.sales.holders import change_holder
from billing.sales.renewal import renew_due_lines
from billing.sales.services import activate_subscription, agree_spend_limit, change_plan, terminate_line
from billing.settling.crediting import credit_invoice
from billing.tests.builders import fresh, moment, refusal
from billing.tests.lines import fund, new_line
from billing.tests.orders import Clock, as_shown, charged
from billing.verification import Fault, find_faults
from customers.models import Customer, Line, Plan, Subscription
from telcox.common.database.retrying import retry_lost_locks
from telcox.testing.threads import in_threads
from usage.models import UsageCounter
from usage.services import record_usage
from usage.vocabulary import Category

D = Decimal
GB = 2**30
MakePlan = Callable[..., Plan]

pytestmark = pytest.mark.django_db

NOVEMBER, DECEMBER, JANUARY = (moment(f"{month}-10") for month in ("2026-11", "2026-12", "2027-01"))
FIRST, SECOND, THIRD = (moment(f"{day} 03:00") for day in ("2026-12-01", "2027-01-01", "2027-02-01"))


@pytest.fixture
def monthly(make_plan: MakePlan) -> Plan:
    return make_plan(
        "monthly",
        price="22.00",
        validity_days=0,
        data_bytes=30 * GB,
        voice_minutes=100,
        overage_price_per_gb="1.00",
        overage_price_per_minute="0.05",
        zero_rated_system_updates=True,
    )


@pytest.fixture
def sold(line: Line, monthly: Plan) -> Line:
    """All of November, and on."""
    Line.objects.exclude(pk=line.pk).update(auto_renew=False)
    activate_subscription(line=line, plan=monthly, at=moment("2026-11-01"))
    return line


def use(line: Line, amount: float, *, of: datetime, at: datetime, category: Any = "ENTERTAINMENT") -> None:
    """Gigabytes, or minutes."""
    record_usage(
        phone_number=line.phone_number,
        category=category,
        quantity=int(amount * (60 if category == Category.VOICE else GB)),
        source="t",
        occurred_at=of,
        at=at,
    )


def period(line: Line, sequence: int) -> Subscription:
    return line.subscriptions.get(sequence=sequence)


def lines_of(line: Line, sequence: int) -> list[tuple[str, Decimal, Decimal]]:
    """What its bill has beyond the fee."""
    found = InvoiceLine.objects.filter(invoice__in_force=True, invoice__subscription=period(line, sequence))
    return list(
        found.filter(position__gt=1).order_by("position").values_list("description", "quantity", "amount")
    )


def late_fees(line: Line) -> Decimal:
    found = InvoiceLine.objects.filter(late_for__isnull=False, invoice__subscription__line=line)
    return sum((each.amount - each.discount for each in found), D(0))


def found_wrong() -> list[Fault]:
    """The fixtures' wallets have money from nowhere."""
    return [fault for fault in find_faults() if not fault.of.startswith("wallet")]


def test_what_arrives_late_is_a_named_line_of_the_next_bill(sold: Line) -> None:
    use(sold, 29, of=NOVEMBER, at=NOVEMBER)
    run_day(at=FIRST)
    use(sold, 3.5, of=NOVEMBER, at=DECEMBER)
    run_day(at=SECOND)
    assert lines_of(sold, 1) == []
    assert lines_of(sold, 2) == [("Datos adicionales de 11/2026, llegados tarde", D("2.5"), D("2.50"))]
    late = InvoiceLine.objects.get(late_for=period(sold, 1))
    assert (late.discount, late.tax, late.invoice.total) == (0, D("0.38"), D("28.18"))
    assert found_wrong() == []


def test_each_is_charged_once_and_for_what_it_adds(sold: Line) -> None:
    use(sold, 31.2, of=NOVEMBER, at=NOVEMBER)
    run_day(at=FIRST)
    use(sold, 1, of=NOVEMBER, at=DECEMBER)
    run_day(at=SECOND)
    use(sold, 0.5, of=NOVEMBER, at=JANUARY)
    run_day(at=THIRD)
    assert [amount for *_, amount in lines_of(sold, 1)] == [D("1.20")]
    assert [amount for *_, amount in lines_of(sold, 2)] == [D("1.00")]
    assert [amount for *_, amount in lines_of(sold, 3)] == [D("0.50")]
    run_day(at=moment("2027-03-01 03:00"))
    assert lines_of(sold, 4) == []


def test_of_two_months_at_once_each_has_its_line(sold: Line) -> None:
    run_day(at=SECOND)
    use(sold, 31, of=NOVEMBER, at=JANUARY)
    use(sold, 32, of=DECEMBER, at=JANUARY)
    run_day(at=THIRD)
    assert lines_of(sold, 3) == [
        ("Datos adicionales de 11/2026, llegados tarde", D(1), D("1.00")),
        ("Datos adicionales de 12/2026, llegados tarde", D(2), D("2.00")),
    ]


def test_what_costs_nothing_is_no_line_and_is_looked_at_once(sold: Line) -> None:
    run_day(at=FIRST)
    use(sold, 30, of=NOVEMBER, at=DECEMBER)
    use(sold, 50, of=NOVEMBER, at=DECEMBER, category=Category.SYSTEM_UPDATES)
    waiting = [period(sold, 2)]
    assert late_use(waiting, at=SECOND)[waiting[0].pk][0].charges == ()
    run_day(at=SECOND)
    assert lines_of(sold, 2) == []
    assert late_use([period(sold, 3)], at=SECOND) == {}
    use(sold, 1, of=NOVEMBER, at=JANUARY)
    run_day(at=THIRD)
    assert [amount for *_, amount in lines_of(sold, 3)] == [D("1.00")]


def test_the_spend_limit_that_the_period_was_billed_with_holds(sold: Line) -> None:
    Wallet.objects.create(line=sold)
    agree_spend_limit(line=sold, limit=D("4.00"), at=NOVEMBER)
    use(sold, 33, of=NOVEMBER, at=NOVEMBER)
    run_day(at=FIRST)
    use(sold, 9, of=NOVEMBER, at=DECEMBER)
    use(sold, 34, of=DECEMBER, at=DECEMBER)
    run_day(at=SECOND)
    # One dollar was left of November's, and December's is not touched by it.
    assert [amount for *_, amount in lines_of(sold, 2)] == [D("4.00"), D("1.00")]


def test_the_discount_of_the_period_it_is_of_is_what_counts(sold: Line) -> None:
    first = draft_invoice(subscription=period(sold, 1), at=NOVEMBER, discount=D("23.00"))
    issue_invoice(invoice=first, at=NOVEMBER)
    use(sold, 34, of=NOVEMBER, at=NOVEMBER)
    run_day(at=FIRST)
    run_day(at=SECOND)
    late = InvoiceLine.objects.get(late_for=period(sold, 1))
    assert (late.amount, late.discount, late.tax) == (D("4.00"), D("1.00"), D("0.45"))


def test_after_too_long_it_is_not_charged_any_more(sold: Line, settings: Any) -> None:
    settings.LATE_USAGE_DAYS = 30
    run_day(at=FIRST)
    use(sold, 33, of=NOVEMBER, at=DECEMBER)
    run_day(at=SECOND)
    assert lines_of(sold, 2) == []


def test_a_prepaid_period_has_none(prepaid: Line, monthly: Plan) -> None:
    fund(prepaid, "200.00")
    activate_subscription(line=prepaid, plan=monthly, at=moment("2026-11-01"))
    run_day(at=FIRST)
    use(prepaid, 50, of=NOVEMBER, at=DECEMBER)
    run_day(at=SECOND)
    assert lines_of(prepaid, 2) == []


def test_a_prepaid_period_bears_none(sold: Line, monthly: Plan) -> None:
    """The line was post-paid before."""
    Line.objects.filter(pk=sold.pk).update(auto_renew=False)
    run_day(at=FIRST)
    Line.objects.filter(pk=sold.pk).update(auto_renew=True, prepaid=True)
    fund(sold, "200.00")
    activate_subscription(line=fresh(sold), plan=monthly, at=moment("2026-12-02"))
    use(sold, 50, of=NOVEMBER, at=DECEMBER)
    run_day(at=SECOND)
    assert period(sold, 2).prepaid
    assert Invoice.objects.filter(subscription=period(sold, 2)).exists()
    assert late_fees(sold) == 0


def test_a_line_that_ended_has_no_next_bill(sold: Line) -> None:
    terminate_line(line=Line.objects.get(pk=sold.pk), at=moment("2026-11-20"))
    run_day(at=FIRST)
    use(sold, 40, of=NOVEMBER, at=DECEMBER)
    run_day(at=SECOND)
    assert late_fees(sold) == 0
    assert found_wrong() == []


def test_who_has_the_line_now_pays_nothing_for_who_had_it(sold: Line) -> None:
    run_day(at=FIRST)
    other = Customer.objects.exclude(pk=sold.customer_id)[0]
    change_holder(line=fresh(sold), customer=other, why="x", at=DECEMBER)
    use(sold, 40, of=NOVEMBER, at=DECEMBER)
    run_day(at=SECOND)
    # The last period of who had it has it, and the first one of who has it now has not.
    assert [amount for *_, amount in lines_of(sold, 2)] == [D("10.00")]
    assert lines_of(sold, 3) == []
    assert found_wrong() == []


def test_of_several_periods_billed_together_the_first_has_it(sold: Line) -> None:
    run_day(at=FIRST)
    use(sold, 31, of=NOVEMBER, at=DECEMBER)
    run_day(at=THIRD)
    assert [len(lines_of(sold, sequence)) for sequence in (1, 2, 3)] == [0, 1, 0]


def test_a_period_that_was_cut_has_a_larger_fee_for_it(sold: Line, make_plan: MakePlan) -> None:
    """As long as it is no overage, the fee grows to the used share."""
    line = Line.objects.get(pk=sold.pk)
    change_plan(line=line, plan=make_plan("other", validity_days=0), at=moment("2026-11-04"))
    run_day(at=FIRST)
    use(sold, 24, of=moment("2026-11-02"), at=DECEMBER)
    run_day(at=SECOND)
    late = InvoiceLine.objects.get(late_for=period(sold, 1))
    # 3 of 30 days are 2.20; 24 of 30 GB are 17.60.
    assert (late.unit, late.quantity, late.amount) == ("PERIOD", 1, D("15.40"))
    assert late.invoice.subscription == period(sold, 3)


def test_a_draft_that_is_discarded_leaves_it_to_the_next(sold: Line) -> None:
    run_day(at=FIRST)
    use(sold, 31, of=NOVEMBER, at=DECEMBER)
    draft = draft_invoice(subscription=period(sold, 2), at=DECEMBER)
    assert len(lines_of(sold, 2)) == 1
    assert late_use([period(sold, 2)], at=DECEMBER) == {}
    discard_draft(invoice=draft)
    use(sold, 1, of=NOVEMBER, at=DECEMBER)
    run_day(at=SECOND)
    assert [amount for *_, amount in lines_of(sold, 2)] == [D("2.00")]


def test_so_does_one_after_which_nothing_more_is_used(sold: Line) -> None:
    run_day(at=FIRST)
    use(sold, 31, of=NOVEMBER, at=DECEMBER)
    discard_draft(invoice=draft_invoice(subscription=period(sold, 2), at=DECEMBER))
    run_day(at=SECOND)
    assert [amount for *_, amount in lines_of(sold, 2)] == [D("1.00")]


def take_back(invoice: Invoice) -> None:
    """All of it, and its period is billed anew."""
    credit_invoice(invoice=invoice, why="Wrong", at=SECOND, bill_again=True)


def test_an_invoice_that_is_taken_back_leaves_it_to_the_next(sold: Line) -> None:
    run_day(at=FIRST)
    use(sold, 31, of=NOVEMBER, at=DECEMBER)
    run_day(at=SECOND)
    first, second = (Invoice.objects.get(subscription=period(sold, sequence)) for sequence in (1, 2))
    assert refusal(lambda: take_back(first)) == "late_use_charged"
    take_back(second)
    run_day(at=SECOND)
    assert [amount for *_, amount in lines_of(sold, 2)] == [D("1.00")]
    assert not [fault for fault in found_wrong() if "usage is billed" in fault.what]


def test_what_arrived_since_it_was_read_waits(sold: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    run_day(at=FIRST)
    use(sold, 31, of=NOVEMBER, at=DECEMBER)

    def priced(*args: Any, **kwargs: Any) -> Any:
        found = original(*args, **kwargs)
        use(sold, 1, of=NOVEMBER, at=DECEMBER)
        return found

    original = parking.price_periods
    monkeypatch.setattr(parking, "price_periods", priced)
    run_day(at=SECOND)
    assert [amount for *_, amount in lines_of(sold, 2)] == [D("1.00")]
    monkeypatch.undo()
    run_day(at=THIRD)
    assert [amount for *_, amount in lines_of(sold, 3)] == [D("1.00")]


def test_what_is_late_costs_as_many_queries_for_many_lines_as_for_one(
    sold: Line, monthly: Plan, django_assert_num_queries: Any
) -> None:
    run_day(at=FIRST)
    waiting = [period(sold, 2)]
    with django_assert_num_queries(1):
        assert late_use(waiting, at=SECOND) == {}
    others = [
        Line.objects.create(customer=sold.customer, phone_number=f"09444444{n:02}", product_type="MOVIL")
        for n in range(20)
    ]
    for other in others:
        activate_subscription(line=other, plan=monthly, at=moment("2026-11-01"))
    run_day(at=FIRST + timedelta(hours=1))
    for other in others:
        use(other, 31, of=NOVEMBER, at=DECEMBER)
    waiting = list(Subscription.objects.to_bill())
    with django_assert_num_queries(5):
        assert len(late_use(waiting, at=SECOND)) == 20
    run_day(at=SECOND)
    assert InvoiceLine.objects.filter(late_for__isnull=False).count() == 20
    assert late_use(list(Subscription.objects.to_bill()), at=SECOND) == {}


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        (
            lambda invoice, counter: invoice.update(usage_version=2),
            "all its usage is billed, but 2.00 of its price is not",
        ),
        (
            lambda invoice, counter: invoice.update(usage_version=9),
            "its usage is billed up to event 9, but counted up to 2",
        ),
        (
            lambda invoice, counter: counter.update(used_entertainment_bytes=30 * GB, version=1),
            "1.00 too much was billed for its usage",
        ),
    ],
)
def test_use_that_was_lost_or_billed_twice_is_found(sold: Line, tamper: Any, named: str) -> None:
    use(sold, 31, of=NOVEMBER, at=NOVEMBER)
    run_day(at=FIRST)
    use(sold, 2, of=NOVEMBER, at=DECEMBER)
    assert found_wrong() == []  # it waits
    first = period(sold, 1)
    tamper(Invoice.objects.filter(subscription=first), UsageCounter.objects.filter(pk=first.pk))
    assert f"period {sold.phone_number}/1: {named}" in map(str, found_wrong())


def test_the_bill_so_far_shows_it_as_the_bill_will(
    sold: Line, open_api: None, clock: Clock, client: Client
) -> None:
    run_day(at=FIRST)
    use(sold, 33, of=NOVEMBER, at=DECEMBER)
    clock.moment = DECEMBER
    shown = client.get(f"/api/customers/{sold.phone_number}/subscription").json()
    assert [line["late_for"] for line in shown["bill_so_far"]["lines"]] == [None, "2026-11"]
    # What stops the line, or is left of it, is no matter of the period before.
    assert shown["stopped"] == []
    drafted = draft_invoice(subscription=period(sold, 2), at=DECEMBER)
    assert as_shown(drafted) == charged(shown["bill_so_far"])


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
def test_two_periods_billed_at_the_same_time_have_it_once(committed: None, line: Line, monthly: Plan) -> None:
    """Whichever comes first."""
    Line.objects.exclude(pk=line.pk).update(auto_renew=False)
    lines = [line, *(new_line(f"09444444{n:02}") for n in range(20))]
    for each in lines:
        activate_subscription(line=each, plan=monthly, at=moment("2026-11-01"))
    run_day(at=FIRST)
    for each in lines:
        use(each, 31, of=NOVEMBER, at=DECEMBER)
    for _ in renew_due_lines(at=THIRD):
        pass
    start = Barrier(2, timeout=60)

    def bill(sequence: int) -> None:
        waiting = Subscription.objects.to_bill().ended(THIRD).filter(sequence=sequence)
        keys = list(waiting.values_list("pk", flat=True))
        start.wait()
        retry_lost_locks(lambda: bill_periods(keys=keys, at=THIRD))

    in_threads(bill, (2, 3), threads=2)
    late = InvoiceLine.objects.filter(late_for__isnull=False)
    assert [each.amount for each in late] == [D("1.00")] * len(lines)
    assert not [fault for fault in found_wrong() if "billed" in fault.what]
