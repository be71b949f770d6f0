"""Dry run of a billing run: its totals, unusual bills, and some sample bills. It writes no invoice.

It calculates with the same code that bills.
"""

import random
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal

import msgspec
from django.db import models
from django.db.models import Count, Q
from django.utils.translation import gettext_lazy as _

from billing.invoicing.drafting import draft_of
from billing.invoicing.late_use import late_periods
from billing.invoicing.parking import Assessed, Doubt, assess_bills
from billing.models import BillingRun, Invoice
from billing.rating.facts import PricedPeriod
from billing.runs.figures import AMOUNTS
from billing.runs.running import periods_of
from billing.sales.renewal import take_steps_due
from customers.models import Customer, Line, Subscription
from telcox.common.calendar import due_until
from telcox.common.database.batches import in_chunks
from telcox.common.database.dry_run import commit_unless_dry_run
from telcox.common.database.retrying import retry_lost_locks

SAMPLES = 10
# Maximum number of periods listed for each kind of oddity.
NAMED = 20
# A bill is unusual if, per day, it is more than JUMP times the previous one, or less than 1/JUMP of it.
JUMP = 3
# Seconds between two updates of the stored progress.
TOLD_EVERY = 2.0


class Oddity(models.TextChoices):
    """What is unusual about a bill or its customer. The first two are quarantined (ParkReason), the others
    are billed."""

    BROKEN = "BROKEN", _("Quarantined: cannot be calculated")
    SUSPICIOUS = "SUSPICIOUS", _("Quarantined: suspicious amount")
    HIGHER = "HIGHER", _("More than three times the previous bill")
    LOWER = "LOWER", _("Less than a third of the previous bill")
    NOTHING = "NOTHING", _("Nothing to pay")
    NO_EMAIL = "NO_EMAIL", _("Customer without e-mail")
    NO_ADDRESS = "NO_ADDRESS", _("Customer without address")


class Named(msgspec.Struct):
    """Unusual period: its line, its total in dollars if known, and as `detail` the reason for quarantine or
    the previous bill's total."""

    subscription: int
    phone_number: str
    total: Decimal | None
    detail: str = ""


class SampleLine(msgspec.Struct):
    description: str
    quantity: Decimal
    unit: str
    unit_price: Decimal
    amount: Decimal
    discount: Decimal
    tax: Decimal
    tax_rate: Decimal | None = None


class Sample(msgspec.Struct):
    """Sample bill, with the lines that its invoice would have."""

    subscription: int
    phone_number: str
    lines: list[SampleLine]
    subtotal: Decimal
    discount: Decimal
    tax: Decimal
    tax_rate: Decimal
    total: Decimal


class Rehearsal(msgspec.Struct):
    """Result of a dry run as of `at`. Of `size` periods, `done` are processed. Amounts are in dollars."""

    period: str
    at: datetime
    size: int
    done: int = 0
    finished: bool = False
    invoices: int = 0
    parked: int = 0
    subtotal: Decimal = Decimal(0)
    discount: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)
    total: Decimal = Decimal(0)
    counts: dict[Oddity, int] = {}
    named: dict[Oddity, list[Named]] = {}
    samples: list[Sample] = []

    def count(self, oddity: Oddity, number: int) -> None:
        if number:
            self.counts[oddity] = self.counts.get(oddity, 0) + number


def rehearse_period(*, period: str, at: datetime) -> Iterator[Rehearsal]:
    """Yield the dry run, empty at first, after each chunk, and when it is finished: always the same object,
    updated. Raise DomainError if the period is invalid or has not started."""
    periods = periods_of(period, at=at)
    rehearsal = Rehearsal(period, at, size=periods.count())
    chosen = random.Random(period)  # noqa: S311
    yield rehearsal
    for keys in in_chunks(periods, "pk"):
        _add(rehearsal, keys, at, chosen)
        yield rehearsal
    rehearsal.finished = True
    yield rehearsal


def plan_rehearsal(*, run: BillingRun, at: datetime) -> None:
    """Store an empty dry run, so that its progress is shown from now on. Raise DomainError if the period has
    not started."""
    _keep(run, next(rehearse_period(period=run.period, at=at)))


def rehearse_run(*, run: BillingRun, at: datetime) -> None:
    """Do a dry run and store it with the run, with its progress meanwhile. Raise DomainError if the period
    has not started."""
    told = 0.0
    for rehearsal in rehearse_period(period=run.period, at=at):
        if rehearsal.finished or time.monotonic() - told > TOLD_EVERY:
            _keep(run, rehearsal)
            told = time.monotonic()


def _keep(run: BillingRun, rehearsal: Rehearsal) -> None:
    kept = msgspec.to_builtins(rehearsal, str_keys=True)
    BillingRun.objects.filter(pk=run.pk).update(dry_run=kept)


def stored_rehearsal(run: BillingRun) -> Rehearsal | None:
    return None if run.dry_run is None else msgspec.convert(run.dry_run, Rehearsal, strict=False)


def _add(rehearsal: Rehearsal, keys: Sequence[int], at: datetime, chosen: random.Random) -> None:
    bills, doubts = _assessed(keys, at)
    lines = {bill.period.line_id for bill in bills} | {doubt.period.line_id for doubt in doubts}
    for bill in bills:
        for amount in AMOUNTS:
            setattr(rehearsal, amount, getattr(rehearsal, amount) + getattr(bill.rated, amount))
    rehearsal.done += len(keys)
    rehearsal.parked += len(doubts)
    odd = [*_doubtful(doubts), *_jumps(bills), *_for_nothing(bills)]
    _name(rehearsal, odd)
    without = Line.objects.filter(pk__in=lines).aggregate(
        email=Count("pk", filter=Q(customer__email="")), address=Count("pk", filter=Q(customer__address=""))
    )
    rehearsal.count(Oddity.NO_EMAIL, without["email"])
    rehearsal.count(Oddity.NO_ADDRESS, without["address"])
    _sample(rehearsal, bills, chosen)


def _assessed(keys: Sequence[int], at: datetime) -> Assessed:
    """Assess the bills as they would be if they were made now: after the next periods have begun."""

    def work() -> Assessed:
        take_steps_due(keys, at=due_until(at))
        periods = list(Subscription.objects.filter(pk__in=keys).order_by("pk"))
        return assess_bills(periods, at=due_until(at))

    return retry_lost_locks(lambda: commit_unless_dry_run(work, dry_run=True))


Odd = tuple[Oddity, Subscription, Decimal | None, str]


def _doubtful(doubts: Iterable[Doubt]) -> Iterator[Odd]:
    for period, reason, detail, total in doubts:
        yield Oddity(reason), period, total, detail


def _for_nothing(bills: Iterable[PricedPeriod]) -> Iterator[Odd]:
    for period, _facts, rated in bills:
        if not rated.total:
            yield Oddity.NOTHING, period, rated.total, ""


def _jumps(bills: Sequence[PricedPeriod]) -> Iterator[Odd]:
    """Compare with the previous bill per day, since a line's first bill is for part of a month."""
    followed = Invoice.objects.in_force().filter(subscription__renewed_by__in=[b.period.pk for b in bills])
    before = {
        pk: (total, end - start)
        for pk, total, start, end in followed.values_list(
            "subscription__renewed_by", "total", "subscription__start_at", "subscription__expiration_at"
        )
    }
    for period, _facts, rated in bills:
        total, time_before = before.get(period.pk, (Decimal(0), None))
        if not total or time_before is None:
            continue
        share = Decimal((period.expiration_at - period.start_at) / time_before)
        if rated.total > JUMP * total * share:
            yield Oddity.HIGHER, period, rated.total, f"{total}"
        elif rated.total * JUMP < total * share:
            yield Oddity.LOWER, period, rated.total, f"{total}"


def _name(rehearsal: Rehearsal, odd: Sequence[Odd]) -> None:
    numbers = _numbers(period for _oddity, period, *_rest in odd)
    for oddity, period, total, detail in odd:
        rehearsal.count(oddity, 1)
        named = rehearsal.named.setdefault(oddity, [])
        if len(named) < NAMED:
            named.append(Named(period.pk, numbers[period.line_id], total, detail))


def _numbers(periods: Iterable[Subscription]) -> dict[int, str]:
    lines = Line.objects.filter(pk__in={period.line_id for period in periods})
    return dict(lines.values_list("pk", "phone_number"))


def _sample(rehearsal: Rehearsal, bills: Sequence[PricedPeriod], chosen: random.Random) -> None:
    """Choose the samples by reservoir sampling: each bill has the same chance, whatever their number."""
    places: dict[int, PricedPeriod] = {}
    for bill in bills:
        rehearsal.invoices += 1
        place = rehearsal.invoices - 1
        if place >= SAMPLES:
            place = chosen.randrange(rehearsal.invoices)
        if place < SAMPLES:
            places[place] = bill
    lines = Line.objects.in_bulk({bill.period.line_id for bill in places.values()})
    holders = Customer.objects.in_bulk({bill.period.customer_id for bill in places.values()})
    for place, bill in sorted(places.items(), key=lambda item: item[0]):
        rehearsal.samples[place : place + 1] = [
            _shown(bill, lines[bill.period.line_id], holders[bill.period.customer_id])
        ]


def _shown(bill: PricedPeriod, line: Line, customer: Customer) -> Sample:
    earlier = late_periods(bill.period, bill.facts)
    invoice, lines = draft_of(bill, line=line, customer=customer, earlier=earlier)
    return Sample(
        subscription=bill.period.pk,
        phone_number=line.phone_number,
        lines=[msgspec.convert(each, SampleLine, from_attributes=True) for each in lines],
        **{name: getattr(invoice, name) for name in (*AMOUNTS, "tax_rate")},
    )
