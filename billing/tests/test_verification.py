"""What is tampered with is found, and named."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F

from billing.daily import run_day
from billing.models import (
    Invoice,
    InvoiceLine,
    InvoiceSeries,
    Payment,
    PaymentMethod,
    Wallet,
    WalletEntry,
)
from billing.sales.services import activate_subscription, buy_pack
from billing.tests.builders import moment
from billing.verification import find_faults
from billing.wallets import top_up
from customers.models import Line, LineEvent, Pack, Plan, SoldPack, Subscription, Suspension
from customers.services import resume_line, suspend_line
from telcox.testing.guards import tampering
from usage.models import UsageCounter
from usage.services import record_usage
from usage.vocabulary import Category

D = Decimal
GB = 2**30
POSTPAID, PREPAID = "0955555555", "0955555556"

pytestmark = pytest.mark.django_db


@pytest.fixture
def sold(opened: None, line: Line, make_plan: Callable[..., Plan], make_pack: Callable[..., Pack]) -> None:
    """One line by the month, with a pack, use and two suspensions; another that pays its weeks in advance."""
    monthly = make_plan(
        "monthly", validity_days=0, data_bytes=31 * GB, rollover_share=D("0.5"), overage_price_per_gb=1
    )
    weekly = make_plan("weekly", validity_days=7, price="7.00")
    prepaid = Line.objects.create(
        customer=line.customer, phone_number=PREPAID, product_type="MOVIL", prepaid=True
    )
    begin = moment("2026-10-05 10:00")
    top_up(
        line=prepaid,
        amount=D(100),
        method=PaymentMethod.EFECTIVO,
        reference="cash-1",
        at=begin,
        staff=True,
    )
    activate_subscription(line=line, plan=monthly, at=begin)
    activate_subscription(line=prepaid, plan=weekly, at=begin)
    buy_pack(line=line, pack=make_pack("gb-1"), reference="pack-1", at=begin + timedelta(hours=1))
    record_usage(
        phone_number=POSTPAID,
        category=Category.SOCIAL,
        quantity=7 * GB,
        source="test",
        at=begin + timedelta(hours=2),
    )
    suspend_line(line=fresh(POSTPAID), reason="OPERATOR", at=begin + timedelta(days=3))
    resume_line(line=fresh(POSTPAID), at=begin + timedelta(days=5))
    run_day(at=moment("2026-11-20 03:00"))
    suspend_line(line=fresh(POSTPAID), reason="CUSTOMER", at=moment("2026-11-21 09:00"))


def fresh(phone_number: str) -> Line:
    return Line.objects.get(phone_number=phone_number)


def period(phone_number: str, sequence: int) -> Any:
    return Subscription.objects.filter(line__phone_number=phone_number, sequence=sequence)


def invoice(phone_number: str, sequence: int) -> Any:
    return Invoice.objects.filter(pk__in=list(_invoices(phone_number, sequence)))


def _invoices(phone_number: str, sequence: int) -> Any:
    found = Invoice.objects.filter(
        subscription__line__phone_number=phone_number, subscription__sequence=sequence
    )
    return found.values_list("pk", flat=True)


def lines_of(phone_number: str, sequence: int) -> Any:
    return InvoiceLine.objects.filter(invoice__in=list(_invoices(phone_number, sequence)), position=1)


def follow_another() -> None:
    period(PREPAID, 5).update(renewed_from=None)
    period(PREPAID, 6).update(renewed_from=period(PREPAID, 4).get())


def mark_another() -> None:
    period(PREPAID, 7).update(is_last=None)
    period(PREPAID, 2).update(is_last=True)


def reckon_from(**other: Any) -> None:
    document = invoice(POSTPAID, 1).get()
    invoice(POSTPAID, 1).update(rated_from={**document.rated_from, **other})


def first_suspension() -> Any:
    first = Suspension.objects.order_by("start_at").filter(line__phone_number=POSTPAID)[:1].get()
    return Suspension.objects.filter(pk=first.pk)


def step(name: str) -> Any:
    last = LineEvent.objects.filter(line__phone_number=POSTPAID, step=name).order_by("-pk")[:1].get()
    return LineEvent.objects.filter(pk=last.pk)


DAY, HOUR = timedelta(days=1), timedelta(hours=1)
DAMAGE: dict[str, tuple[Callable[[], object], str]] = {
    "a gap in the numbers of periods": (
        lambda: period(PREPAID, 7).update(sequence=9),
        f"period {PREPAID}/9: the line's period no. 7 is missing",
    ),
    "no last period": (
        lambda: period(PREPAID, 7).update(is_last=None),
        f"period {PREPAID}/7: it is the line's last, and not marked so",
    ),
    "another last period": (mark_another, f"period {PREPAID}/2: marked as the line's last"),
    "periods that overlap": (
        lambda: period(PREPAID, 3).update(
            start_at=F("start_at") - DAY, cycle_start_at=F("cycle_start_at") - DAY
        ),
        f"period {PREPAID}/3: it begins 2026-10-18",
    ),
    "a period that follows another": (
        follow_another,
        f"period {PREPAID}/6: it follows a period that is not the one before it",
    ),
    "a gap between periods": (
        lambda: period(POSTPAID, 2).update(start_at=F("start_at") + DAY),
        f"period {POSTPAID}/2: it begins 2026-11-02",
    ),
    "a cycle that is none": (
        lambda: period(POSTPAID, 2).update(
            cycle_end_at=F("cycle_end_at") + HOUR, expiration_at=F("expiration_at") + HOUR
        ),
        f"period {POSTPAID}/2: its full period, 2026-11-01",
    ),
    "a period cut by nothing": (
        lambda: period(PREPAID, 7).update(expiration_at=F("expiration_at") - DAY),
        f"period {PREPAID}/7: it ends 2026-11-22",
    ),
    "limits": (
        lambda: period(POSTPAID, 2).update(limit_bytes=F("limit_bytes") + 1),
        f"period {POSTPAID}/2: its limits are",
    ),
    "more carried over": (
        lambda: period(POSTPAID, 2).update(
            carried_in_bytes=F("carried_in_bytes") + 1, limit_bytes=F("limit_bytes") + 1
        ),
        f"period {POSTPAID}/2: 10737418241 B 0 min 0 SMS was carried over, by rating 10737418240 B",
    ),
    "less carried over": (
        lambda: period(POSTPAID, 2).update(carried_in_bytes=0, limit_bytes=30 * GB),
        f"period {POSTPAID}/2: 0 B 0 min 0 SMS was carried over, by rating 10737418240 B",
    ),
    "carried over from nothing": (
        lambda: period(PREPAID, 1).update(carried_in_sms=5, sms_limit=F("sms_limit") + 5),
        f"period {PREPAID}/1: 0 B 0 min 5 SMS was carried over, but no period",
    ),
    "a pack": (lambda: SoldPack.objects.update(data_bytes=5), f"period {POSTPAID}/1: its limits are"),
    "a pack's price": (
        lambda: SoldPack.objects.update(price=1),
        f"period {POSTPAID}/1: its invoice was calculated from other packs",
    ),
    "the terms of a billed period": (
        lambda: period(POSTPAID, 1).update(price=1),
        f"period {POSTPAID}/1: its invoice was calculated from other terms",
    ),
    "what was used of it": (
        lambda: UsageCounter.objects.filter(subscription__line__phone_number=POSTPAID).update(
            used_social_bytes=1
        ),
        f"period {POSTPAID}/1: its invoice was calculated from more usage than was counted",
    ),
    "a period billed and to be billed": (
        lambda: period(POSTPAID, 1).update(unbilled=True),
        f"period {POSTPAID}/1: it is marked as unbilled, but has an invoice",
    ),
    "a period never billed": (
        lambda: period(POSTPAID, 2).update(unbilled=None),
        f"period {POSTPAID}/2: it is marked as billed, but has no invoice",
    ),
    "what a wallet paid": (
        lambda: WalletEntry.objects.filter(subscription__in=period(PREPAID, 2)).update(amount=D("-7.00")),
        f"period {PREPAID}/2: its wallet paid 7.00, but its invoice comes to 8.05",
    ),
    "what a wallet paid of an invoice": (
        lambda: Payment.objects.filter(invoice__in=invoice(PREPAID, 2)).update(amount=1),
        f"period {PREPAID}/2: its invoice comes to 8.05, but the wallet paid 1.00 of it",
    ),
    "an invoice's total": (
        lambda: invoice(POSTPAID, 1).update(subtotal=F("subtotal") + 1, total=F("total") + 1),
        "000000001: its total is",
    ),
    "an invoice's tax rate": (
        lambda: invoice(POSTPAID, 1).update(tax_rate=D("0.12")),
        "its tax rate is 0.1200, but it was calculated with 0.1500",
    ),
    "a line's price": (
        lambda: lines_of(POSTPAID, 1).update(unit_price=1),
        "line 1: its unit_price is 1.000000, recalculated",
    ),
    "a line's quantity": (
        lambda: lines_of(POSTPAID, 1).update(quantity=2),
        "line 1: its quantity is 2.000000",
    ),
    "a line's unit": (lambda: lines_of(POSTPAID, 1).update(unit="GB"), "line 1: its unit is GB"),
    "a line less": (
        lambda: InvoiceLine.objects.filter(invoice__in=invoice(POSTPAID, 1), position=2).delete(),
        "it has 1 lines, recalculated 2",
    ),
    "what it was reckoned from": (
        lambda: reckon_from(tax_rate="0.12"),
        "its tax rate is 0.1500, but it was calculated with 0.12",
    ),
    "what cannot be read": (lambda: reckon_from(span=[]), "its rating inputs cannot be read"),
    "paid, as it says": (
        lambda: invoice(POSTPAID, 1).update(status="PAID"),
        "it is PAID, and 0.00 of",
    ),
    "a number": (
        lambda: invoice(POSTPAID, 1).update(number=F("number") + 100),
        "series 001-001: number 1 is missing",
    ),
    "the last number": (
        lambda: InvoiceSeries.objects.filter(prefix="001-001").update(last_number=99),
        "series 001-001: its last number is 99, by its documents 7",
    ),
    "a wallet's balance": (
        lambda: Wallet.objects.filter(line__phone_number=PREPAID).update(balance_usd=1_000),
        f"wallet of {PREPAID}: balance 1000.00",
    ),
    "suspensions that overlap": (
        lambda: first_suspension().update(end_at=moment("2026-11-22")),
        f"line {POSTPAID}: the suspensions from 2026-10-08",
    ),
    "a state without its suspension": (
        lambda: Line.objects.filter(phone_number=POSTPAID).update(status="ACTIVE"),
        f"line {POSTPAID}: it is ACTIVE, and a suspension is open",
    ),
    "terminated without a day": (
        lambda: Line.objects.filter(phone_number=PREPAID).update(status="TERMINATED"),
        f"line {PREPAID}: it is TERMINATED, and terminated never",
    ),
    "a history that leads elsewhere": (
        lambda: step("SUSPEND").delete(),
        f"line {POSTPAID}: it is SUSPENDED, by its history ACTIVE",
    ),
    "a step that was not allowed": (
        lambda: step("RESUME").update(step="SUSPEND"),
        f"line {POSTPAID}: step 4 of its history, SUSPEND, was taken while SUSPENDED",
    ),
}


def test_what_is_well_is_said_to_be(sold: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert Invoice.objects.filter(rated_from__isnull=False).count() == 7
    assert list(find_faults()) == []
    call_command("verify_billing")
    assert "are consistent" in capsys.readouterr().out


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_wrong_is_found_and_named(sold: None, damage: str) -> None:
    tamper, named = DAMAGE[damage]
    with tampering():
        tamper()
    found = [str(fault) for fault in find_faults()]
    assert [text for text in found if named in text], found


def test_the_command_ends_with_1_and_names_what_is_wrong(
    sold: None, capsys: pytest.CaptureFixture[str]
) -> None:
    period(POSTPAID, 2).update(unbilled=None)
    with pytest.raises(CommandError, match=r"1 fault"):
        call_command("verify_billing")
    assert capsys.readouterr().out == f"period {POSTPAID}/2: it is marked as billed, but has no invoice\n"


@pytest.mark.django_db(transaction=True)
def test_more_lines_than_are_looked_at_together_are_all_looked_at(
    sold: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.verification.lines.LINES_AT_ONCE", 1)
    monkeypatch.setattr("billing.verification.documents.DRAFTS_AT_ONCE", 1)
    monkeypatch.setattr("billing.verification.chain.NUMBERS_AT_ONCE", 1)
    assert list(find_faults()) == []
    with tampering():
        Subscription.objects.update(sms_limit=F("sms_limit") + 1)
        InvoiceLine.objects.update(unit_price=F("unit_price") + 1)
        invoice(PREPAID, 3).update(number=900)
    named = {fault.of for fault in find_faults()}
    assert {f"period {number}/1" for number in ("0969786985", "0923456789", POSTPAID, PREPAID)} <= named
    assert len([of for of in named if of.startswith("invoice 001-001")]) == 7
    assert "series 001-001" in named
