"""Services take their locks in the order of LOCK_ORDER, and would deadlock in another one."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from threading import Event, Thread
from typing import Any, Self

import pytest
from django.db import OperationalError, connection, transaction

from billing.bank.transfers import assign_transfer
from billing.daily import run_day
from billing.invoicing.drafting import discard_draft, draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.invoicing.releasing import bill_parked
from billing.models import (
    BankTransfer,
    Invoice,
    InvoiceSeries,
    ParkedBill,
    Payment,
    Wallet,
)
from billing.overdue.suspending import suspend_overdue_lines
from billing.runs import running
from billing.runs.running import start_run
from billing.sales import renewal
from billing.sales.holders import change_holder
from billing.sales.renewal import renew_line
from billing.sales.services import activate_subscription, change_plan
from billing.settling import crediting
from billing.settling.crediting import credit_invoice
from billing.settling.paying import receive_payment, reverse_payment
from billing.tests.builders import MakePlan, moment
from billing.tests.credit import set_offs
from billing.wallets import adjust_wallet, setting_off
from customers.models import Customer, Line, Plan, Subscription
from telcox.common.database import locking, retrying
from usage.services import record_usage
from usage.vocabulary import Category

D = Decimal
# The table, and the keys of the rows.
Lock = tuple[str, list[int]]
GB = 2**30
NOVEMBER, DECEMBER, JANUARY = (moment(f"{month}-10") for month in ("2026-11", "2026-12", "2027-01"))
FIRST, SECOND = moment("2026-12-01 03:00"), moment("2027-01-01 03:00")
# How long a thread waits for another one, in seconds: it only ends a test that hangs.
PATIENCE = 60


@pytest.fixture
def sold(opened: None, line: Line, make_plan: MakePlan) -> Line:
    """Billed for November and December; December's invoice charges late usage of November."""
    InvoiceSeries.objects.get_or_create(prefix="001-002")
    Line.objects.exclude(pk=line.pk).update(auto_renew=False)
    monthly = make_plan(
        "monthly", price="22.00", validity_days=0, data_bytes=30 * GB, overage_price_per_gb="1.00"
    )
    activate_subscription(line=line, plan=monthly, at=moment("2026-11-01"))
    run_day(at=FIRST)
    record_usage(
        phone_number=line.phone_number,
        category=Category.ENTERTAINMENT,
        quantity=31 * GB,
        source="t",
        occurred_at=NOVEMBER,
        at=DECEMBER,
    )
    run_day(at=SECOND)
    return Line.objects.get(pk=line.pk)


def invoice_of(line: Line, sequence: int) -> Invoice:
    return Invoice.objects.get(subscription__line=line, subscription__sequence=sequence)


@pytest.fixture
def weekly(opened: None, prepaid: Line, make_plan: MakePlan) -> Line:
    """A prepaid line whose first week has ended, and which can pay the second."""
    Line.objects.exclude(pk=prepaid.pk).update(auto_renew=False)
    week = make_plan("week", price="7.00", validity_days=7)
    adjust_wallet(line=prepaid, amount=D(100), reference="money", at=moment("2026-11-01"))
    activate_subscription(line=prepaid, plan=week, at=moment("2026-11-01"))
    return Line.objects.get(pk=prepaid.pk)


WEEK_ENDED = moment("2026-11-08 03:00")


# --- What is locked, and in which order ---


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> list[Lock]:
    """The locks that are taken."""
    taken: list[Lock] = []
    original = locking._locking

    def noted(rows: Any, skip_locked: bool = False) -> Any:
        taken.append((rows.model._meta.label, sorted(rows.values_list("pk", flat=True))))
        return original(rows, skip_locked)

    monkeypatch.setattr(locking, "_locking", noted)
    return taken


def out_of_order(taken: list[Lock]) -> list[Lock]:
    """Locks that come after one that they should come before; rows that are locked already do not count."""
    held: set[tuple[str, int]] = set()
    wrong: list[Lock] = []
    last = (0, 0)
    for label, keys in taken:
        for key in keys:
            place = (locking.LOCK_ORDER.index(label), key)
            if (label, key) not in held:
                if place < last:
                    wrong.append((label, [key]))
                held.add((label, key))
                last = max(last, place)
    return wrong


Steps = Iterator[Any]


def credit(line: Line) -> Steps:
    yield credit_invoice(invoice=invoice_of(line, 2), why="x", at=JANUARY)


def pay_and_credit(line: Line) -> Steps:
    yield pay(invoice_of(line, 2), "28.18", JANUARY)
    yield credit_invoice(invoice=invoice_of(line, 2), why="x", at=JANUARY)


def pay_too_much_and_reverse(line: Line) -> Steps:
    payment = pay(invoice_of(line, 2), "100.00", JANUARY)
    yield payment
    for each in (*set_offs(line), payment):  # what was too much has paid the other invoice
        yield reverse_payment(payment=each, why="x", at=JANUARY)


def suspend_and_resume(line: Line) -> Steps:
    yield list(suspend_overdue_lines(at=moment("2027-03-20 03:00")))
    assert Line.objects.get(pk=line.pk).status == "SUSPENDED"
    for sequence in (1, 2):
        invoice = invoice_of(line, sequence)
        yield pay(invoice, str(invoice.outstanding), moment("2027-03-21"))
    assert Line.objects.get(pk=line.pk).status == "ACTIVE"


def draft_and_discard(line: Line) -> Steps:
    yield credit_invoice(invoice=invoice_of(line, 2), why="x", at=JANUARY, bill_again=True)
    draft = draft_invoice(subscription=line.subscriptions.get(sequence=2), at=JANUARY)
    yield draft
    yield discard_draft(invoice=draft)


def draft_and_issue(line: Line) -> Steps:
    draft = draft_invoice(subscription=line.subscriptions.get(sequence=3), at=JANUARY)
    yield draft
    yield issue_invoice(invoice=draft, at=JANUARY)


def park_and_bill(line: Line) -> Steps:
    period = line.subscriptions.get(sequence=3)
    at = moment("2027-02-01 03:00")
    parked = ParkedBill.objects.create(subscription=period, reason="SUSPICIOUS", parked_at=at)
    yield bill_parked(parked=parked, approved=True, at=at, by="ana")


def bill_by_a_run(line: Line) -> Steps:
    run = start_run(period="2027-01", at=moment("2027-02-01 03:00"))
    yield run
    [chunk] = run.chunks.all()
    yield running._bill(chunk.pk)
    running._finish(run.pk)
    yield run


def assign_a_transfer(line: Line) -> Steps:
    transfer = waiting_transfer("T", "100.00")
    yield assign_transfer(transfer=transfer, invoice=invoice_of(line, 2), at=JANUARY, by="ana")


def waiting_transfer(reference: str, amount: str) -> BankTransfer:
    return BankTransfer.objects.create(
        reference=reference, amount=D(amount), paid_on="2027-01-10", problem="NO_INVOICE", imported_at=JANUARY
    )


def renew_a_prepaid_line(line: Line) -> Steps:
    Line.objects.filter(pk=line.pk).update(prepaid=True)
    adjust_wallet(line=line, amount=D(100), reference="money", at=JANUARY)
    week = Plan.objects.create(code="week", name="Week", product_type="MOVIL", price=7, validity_days=7)
    Subscription.objects.filter(line=line, sequence=3).update(expiration_at=JANUARY, cycle_end_at=JANUARY)
    yield activate_subscription(line=Line.objects.get(pk=line.pk), plan=week, at=JANUARY)
    yield renewal._renew([line.pk], JANUARY + timedelta(days=8))
    assert line.subscriptions.count() == 5
    yield change_plan(
        line=Line.objects.get(pk=line.pk),
        plan=Plan.objects.get(code="monthly"),
        at=JANUARY + timedelta(days=9),
    )


def pay(invoice: Invoice, amount: str, at: datetime) -> Payment:
    return receive_payment(
        invoice=invoice, amount=D(amount), payment_method="EFECTIVO", reference=f"r-{invoice.pk}", at=at
    ).payment


def change_the_holder(line: Line) -> Steps:
    adjust_wallet(line=line, amount=D("7.00"), reference="m", at=SECOND)
    other = Customer.objects.exclude(pk=line.customer_id)[0]
    yield change_holder(line=line, customer=other, why="x", at=JANUARY, with_balance=True)


STEPS = [
    credit,
    pay_and_credit,
    pay_too_much_and_reverse,
    suspend_and_resume,
    draft_and_discard,
    draft_and_issue,
    park_and_bill,
    bill_by_a_run,
    assign_a_transfer,
    renew_a_prepaid_line,
    change_the_holder,
]


@pytest.mark.django_db
@pytest.mark.parametrize("steps", STEPS, ids=lambda steps: steps.__name__)
def test_a_transaction_takes_its_locks_in_order(
    sold: Line, locked: list[Lock], steps: Callable[[Line], Steps], settings: Any
) -> None:
    settings.SUSPEND_AFTER_DAYS = 30
    assert_in_order(steps(sold), locked)


def assert_in_order(steps: Steps, locked: list[Lock]) -> None:
    """Take the steps, each of which takes its locks in order."""
    locked.clear()
    taken = 0
    for _ in steps:
        assert not out_of_order(locked), locked
        taken += len(locked)
        locked.clear()
    assert taken


def test_the_check_sees_what_is_out_of_order() -> None:
    invoice, line, wallet = ("billing.Invoice", [1]), ("customers.Line", [1]), ("billing.Wallet", [1])
    assert not out_of_order([invoice, line, wallet, invoice, line])
    assert out_of_order([line, invoice, wallet]) == [invoice]
    assert out_of_order([("billing.Invoice", [2]), invoice]) == [invoice]


# --- Races, which end in a deadlock if the order is another ---


def is_locked(rows: Any) -> bool:
    """Whether another transaction holds one of these rows now."""
    found: list[bool] = []

    def look() -> None:
        try:
            with transaction.atomic():
                list(rows.select_for_update(nowait=True).order_by("pk").values_list("pk"))
            found.append(False)
        except OperationalError:
            found.append(True)
        finally:
            connection.close()

    thread = Thread(target=look)
    thread.start()
    thread.join(PATIENCE)
    return found[0]


class Other:
    """Somebody who locks one row, and then, when told to, another one: in the order that is right. They are
    ordered by key, because rows that an order joins are locked as well."""

    def __init__(self, first: Any, second: Any) -> None:
        self._rows, self._has_first, self._go_on = (first, second), Event(), Event()
        self.deadlocked = False
        self._thread = Thread(target=self._work)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._has_first.wait(PATIENCE)
        return self

    def go_on(self) -> None:
        self._go_on.set()

    def __exit__(self, *_: Any) -> None:
        self._go_on.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def _work(self) -> None:
        self.deadlocked = deadlocks(self._lock_both)
        connection.close()

    @transaction.atomic
    def _lock_both(self) -> None:
        first, second = self._rows
        list(first.order_by("pk").select_for_update().values_list("pk"))
        self._has_first.set()
        self._go_on.wait(PATIENCE)
        list(second.order_by("pk").select_for_update().values_list("pk"))


def deadlocks(work: Callable[[], object]) -> bool:
    """Do the work. A lock that is only waited for too long is no deadlock."""
    try:
        work()
    except OperationalError as error:
        return "Deadlock" in str(error)
    return False


def invoices(line: Line, sequence: int) -> Any:
    return Invoice.objects.filter(pk=invoice_of(line, sequence).pk)


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
class TestCreditingAnInvoiceWithLateUse:
    def test_the_earlier_invoice_is_locked_before_the_line(
        self, sold: Line, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second, seen = invoices(sold, 1), invoices(sold, 2), []

        def lock_keys(rows: Any) -> list[int]:
            assert rows.model is Line
            seen.append((is_locked(first), is_locked(second), is_locked(rows.all())))
            return original(rows)

        original = setting_off.lock_keys
        monkeypatch.setattr(setting_off, "lock_keys", lock_keys)
        credit_invoice(invoice=second.get(), why="x", at=JANUARY)
        assert seen == [(True, True, False)]

    def test_control_locked_when_it_is_changed_it_deadlocks_with_who_reminds_of_both(
        self, sold: Line, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(crediting, "earlier_invoices", lambda invoice: [])
        monkeypatch.setattr(setting_off, "payable_keys", lambda lines: [])
        with Other(invoices(sold, 1), invoices(sold, 2)) as other:

            def release(invoice: Invoice) -> None:
                other.go_on()
                original(invoice)

            original = crediting.release_late_use
            monkeypatch.setattr(crediting, "release_late_use", release)
            mine = deadlocks(lambda: credit_invoice(invoice=invoice_of(sold, 2), why="x", at=JANUARY))
        assert [mine, other.deadlocked].count(True) == 1


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
class TestRenewingAPrepaidLine:
    def test_the_period_that_ended_is_locked_before_the_wallet(
        self, weekly: Line, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        period, wallet, seen = weekly.subscriptions.all(), Wallet.objects.filter(line=weekly), []

        def locking_wallets(rows: Any) -> Any:
            if rows.model is Wallet:
                seen.append((is_locked(period), is_locked(wallet)))
            return original(rows)

        original = renewal.lock_rows
        monkeypatch.setattr(renewal, "lock_rows", locking_wallets)
        assert renew_line(line=weekly, at=WEEK_ENDED) == 1
        assert seen == [(True, False)]

    def test_control_locked_when_it_is_superseded_it_deadlocks_with_who_bills_it(
        self, weekly: Line, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(retrying, "PATIENCE", -1.0)
        monkeypatch.setattr(renewal, "lock_keys", lambda rows: None)
        with Other(weekly.subscriptions.all(), Wallet.objects.filter(line=weekly)) as other:

            def supersede(*given: Any) -> None:
                other.go_on()
                original(*given)

            original = renewal.supersede
            monkeypatch.setattr(renewal, "supersede", supersede)
            mine = deadlocks(lambda: renew_line(line=weekly, at=WEEK_ENDED))
        assert [mine, other.deadlocked].count(True) == 1
