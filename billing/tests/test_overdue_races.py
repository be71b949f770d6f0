"""Reminders, suspensions and payments that come at the same time, each over a connection of its own."""

from collections.abc import Callable
from threading import Barrier
from typing import Any

import pytest
from django.db import IntegrityError

from billing.daily import run_day
from billing.models import Invoice, InvoiceSeries, Notice
from billing.overdue import reminding, suspending
from billing.overdue.ladder import parse_ladder
from billing.settling import paying
from billing.tests.builders import fresh
from billing.tests.overdue import bill, days_later, new_line, pay
from customers.models import Line, LineEvent, LineStatus, LineStep, Subscription, Suspension
from telcox.common.database.locking import lock_row
from telcox.testing.threads import in_threads

pytestmark = [pytest.mark.mariadb, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def line(committed: None, settings: Any) -> Line:
    settings.INVOICE_DUE_DAYS, settings.SUSPEND_AFTER_DAYS = 0, 30
    settings.REMINDER_LADDER = parse_ladder("10:mail+sms")
    Line.objects.update(auto_renew=False)
    Subscription.objects.update(unbilled=None)
    InvoiceSeries.objects.get_or_create(prefix=settings.INVOICE_SERIES)
    return new_line()


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets two who call a function both have come that far, before either does it."""

    def arrange(module: Any, name: str, done: Callable[..., Any]) -> None:
        both = Barrier(2, timeout=60)

        def wait(*given: Any, **named: Any) -> Any:
            both.wait()
            return done(*given, **named)

        monkeypatch.setattr(module, name, wait)

    return arrange


def twice_at_once(days: int) -> list[Any]:
    return in_threads(lambda _: run_day(at=days_later(days)), range(2), threads=2)


def test_two_days_runs_at_once_remind_once(line: Line, together: Callable[..., None]) -> None:
    bill(line)
    together(reminding, "lock_invoices", reminding.lock_invoices)
    assert sum(run.reminders for run in twice_at_once(10)) == 1
    assert Notice.objects.count() == 2


def test_without_the_lock_only_the_constraint_would_keep_them_from_it(
    line: Line, together: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    bill(line)
    monkeypatch.setattr(reminding, "lock_invoices", lambda keys: None)
    # Both have read of which invoices nothing was said, before either says it.
    together(reminding, "bulk_insert", reminding.bulk_insert)
    with pytest.raises(IntegrityError):
        twice_at_once(10)
    assert Notice.objects.count() == 2


def test_two_days_runs_at_once_suspend_once(line: Line, together: Callable[..., None], settings: Any) -> None:
    settings.REMINDER_LADDER = ()
    bill(line)
    together(suspending, "lock_invoices", suspending.lock_invoices)
    assert sum(run.suspended for run in twice_at_once(30)) == 1
    assert LineEvent.objects.filter(line=line, step=LineStep.SUSPEND).count() == 1
    assert Suspension.objects.filter(line=line).count() == 1


@pytest.mark.parametrize("attempt", range(3))
def test_a_payment_beside_the_suspension_leaves_the_line_in_service(line: Line, attempt: int) -> None:
    invoice = bill(line)
    at = days_later(30)
    in_threads(lambda do: do(), [lambda: run_day(at=at), lambda: pay(invoice, at)], threads=2)
    assert fresh(line).status == LineStatus.ACTIVE
    assert Invoice.objects.get(pk=invoice.pk).outstanding == 0


class TestTheLastTwoInvoices:
    @pytest.fixture
    def both(self, line: Line) -> list[Invoice]:
        invoices = [bill(line), bill(line, at=days_later(2))]
        run_day(at=days_later(33))
        assert fresh(line).status == LineStatus.SUSPENDED
        return invoices

    def test_paid_at_once_resume_the_line(
        self, both: list[Invoice], line: Line, together: Callable[..., None]
    ) -> None:
        """Each payment locks the line's open invoices, so the later one sees the other one paid."""
        together(paying, "lock_payable", paying.lock_payable)
        in_threads(lambda invoice: pay(invoice, days_later(34)), both, threads=2)
        assert fresh(line).status == LineStatus.ACTIVE

    def test_without_their_locks_each_would_see_the_other_unpaid(
        self, both: list[Invoice], line: Line, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        look, both_have_looked = suspending._still_owed, Barrier(2, timeout=60)

        def look_together(*given: Any) -> bool:
            owed = look(*given)
            both_have_looked.wait()
            return owed

        def lock_its_own(_lines: Any, *, besides: list[int]) -> dict[int, Invoice]:
            return {pk: lock_row(Invoice, pk) for pk in besides}

        monkeypatch.setattr(paying, "lock_payable", lock_its_own)
        monkeypatch.setattr(suspending, "lock_line", fresh)
        monkeypatch.setattr(suspending, "_still_owed", look_together)
        in_threads(lambda invoice: pay(invoice, days_later(34)), both, threads=2)
        assert fresh(line).status == LineStatus.SUSPENDED
