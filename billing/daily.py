"""Daily run: start periods, end lines, bill ended periods, remind and suspend."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings

from billing.invoicing.closing import bill_ended_periods, periods_to_bill
from billing.overdue.reminding import make_reminders, reminders_due
from billing.overdue.suspending import invoices_to_suspend_for, suspend_overdue_lines
from billing.sales.renewal import end_due_lines, lines_due, lines_ending, renew_due_lines
from billing.wallets.setting_off import invoices_to_set_off, set_off_due
from telcox.common.calendar import due_until, local_date
from telcox.common.database.batches import ALL, Share


@dataclass(frozen=True)
class DayRun:
    """Result of the day's run, or of one step of it: periods begun, lines ended, invoices issued and their
    `total` in dollars, periods quarantined (`parked`), open invoices that credit on wallets was `set_off`
    against (not those that it paid when they were issued), invoices that reminders were made of
    (`reminders`), and lines suspended for non-payment."""

    begun: int = 0
    ended: int = 0
    invoices: int = 0
    total: Decimal = Decimal(0)
    parked: int = 0
    set_off: int = 0
    reminders: int = 0
    suspended: int = 0

    def __add__(self, other: DayRun) -> DayRun:
        return DayRun(*(one + more for one, more in zip(astuple(self), astuple(other), strict=True)))

    def done(self) -> dict[str, int]:
        """Return how much of each work is done, under the keys of `work_due`."""
        return {
            "begun": self.begun,
            "ended": self.ended,
            "invoices": self.invoices + self.parked,
            "set_off": self.set_off,
            "reminders": self.reminders,
            "suspended": self.suspended,
        }


def run_day(*, at: datetime) -> DayRun:
    """Do everything that is due by `at`, and return the sum of all steps; see `day_run`."""
    return sum(day_run(at=at), DayRun())


def day_run(*, at: datetime, share: Share = ALL) -> Iterator[DayRun]:
    """Do everything that is due by `at`, for all lines or a share of them. Yield the result of each step when
    it is committed.

    If `at` is the last moment of a day, what ends with that day has ended, and documents are dated with it.
    New periods begin before the ended ones are billed, so that a bill knows what was carried over. With
    BILL_AS_PERIODS_END off, billing is left to billing runs (billing/runs). Credit on wallets is set off
    before any customer is reminded or any line suspended. Run twice, late, in several
    processes at once, or killed and run again, the result is the same.
    """
    for begun in renew_due_lines(at=due_until(at), share=share):
        yield DayRun(begun=begun)
    for ended in end_due_lines(at=due_until(at), share=share):
        yield DayRun(ended=ended)
    for billed in bill_ended_periods(at=at, share=share) if settings.BILL_AS_PERIODS_END else ():
        yield DayRun(invoices=billed.invoices, total=billed.total, parked=billed.parked)
    for paid in set_off_due(at=at, share=share):
        yield DayRun(set_off=paid)
    for reminded in make_reminders(at=at, share=share):
        yield DayRun(reminders=reminded)
    for suspended in suspend_overdue_lines(at=at, share=share):
        yield DayRun(suspended=suspended)


def work_due(*, at: datetime) -> dict[str, int]:
    """Return how many items of each kind of work are due. Of a line that missed several periods only the next
    one is counted."""
    day, until = local_date(at), due_until(at)
    return {
        "begun": lines_due(until).count(),
        "ended": lines_ending(until).count(),
        "invoices": periods_to_bill(until).count() if settings.BILL_AS_PERIODS_END else 0,
        "set_off": invoices_to_set_off(at).count(),
        "reminders": sum(due.count() for _rung, due in reminders_due(day)),
        "suspended": invoices_to_suspend_for(day).values("subscription__line").distinct().count(),
    }
