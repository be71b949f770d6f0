"""Days that the operator took are not charged, whether the period is cut or not, and by whatever cuts it."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing.daily import run_day
from billing.models import Discount, Invoice, InvoiceSeries, Wallet, WalletEntry
from billing.sales.services import change_plan, terminate_line
from billing.settling.crediting import credit_invoice
from billing.tests.builders import MakePlan, balance, fresh, moment, sold, use
from billing.verification import find_faults
from billing.wallets import adjust_wallet
from customers.models import Line, Plan
from customers.services import resume_line, suspend_line

D = Decimal
GB = 2**30

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("opened")]


@pytest.fixture(autouse=True)
def alone(line: Line) -> None:
    Line.objects.exclude(pk=line.pk).update(auto_renew=False)


def taken(line: Line, first: str, resumed: str) -> None:
    suspend_line(line=fresh(line), reason="OPERATOR", at=moment(first))
    resume_line(line=fresh(line), at=moment(resumed))


def to_movil_15(line: Line, at: Any) -> None:
    change_plan(line=fresh(line), plan=Plan.objects.get(code="movil-15"), at=at)


def ended(line: Line, at: Any) -> None:
    terminate_line(line=fresh(line), at=at)


def fee(line: Line) -> Decimal:
    return Invoice.objects.filter(subscription__line=line).order_by("pk")[0].lines.get(position=1).amount


CUTS = pytest.mark.parametrize("cut", [None, to_movil_15, ended])


@CUTS
def test_lost_days_are_not_charged_whether_it_is_cut_or_not(
    line: Line, cut: Callable[[Line, Any], None] | None
) -> None:
    sold(line, "movil-30")
    taken(line, "2026-11-05 00:00", "2026-11-25 00:00")
    use(line, 30, moment("2026-11-28 10:00"))
    if cut:
        cut(line, moment("2026-11-30 12:00"))
    run_day(at=moment("2026-12-01 00:05"))
    assert fee(line) == D("7.33")
    assert list(find_faults()) == []


def test_what_the_operator_takes_after_the_cut_does_not_change_its_price(line: Line) -> None:
    """The bill is the same, made at once or after the next period's suspension."""
    sold(line, "movil-30")
    use(line, 30, moment("2026-11-04 10:00"))
    to_movil_15(line, moment("2026-11-05 12:00"))
    taken(line, "2026-11-10 00:00", "2026-11-25 00:00")
    run_day(at=moment("2026-12-01 00:05"))
    assert fee(line) == D("22.00")


def test_a_prepaid_line_gets_the_lost_days_back_however_it_ends(prepaid: Line, make_plan: MakePlan) -> None:
    make_plan("prepaid-30", price="30.00", validity_days=30, data_bytes=30 * GB)
    Wallet.objects.get_or_create(line=prepaid)
    adjust_wallet(line=prepaid, amount=D("34.50"), reference="g", at=moment("2026-10-01"))
    sold(prepaid, "prepaid-30")
    taken(prepaid, "2026-11-05 00:00", "2026-11-25 00:00")
    use(prepaid, 30, moment("2026-11-28 10:00"))
    ended(prepaid, moment("2026-11-30 12:00"))
    assert balance(prepaid) == D("23.00")  # 20 of 30 days, and their tax


def test_a_plan_that_discounts_make_free_costs_nothing_when_it_is_cut(
    prepaid: Line, make_plan: MakePlan
) -> None:
    """Two discounts of 4.00 are each rounded for the days; a cent of that would keep an empty wallet's line
    from being terminated."""
    plan = make_plan("free", price="8.00", validity_days=30)
    for name in ("one", "other"):
        Discount.objects.create(name=name, amount=D("4.00"), plan=plan, valid_from=date(2026, 1, 1))
    Wallet.objects.get_or_create(line=prepaid)
    sold(prepaid, "free")
    ended(prepaid, moment("2026-11-02 00:00"))
    assert not WalletEntry.objects.filter(wallet__line=prepaid, subscription__isnull=False).exists()


@pytest.mark.parametrize(("percent", "dollars"), [("100", "0"), ("0", "60.00"), ("50", "30.00")])
def test_a_free_plan_costs_nothing_when_it_is_used_up_and_cut(
    line: Line, make_plan: MakePlan, percent: str, dollars: str
) -> None:
    make_plan("x", price="60.00", data_bytes=GB)
    Discount.objects.create(
        name="gratis",
        percent=D(percent),
        amount=D(dollars),
        customer=line.customer,
        valid_from=date(2026, 1, 1),
    )
    sold(line, "x", "2026-11-01 10:00")
    use(line, 1, moment("2026-11-02 10:00"))
    terminate_line(line=fresh(line), at=moment("2026-11-10 10:00"))
    run_day(at=moment("2026-11-10 10:05"))
    [invoice] = Invoice.objects.filter(subscription__line=line)
    assert invoice.total == 0


def test_a_large_percentage_makes_no_cent_into_dollars(line: Line, make_plan: MakePlan) -> None:
    make_plan("x", price="60.00", data_bytes=GB)
    Discount.objects.create(
        name="casi todo", percent=D("99.99"), customer=line.customer, valid_from=date(2026, 1, 1)
    )
    sold(line, "x", "2026-11-01 10:00")
    use(line, 1, moment("2026-11-02 10:00"))
    to_movil_15(line, moment("2026-11-10 10:00"))
    run_day(at=moment("2026-11-10 10:05"))
    assert fee(line) == D("60.00")


def test_a_bill_of_before_that_charged_lost_days_is_found_and_put_right(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    InvoiceSeries.objects.get_or_create(prefix="001-002")
    sold(line, "movil-30")
    taken(line, "2026-11-05 00:00", "2026-11-25 00:00")
    use(line, 30, moment("2026-11-28 10:00"))
    ended(line, moment("2026-11-30 12:00"))
    monkeypatch.setattr("billing.rating.rules._period_fee", lambda terms, *_rest: terms.price)
    run_day(at=moment("2026-12-01 00:05"))
    monkeypatch.undo()
    assert fee(line) == D("22.00")
    assert "line 1: its amount is 22.00, recalculated 7.33" in {fault.what for fault in find_faults()}
    [wrong] = Invoice.objects.filter(subscription__line=line)
    credit_invoice(invoice=wrong, why="x", at=moment("2026-12-02"), bill_again=True)
    run_day(at=moment("2026-12-02 01:05"))
    assert Invoice.objects.in_force().get(subscription__line=line).subtotal == D("7.33")
    assert list(find_faults()) == []


@pytest.mark.parametrize(
    ("reason", "amount"), [("NON_PAYMENT", "22.00"), ("CUSTOMER", "22.00"), ("OPERATOR", "7.33")]
)
def test_only_days_that_the_operator_took_are_not_charged(line: Line, reason: str, amount: str) -> None:
    """A line that is suspended as not paid is billed on: its contract goes on until it is terminated."""
    sold(line, "movil-30")
    suspend_line(line=fresh(line), reason=reason, at=moment("2026-11-11 00:00"))
    run_day(at=moment("2026-12-01 00:05"))
    assert fee(line) == D(amount)
    suspended = Invoice.objects.filter(subscription__line=line)
    run_day(at=moment("2027-01-01 00:05"))
    assert suspended.order_by("pk")[1].subtotal == (D("0.00") if reason == "OPERATOR" else D("22.00"))
