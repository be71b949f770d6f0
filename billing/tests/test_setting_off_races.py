"""Credit is spent once, however many set it off at once, on a real MariaDB; and the same without locks."""

from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from django.db import DatabaseError

from billing.daily import run_day
from billing.models import EntryKind, Invoice, InvoiceSeries, Wallet
from billing.tests.builders import balance, moment
from billing.tests.credit import MONTH, billed, invoices, paid_in, put_beside, set_offs
from billing.verification import find_faults
from billing.wallets import set_off_credit, setting_off
from billing.wallets.posting import Posting
from billing.wallets.setting_off import post_credit
from customers.models import Line
from telcox.common.database.retrying import retry_lost_locks
from telcox.common.errors import DomainError
from telcox.testing.threads import in_threads

pytestmark = [
    pytest.mark.mariadb,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("committed"),
]
D = Decimal
AT = moment("2027-02-02 10:00")


@pytest.fixture
def line(committed: None) -> Line:
    """It owes three months, 20.70 each."""
    for prefix in ("001-001", "001-002"):
        InvoiceSeries.objects.get_or_create(prefix=prefix)
    Line.objects.update(auto_renew=False)
    customer = Line.objects.get(phone_number="0969786985").customer
    line = Line.objects.create(customer=customer, phone_number="0955555555", product_type="MOVIL")
    billed(line, months=3)
    return line


def faults() -> list[str]:
    return [str(fault) for fault in find_faults()]


def test_two_workers_set_off_the_same_credit_once(line: Line) -> None:
    put_beside(line, "50.00")
    in_threads(lambda _number: set_off_credit(line=line, at=AT), range(8), threads=8)
    assert [payment.amount for payment in set_offs(line)] == [MONTH, MONTH, D(50) - 2 * MONTH]
    assert (balance(line), faults()) == (0, [])


def test_whole_day_s_runs_at_once_set_off_once(line: Line) -> None:
    put_beside(line, "50.00")
    in_threads(lambda _number: run_day(at=AT), range(4), threads=4)
    assert (len(set_offs(line)), balance(line), faults()) == (3, 0, [])


def test_sixteen_top_ups_at_once_pay_what_they_bring(line: Line) -> None:
    def pay_in(number: int) -> None:
        posting = Posting(line.pk, EntryKind.TOP_UP, D("4.00"), f"cash-{number}")
        post_credit(posting, at=AT).taken()

    in_threads(pay_in, range(16), threads=16)
    assert sum(payment.amount for payment in set_offs(line)) == 3 * MONTH
    assert (balance(line), faults()) == (64 - 3 * MONTH, [])


def test_a_top_up_while_the_next_invoice_is_issued_is_not_lost(line: Line) -> None:
    """Whichever was first; what the two did not see of each other, the next run sets off."""
    paid_in(line, str(3 * MONTH), "all", at="2027-02-02 10:00")
    Line.objects.filter(pk=line.pk).update(auto_renew=True)
    at = moment("2027-03-01 00:05")

    def work(number: int) -> None:
        if number % 2:
            run_day(at=at)
        else:
            posting = Posting(line.pk, EntryKind.TOP_UP, MONTH, f"cash-{number}")
            retry_lost_locks(lambda: post_credit(posting, at=at))

    in_threads(work, range(2), threads=2)
    run_day(at=at)
    assert {invoice.status for invoice in invoices(line)} == {"PAID"}
    assert (balance(line), faults()) == (0, [])


def test_control_without_the_invoices_and_wallets_locks_two_spend_the_same(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_beside(line, "50.00")
    both_have_read = Barrier(2, timeout=60)

    def unlocked(rows: Any) -> list[Any]:
        return list(rows)

    def credit_unlocked(lines: Any) -> dict[int, Decimal]:
        found = dict(Wallet.objects.filter(line__in=lines).values_list("line", "balance_usd"))
        both_have_read.wait()
        return found

    monkeypatch.setattr(setting_off, "lock_rows", unlocked)
    monkeypatch.setattr(setting_off, "lock_keys", unlocked)
    monkeypatch.setattr(setting_off, "lock_credit", credit_unlocked)

    def work(_number: int) -> str:
        try:
            set_off_credit(line=line, at=AT)
        except (DomainError, DatabaseError) as error:
            return type(error).__name__
        return ""

    done = in_threads(work, range(2), threads=2)
    assert done != ["", ""]  # the database's constraints stopped one of the two
    assert Invoice.objects.filter(subscription__line=line, status="PAID").count() <= 2
