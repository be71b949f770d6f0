"""An approval of a quarantined bill is for the amount that was approved."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from billing.daily import run_day
from billing.invoicing.releasing import bill_parked, release_parked
from billing.models import Invoice, InvoiceSeries, ParkedBill, ParkReason
from billing.sales.services import activate_subscription
from billing.settling.crediting import credit_invoice
from billing.tests.builders import fresh, moment, refusal, use
from customers.models import Line, Plan, Subscription
from telcox.common.errors import DomainError
from telcox.testing.office import rows, somebody_of, take, told, url

D = Decimal

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("opened")]
AT, LATER = moment("2026-12-01 09:00"), moment("2026-12-02 09:00")


@pytest.fixture
def parked(line: Line, make_plan: Callable[..., Plan]) -> ParkedBill:
    """690.00 for November."""
    Line.objects.exclude(pk=line.pk).update(auto_renew=False)
    InvoiceSeries.objects.get_or_create(prefix="001-002")
    plan = make_plan("caro", price="600.00", validity_days=0, overage_price_per_gb="50")
    activate_subscription(line=fresh(line), plan=plan, at=moment("2026-11-01"))
    Line.objects.filter(pk=line.pk).update(auto_renew=False)
    run_day(at=moment("2026-12-01 00:05"))
    return ParkedBill.objects.get(is_open=True)


def approve(parked: ParkedBill) -> Invoice:
    return bill_parked(parked=parked, approved=True, at=AT, by="ana")


def bill_again(invoice: Invoice) -> None:
    credit_invoice(invoice=invoice, why="x", at=moment("2026-12-01 12:00"), bill_again=True)


def test_the_amount_that_was_approved_is_billed_again_without_asking(parked: ParkedBill) -> None:
    invoice = approve(parked)
    bill_again(invoice)
    day = run_day(at=LATER)
    assert (day.invoices, day.parked) == (1, 0)


@pytest.mark.parametrize("gigabytes", [1, 1000])
def test_another_amount_of_the_same_period_is_asked_for(
    parked: ParkedBill, line: Line, gigabytes: int
) -> None:
    bill_again(approve(parked))
    use(line, gigabytes, moment("2026-11-15 10:00"))
    assert run_day(at=LATER).parked == 1
    assert ParkedBill.objects.get(is_open=True).total == D("690.00") + D("57.50") * gigabytes


def test_usage_that_came_since_is_shown_before_it_is_billed(parked: ParkedBill, line: Line) -> None:
    """The clerk sees 690.00, and 747.50 would be billed: the page then has 747.50, which can be approved."""
    use(line, 1, moment("2026-11-15 10:00"))
    office = somebody_of("Facturación")
    [refused] = told(take(office, parked, "approve"))
    assert "747.50" in refused
    assert "690.00" in refused
    parked.refresh_from_db()
    assert (parked.is_open, parked.total, parked.approved) == (True, D("747.50"), False)
    assert not Invoice.objects.filter(subscription=parked.subscription).exists()
    assert approve(parked).total == D("747.50")


def test_released_and_approved_it_waits_for_the_next_run_with_that_amount_only(
    parked: ParkedBill, line: Line
) -> None:
    release_parked(parked=parked, approved=True, at=AT, by="ana")
    use(line, 1, moment("2026-11-15 10:00"))
    assert run_day(at=LATER).parked == 1


def test_released_and_approved_it_is_billed_by_the_next_run(parked: ParkedBill) -> None:
    release_parked(parked=parked, approved=True, at=AT, by="ana")
    assert run_day(at=LATER).invoices == 1


def test_who_approves_what_cannot_be_calculated_has_approved_no_amount(
    parked: ParkedBill, line: Line
) -> None:
    release_parked(parked=parked, approved=False, at=AT, by="ana")
    Subscription.objects.filter(line=line).update(discounts=[{"name": "broken"}])
    run_day(at=AT)
    broken = ParkedBill.objects.get(is_open=True)
    assert broken.reason == ParkReason.BROKEN
    Subscription.objects.filter(line=line).update(discounts=[])
    assert refusal(lambda: approve(broken)) == "parked_again"
    broken.refresh_from_db()
    assert (broken.reason, broken.total) == (ParkReason.SUSPICIOUS, D("690.00"))
    assert approve(broken).total == D("690.00")


def test_an_approval_of_another_period_is_none(parked: ParkedBill, line: Line) -> None:
    approve(parked)
    activate_subscription(line=fresh(line), plan=Plan.objects.get(code="caro"), at=moment("2026-12-01 00:00"))
    assert run_day(at=moment("2027-01-01 00:05")).parked == 1


def test_what_has_become_small_needs_no_approval(parked: ParkedBill, settings) -> None:
    settings.BILLING_SUSPICIOUS_USD = 1000
    assert bill_parked(parked=parked, approved=False, at=AT, by="ana").total == D("690.00")


def test_who_saw_another_amount_has_not_approved_this_one(parked: ParkedBill, line: Line) -> None:
    seen = ParkedBill.objects.get(pk=parked.pk)
    use(line, 1000, moment("2026-11-15 10:00"))
    with pytest.raises(DomainError):
        approve(parked)  # a colleague, who was shown the new amount
    with pytest.raises(DomainError) as refused:
        approve(seen)
    assert refused.value.reason == "another_amount"
    assert not Invoice.objects.filter(subscription=parked.subscription).exists()
    assert approve(ParkedBill.objects.get(pk=parked.pk)).total == D("58190.00")


@pytest.mark.parametrize("sent", ["{pk}-1.00", "{pk}-None", "0-690.00", "x"])
def test_a_page_that_showed_another_amount_approves_nothing(sent: str, parked: ParkedBill) -> None:
    office = somebody_of("Facturación")
    page = office.get(url(parked)).content.decode()
    assert f'name="seen" value="{parked.pk}-690.00"' in page
    take(office, parked, "approve", seen=sent.format(pk=parked.pk))
    assert ParkedBill.objects.get(pk=parked.pk).is_open
    take(office, parked, "approve", seen=f"{parked.pk}-690.00")
    assert not ParkedBill.objects.get(pk=parked.pk).is_open


def test_on_the_list_another_amount_is_asked_about_again(parked: ParkedBill) -> None:
    office = somebody_of("Facturación")
    chosen = {"_selected_action": [parked.pk], "action": "approve"}
    asked = dict(office.post(rows(ParkedBill), chosen).context["kept"])
    ParkedBill.objects.filter(pk=parked.pk).update(total=D("58190.00"))
    assert "kept" in office.post(rows(ParkedBill), {**chosen, **asked}).context
    ParkedBill.objects.filter(pk=parked.pk).update(total=D("690.00"))
    office.post(rows(ParkedBill), {**chosen, **asked})
    assert not ParkedBill.objects.get(pk=parked.pk).is_open
