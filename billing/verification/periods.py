"""Verify a line's periods: they follow each other, their allowances are what rating grants, and each is
billed and paid once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from django.db.models import Max, Sum
from msgspec.structs import replace

from billing.models import Invoice, InvoiceStatus, Payment, PaymentMethod
from billing.rating import Allowance, RatingInputs, Used
from billing.rating.facts import NOTHING, facts_of
from billing.rating.kept import inputs_from
from billing.sales.prepaid import paid_by_wallet
from billing.sales.revising import on_terms
from billing.verification.faults import Fault
from customers.cycles import full_period
from customers.models import Line, LineStatus, Subscription, TermsRevision
from telcox.common.calendar import add_days, at_wall_clock, local_date, skipped_time
from telcox.common.database.bulk import chunks
from telcox.common.errors import DomainError
from telcox.common.money import cents
from usage.models import UsageCounter, UsageEvent

ZERO = Decimal("0.00")


class PeriodFacts:
    """Rating inputs, invoices and payments of some periods."""

    def __init__(self, periods: Sequence[Subscription]) -> None:
        self.rated: dict[int, RatingInputs] = {}
        self.unratable: list[Fault] = []
        self.invoices: dict[int, tuple[str, Decimal, Any]] = {}
        self._before: dict[int, Any] = {}
        self.credited: dict[int, Decimal] = {}
        self.void: set[int] = set()
        self.paid: dict[int, Decimal] = {}
        self.by_wallet: dict[int, Decimal] = {}
        self._last_usage: dict[int, datetime] = {}
        self._purged: set[int] = set()
        for chunk in chunks(periods):
            self._read(chunk)

    def _read(self, periods: Sequence[Subscription]) -> None:
        self._rate(periods)
        keys = [period.pk for period in periods]
        invoices = Invoice.objects.in_force().filter(subscription__in=keys)
        for pk, *rest in invoices.values_list("subscription_id", "status", "total", "rated_from"):
            self.invoices[pk] = (rest[0], rest[1], rest[2])
        self._read_revisions(keys)
        void = Invoice.objects.filter(subscription__in=keys, status=InvoiceStatus.VOID)
        self.void.update(void.values_list("subscription_id", flat=True))
        prepaid = [period for period in periods if period.prepaid]
        if prepaid:
            notes = Invoice.objects.filter(corrects__subscription__in=prepaid, corrects__in_force=True)
            for pk, total in notes.values_list("subscription_id", "total"):
                self.credited[pk] = self.credited.get(pk, ZERO) + total
            self.paid.update((pk, amount) for pk, (amount, _) in paid_by_wallet(prepaid).items())
            payments = Payment.objects.filter(
                invoice__subscription__in=[period.pk for period in prepaid],
                invoice__in_force=True,
                payment_method=PaymentMethod.MONEDEROS_DIGITALES,
            )
            sums = payments.order_by().values_list("invoice__subscription").annotate(Sum("amount"))
            self.by_wallet.update((pk, cents(amount)) for pk, amount in sums)  # SQLite sums floats
        going_over = [
            period.pk
            for period in periods
            if not period.is_last and (period.rollover_share or period.expiration_at < period.cycle_end_at)
        ]
        events = UsageEvent.objects.filter(subscription__in=going_over).order_by()
        self._last_usage.update(events.values_list("subscription").annotate(Max("ingested_at")))
        purged = UsageCounter.objects.filter(pk__in=keys, purged_before__isnull=False)
        self._purged.update(purged.values_list("pk", flat=True))

    def _read_revisions(self, keys: Sequence[int]) -> None:
        """Read the terms that periods had before they were revised while they had an invoice."""
        revisions = list(
            TermsRevision.objects.filter(subscription__in=keys).exclude(invoice="").order_by("-pk")
        )
        if not revisions:
            return
        before = {(each.subscription_id, each.invoice): each.before for each in revisions}  # the first one
        invoices = Invoice.objects.in_force().filter(subscription__in={pk for pk, _number in before})
        for invoice in invoices.select_related("series").defer("rated_from"):
            key = (invoice.subscription_id or 0, invoice.full_number or "")
            if key in before:
                self._before[key[0]] = before[key]

    def as_billed(self, period: Subscription, rated: RatingInputs) -> RatingInputs:
        """Return the period's rating inputs with the terms that it had when its invoice was issued."""
        before = self._before.get(period.pk)
        return on_terms(rated, before) if before else rated

    def _rate(self, periods: Sequence[Subscription]) -> None:
        at = max(period.expiration_at for period in periods)
        try:
            found = facts_of(periods, at=at)
            self.rated.update(zip([period.pk for period in periods], found, strict=True))
        except (DomainError, ValueError) as error:
            if len(periods) == 1:
                self.unratable.append(Fault(f"subscription {periods[0].pk}", f"cannot be rated: {error}"))
                return
            for period in periods:
                self._rate([period])

    def all_counted_before(self, period: Subscription, at: datetime) -> bool:
        """Return whether all usage of the period had been counted at that moment."""
        last = self._last_usage.get(period.pk)
        return period.pk not in self._purged and (last is None or last < at)


def period_faults(line: Line, periods: Sequence[Subscription], facts: PeriodFacts) -> Iterator[Fault]:
    for number, period in enumerate(periods, start=1):
        of = f"period {line.phone_number}/{period.sequence}"
        previous = periods[number - 2] if number > 1 else None
        following = periods[number] if number < len(periods) else None
        whats = [
            *_place_faults(period, number, previous, following),
            *_cycle_faults(period, following, line),
            *_billing_faults(period, facts),
        ]
        if rated := facts.rated.get(period.pk):
            whats += _allowance_faults(period, rated, previous, facts)
            whats += _invoice_faults(period, rated, facts)
        yield from (Fault(of, what) for what in whats)


def _place_faults(
    period: Subscription, number: int, previous: Subscription | None, following: Subscription | None
) -> Iterator[str]:
    if period.sequence != number:
        yield f"the line's period no. {number} is missing"
    if bool(period.is_last) != (following is None):
        yield "it is the line's last, and not marked so" if following is None else "marked as the line's last"
    if previous is not None and period.start_at < previous.expiration_at:
        yield f"it begins {period.start_at}, before the one before it ends {previous.expiration_at}"
    if period.renewed_from_id is None:
        return
    if previous is None or period.renewed_from_id != previous.pk:
        yield "it follows a period that is not the one before it"
    elif period.start_at > previous.expiration_at and not period.prepaid:
        yield f"it begins {period.start_at}, and the one that it follows ends {previous.expiration_at}"


def _cycle_faults(period: Subscription, following: Subscription | None, line: Line) -> Iterator[str]:
    first, last = period.cycle_start_at, period.cycle_end_at
    days = (local_date(last) - local_date(first)).days
    is_month = (first, last) == full_period(validity_days=0, at=period.start_at)
    # A period that clocks made begin later ends at the time of day at which it was meant to begin.
    skipped = skipped_time(first)
    ends = [add_days(first, days), *([at_wall_clock(skipped + timedelta(days=days))] if skipped else [])]
    is_days = first == period.start_at and days > 0 and last in ends
    if not is_month and not is_days:
        yield f"its full period, {first} to {last}, is neither a month nor days from its start"
    if period.expiration_at == last:
        return
    ended = line.status == LineStatus.TERMINATED and line.terminated_at == period.expiration_at
    changed = (
        following is not None
        and (following.renewed_from_id == period.pk or following.customer_id != period.customer_id)
        and following.start_at == period.expiration_at
    )
    if not (changed if following else ended):
        yield (
            f"it ends {period.expiration_at}, before its full period, without a change of plan or holder, "
            "or a termination"
        )


def _allowance_faults(
    period: Subscription, rated: RatingInputs, previous: Subscription | None, facts: PeriodFacts
) -> Iterator[str]:
    may = rated.granted()
    limits = Allowance(period.limit_bytes, period.minutes_limit, period.sms_limit)
    if limits != may:
        yield f"its limits are {_amounts(limits)}, by rating {_amounts(may)}"
    carried = rated.changes.carried_in
    if previous is None or period.renewed_from_id is None or period.start_at != previous.expiration_at:
        if carried != NOTHING:
            yield f"{_amounts(carried)} was carried over, but no period was there to carry it over"
        return
    if before := facts.rated.get(previous.pk):
        most, least = _carried(previous, replace(before, used=Used())), _carried(previous, before)
        if facts.all_counted_before(previous, period.start_at):
            most = least
        over = before.changes.carried_out  # including what was left of packs
        if not _between(least, over, most):
            yield (
                f"{_amounts(over)} was carried over, by rating "
                f"{_amounts(least)}{'' if least == most else f' to {_amounts(most)}'}"
            )


def _carried(period: Subscription, rated: RatingInputs) -> Allowance:
    """Return what is carried over from the period. Usage reported after the carry-over lowers the result."""
    return rated.carried_over(cut=period.expiration_at < period.cycle_end_at)


def _between(least: Allowance, given: Allowance, most: Allowance) -> bool:
    return all(
        low <= amount <= high
        for low, amount, high in zip(
            msgspec.structs.astuple(least),
            msgspec.structs.astuple(given),
            msgspec.structs.astuple(most),
            strict=True,
        )
    )


def _amounts(allowance: Allowance) -> str:
    return f"{allowance.data_bytes} B {allowance.voice_minutes} min {allowance.sms} SMS"


def _billing_faults(period: Subscription, facts: PeriodFacts) -> Iterator[str]:
    invoice = facts.invoices.get(period.pk)
    if invoice and period.unbilled:
        yield "it is marked as unbilled, but has an invoice"
    if invoice is None and not period.unbilled and period.pk not in facts.void:
        yield "it is marked as billed, but has no invoice"
    paid = facts.paid.get(period.pk, ZERO)
    if invoice is None and not period.unbilled and paid:
        yield f"its wallet paid {paid}, and its invoice is void"
    if invoice is None or not period.prepaid or invoice[0] == "DRAFT":
        return
    total, credited = invoice[1], facts.credited.get(period.pk, ZERO)
    if paid != total - credited:
        yield f"its wallet paid {paid}, but its invoice comes to {total - credited}"
    if (by_wallet := facts.by_wallet.get(period.pk, ZERO)) != total:
        yield f"its invoice comes to {total}, but the wallet paid {by_wallet} of it"


# Rating inputs that cannot change once a period is billed, by the name used in faults.
_KEPT: Mapping[str, Callable[[RatingInputs], Any]] = {
    "terms": lambda facts: facts.terms,
    "days": lambda facts: facts.span,
    "packs": lambda facts: sorted(facts.changes.packs),
    "carried in": lambda facts: facts.changes.carried_in,
    "discounts": lambda facts: facts.changes.discounts,
    "prepaid": lambda facts: facts.changes.prepaid,
}


def _invoice_faults(period: Subscription, rated: RatingInputs, facts: PeriodFacts) -> Iterator[str]:
    """Yield a fault if the invoice was calculated from other inputs, or from more usage than was counted."""
    kept = facts.invoices.get(period.pk, (None, None, None))[2]
    if kept is None:
        return
    try:
        billed = inputs_from(kept)
    except (msgspec.ValidationError, ValueError):
        return  # reported as a fault of the document
    rated = facts.as_billed(period, rated)
    for name, value in _KEPT.items():
        if value(billed) != value(rated):
            yield f"its invoice was calculated from other {name}"
    used = zip(msgspec.structs.astuple(billed.used), msgspec.structs.astuple(rated.used), strict=True)
    if any(then > now for then, now in used):
        yield "its invoice was calculated from more usage than was counted"
