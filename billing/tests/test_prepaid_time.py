"""A prepaid line goes on while its wallet can pay, and pays for no time in which everything had stopped."""

from datetime import datetime
from decimal import Decimal

import pytest

from billing.daily import run_day
from billing.invoicing.drafting import draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.models import PaymentMethod, Wallet, WalletEntry
from billing.rating.facts import price_periods
from billing.sales.holding import line_holding
from billing.sales.orders import order_plan
from billing.sales.prepaid import settle_prepaid
from billing.sales.renewal import top_up_and_renew
from billing.sales.services import activate_subscription
from billing.tests.builders import MakePlan, balance, fresh, moment, periods
from billing.verification import find_faults
from billing.wallets import adjust_wallet
from customers.models import Line, Plan, Subscription
from customers.services import resume_line, suspend_line
from usage.ingestion.apply import apply_usage
from usage.ingestion.reports import UsageReport
from usage.models import UsageCounter

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("opened")]

D = Decimal
GB = 2**30
ALL = ["DATA", "VOICE", "SMS"]
ENDED = moment("2026-11-16 10:06")


def sold(line: Line, code: str = "prepago-8", at: str = "2026-11-01 10:06", dollars: str = "50.00") -> Line:
    Wallet.objects.create(line=line)
    adjust(line, dollars, "2026-10-01")
    activate_subscription(line=fresh(line), plan=Plan.objects.get(code=code), at=moment(at))
    return fresh(line)


def adjust(line: Line, dollars: str, at: str) -> None:
    adjust_wallet(line=line, amount=D(dollars), reference=f"a-{at.replace(' ', '-')}", at=moment(at))


def stopped(line: Line, at: str) -> list[str]:
    return line_holding(phone_number=line.phone_number, at=moment(at)).stopped


def begun(line: Line) -> list[datetime]:
    return [period.start_at for period in periods(line)[1:]]


def use_data(line: Line, gigabytes: float, at: str) -> None:
    report = UsageReport(line.phone_number, "ENTERTAINMENT", int(gigabytes * GB), "pgw", None, moment(at))
    apply_usage(reports=[report], at=moment(at))


def assert_sound(line: Line) -> None:
    assert not [fault for fault in find_faults() if line.phone_number in fault.of]


def test_with_money_it_goes_on_and_the_period_begins_where_the_last_one_ended(prepaid: Line) -> None:
    sold(prepaid)
    assert stopped(prepaid, "2026-11-16 10:30") == []
    run_day(at=moment("2026-11-16 11:05"))
    assert begun(prepaid) == [ENDED]
    assert_sound(prepaid)


def test_what_it_used_meanwhile_is_of_the_new_period_and_stops_with_its_allowance(prepaid: Line) -> None:
    sold(prepaid)
    use_data(prepaid, 8, "2026-11-16 10:00")
    assert stopped(prepaid, "2026-11-16 10:05") == ["DATA"]
    assert stopped(prepaid, "2026-11-16 10:06") == []
    use_data(prepaid, 8, "2026-11-16 10:20")
    assert stopped(prepaid, "2026-11-16 10:30") == ["DATA"]
    run_day(at=moment("2026-11-16 11:05"))
    counters = UsageCounter.objects.filter(subscription__line=prepaid).order_by("subscription__sequence")
    assert [counter.total_bytes for counter in counters] == [8 * GB, 8 * GB]
    assert stopped(prepaid, "2026-11-16 11:05") == ["DATA"]


def test_with_beat_away_for_days_it_is_the_same(prepaid: Line) -> None:
    sold(prepaid)
    assert stopped(prepaid, "2026-11-19 09:00") == []
    run_day(at=moment("2026-11-19 09:00"))
    assert begun(prepaid) == [ENDED]


def test_without_money_it_stops_and_pays_nothing_for_the_time(prepaid: Line) -> None:
    sold(prepaid, dollars="10.00")
    assert stopped(prepaid, "2026-11-16 10:30") == ALL
    run_day(at=moment("2026-11-16 11:05"))
    assert begun(prepaid) == []
    adjust(prepaid, "20.00", "2026-11-16 12:00")
    assert stopped(prepaid, "2026-11-16 12:30") == ALL
    run_day(at=moment("2026-11-16 13:05"))
    assert begun(prepaid) == [moment("2026-11-16 13:05")]
    assert_sound(prepaid)


def test_money_that_came_between_its_end_and_the_first_run(prepaid: Line) -> None:
    """No run has noted that the wallet was short: it stands in the ledger."""
    sold(prepaid, dollars="10.00")
    assert stopped(prepaid, "2026-11-16 10:30") == ALL
    adjust(prepaid, "20.00", "2026-11-16 10:50")
    assert stopped(prepaid, "2026-11-16 10:55") == ALL
    run_day(at=moment("2026-11-16 11:05"))
    assert begun(prepaid) == [moment("2026-11-16 11:05")]
    assert_sound(prepaid)


def test_a_top_up_before_any_run_begins_it_at_once(prepaid: Line) -> None:
    sold(prepaid, dollars="10.00")
    top_up_and_renew(
        line=fresh(prepaid), amount=D("20.00"), method=PaymentMethod.TARJETA, reference="t", staff=True,
        at=moment("2026-11-16 10:50:30.250000"),
    )  # fmt: skip
    assert begun(prepaid) == [moment("2026-11-16 10:50:30")]


def test_refunds_come_before_charges_whatever_the_order_of_the_periods(prepaid: Line) -> None:
    """The wallet is empty; what one period gives back pays for the other."""
    sold(prepaid, dollars="20.00")
    run_day(at=moment("2026-11-16 10:06"))
    first, second = periods(prepaid)
    assert balance(prepaid) == D("20.00") - 2 * D("9.20")
    Subscription.objects.filter(pk=first.pk).update(price="1.00")
    Subscription.objects.filter(pk=second.pk).update(price="15.00")
    at = moment("2026-11-20")
    bills = price_periods(list(Subscription.objects.filter(line=prepaid).order_by("-pk")), at=at)
    assert [bill.rated.total for bill in bills] == [D("17.25"), D("1.15")]
    assert settle_prepaid(bills, at=at) == D("0.00")
    assert [entry.kind for entry in WalletEntry.objects.order_by("pk")][-2:] == ["REFUND", "CHARGE"]
    assert balance(prepaid) == D("1.60")


def test_money_that_went_and_came_back(prepaid: Line) -> None:
    sold(prepaid)
    adjust(prepaid, "-40.00", "2026-11-16 10:20")
    adjust(prepaid, "40.00", "2026-11-16 10:40")
    assert stopped(prepaid, "2026-11-16 10:50") == ALL
    run_day(at=moment("2026-11-16 11:05"))
    assert begun(prepaid) == [moment("2026-11-16 11:05")]


def test_money_that_moved_and_was_always_enough(prepaid: Line) -> None:
    sold(prepaid)
    adjust(prepaid, "-5.00", "2026-11-16 10:20")
    adjust(prepaid, "7.00", "2026-11-16 10:40")
    assert stopped(prepaid, "2026-11-16 10:50") == []
    run_day(at=moment("2026-11-16 11:05"))
    assert begun(prepaid) == [ENDED]


def test_a_month_that_begins_late_costs_what_is_left_of_it(prepaid: Line, make_plan: MakePlan) -> None:
    make_plan("small", price="31.00", validity_days=0)
    sold(prepaid, "small", "2026-11-01 00:00", dollars="50.00")
    adjust(prepaid, "50.00", "2026-12-02 10:00")
    before = balance(prepaid)
    run_day(at=moment("2026-12-03 00:05"))
    assert before - balance(prepaid) == D("33.35")  # 29 of 31 days, and tax
    assert_sound(prepaid)


def test_a_resumed_line_goes_on_from_then(prepaid: Line) -> None:
    sold(prepaid)
    suspend_line(line=fresh(prepaid), reason="CUSTOMER", at=moment("2026-11-10 10:00"))
    assert stopped(prepaid, "2026-11-18 10:00") == ALL
    resume_line(line=fresh(prepaid), at=moment("2026-11-20 10:00"))
    assert stopped(prepaid, "2026-11-20 10:30") == []
    run_day(at=moment("2026-11-20 11:05"))
    assert begun(prepaid) == [moment("2026-11-20 10:00")]


@pytest.mark.parametrize(("dollars", "carried"), [("100.00", 4), ("12.00", 0)], ids=["late run", "no money"])
def test_a_late_run_takes_no_rollover_away_but_a_wallet_that_was_short_does(
    prepaid: Line, make_plan: MakePlan, dollars: str, carried: int
) -> None:
    make_plan("roll", price="10.00", validity_days=7, data_bytes=4 * GB, rollover_share=1, rollover_cap=1)
    sold(prepaid, "roll", "2026-11-01 10:06", dollars=dollars)
    if not carried:
        adjust(prepaid, "90.00", "2026-11-08 10:50")
    run_day(at=moment("2026-11-08 11:05"))
    assert [period.carried_in_bytes // GB for period in periods(prepaid)] == [0, carried]
    assert_sound(prepaid)


def test_a_plan_that_is_ordered_meanwhile_begins_after_the_period_that_was_due(prepaid: Line) -> None:
    sold(prepaid)
    order_plan(
        line=fresh(prepaid),
        plan=Plan.objects.get(code="movil-15"),
        at_period_end=False,
        dry_run=False,
        clock=lambda: moment("2026-11-16 10:30"),
    )
    assert begun(prepaid) == [ENDED, moment("2026-11-16 10:30")]
    assert_sound(prepaid)


@pytest.mark.parametrize("change", [{"auto_renew": False}, {"ends_with_period": True}])
def test_a_line_that_gets_no_next_period_stops(prepaid: Line, change: dict[str, bool]) -> None:
    sold(prepaid)
    Line.objects.filter(pk=prepaid.pk).update(**change)
    assert stopped(prepaid, "2026-11-16 10:30") == ALL


def test_a_post_paid_line_at_its_spending_limit_goes_on_with_its_next_period(line: Line) -> None:
    """The run is late: the ended period is full, and the one that is due has all of its allowance."""
    Wallet.objects.create(line=line, balance_limit_usd=D("1.00"))
    activate_subscription(
        line=fresh(line), plan=Plan.objects.get(code="pospago-20"), at=moment("2026-11-01 00:00")
    )
    use_data(line, 22, "2026-11-30 10:00")
    assert stopped(line, "2026-11-30 23:59") == ["DATA"]
    assert stopped(line, "2026-12-01 00:01") == []


@pytest.mark.parametrize("dollars", ["50.00", "9.20"])
def test_a_period_that_is_billed_by_hand_before_the_run_has_no_usage_of_after_it(
    prepaid: Line, dollars: str
) -> None:
    """Whether the wallet can pay the next period or not."""
    sold(prepaid, dollars=dollars)
    use_data(prepaid, 2, "2026-11-16 10:00")
    use_data(prepaid, 1, "2026-11-16 10:20")
    draft = draft_invoice(subscription=periods(prepaid)[0], at=moment("2026-11-16 10:30"))
    issue_invoice(invoice=draft, at=moment("2026-11-16 10:30"))
    assert begun(prepaid) == ([ENDED] if dollars == "50.00" else [])
    run_day(at=moment("2026-11-16 11:05"))
    adjust(prepaid, "20.00", "2026-11-20")
    run_day(at=moment("2026-11-20 11:05"))
    assert len(periods(prepaid)) == 2
    assert_sound(prepaid)
