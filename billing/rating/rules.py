"""Rating rules: what a period costs, calculated from its terms, its usage and its changes. Every price in the
system is calculated here. docs/rating.md has the rules in sentences. Pure functions: no database, no clock,
no settings."""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import ROUND_DOWN, Decimal
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from billing.rating.allowances import (
    granted_allowance,
    included_allowance,
    of_packs,
    rated_bytes,
    started_units,
    usable_allowance,
    used_allowance,
)
from billing.rating.values import Allowance, Changes, LateUse, Span, Terms, Used
from telcox.common.money import CENT, cents

GB = 2**30
MILLION = 10**6
ZERO = Decimal("0.00")
ONE = Decimal(1)
MILLIONTH = Decimal("0.000001")
HUNDRED = Decimal(100)
HALF_CENT = Decimal("0.005")


class RatedLine(Struct, frozen=True):
    """Line of a rated period, one thing charged for. `amount` is quantity × unit price in dollars, rounded to
    cents here and never again."""

    kind: str
    name: str
    unit: str
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal
    discount: Decimal
    tax: Decimal
    # For late usage: the earlier period's usage that this line charges for.
    late: LateUse | None = None
    # Tax rate of this line, if it is not the bill's.
    tax_rate: Decimal | None = None

    @property
    def total(self) -> Decimal:
        return self.amount - self.discount + self.tax


class Rated(Struct, frozen=True):
    """Price of a period: its lines and their sums, in dollars."""

    lines: tuple[RatedLine, ...]

    @property
    def subtotal(self) -> Decimal:
        return sum((line.amount for line in self.lines), ZERO)

    @property
    def discount(self) -> Decimal:
        return sum((line.discount for line in self.lines), ZERO)

    @property
    def tax(self) -> Decimal:
        return sum((line.tax for line in self.lines), ZERO)

    @property
    def total(self) -> Decimal:
        return sum((line.total for line in self.lines), ZERO)


class RatingInputs(Struct, frozen=True):
    """Rating inputs: all that a period's price depends on. `tax_rate` is that of all lines that have none of
    their own."""

    terms: Terms
    used: Used
    span: Span
    changes: Changes
    tax_rate: Decimal
    # Version of the counter that `used` was read from.
    usage_version: int = 0

    def rate(self) -> Rated:
        return rate_period(self.terms, self.used, self.span, self.changes, self.tax_rate)

    def granted(self) -> Allowance:
        return granted_allowance(self.terms, self.span, self.changes)

    def carried_over(self, *, cut: bool) -> Allowance:
        """Return the rollover: the share of the plan's unused allowance that goes to the next period.

        Packs are used up after the plan's allowance. They expire with the period, unless a change of plan
        `cut` it: then all that is left of them goes along.
        """
        terms = self.terms
        own = included_allowance(terms, self.span) + self.changes.carried_in
        gone = used_allowance(terms, self.used)
        unused = own - gone

        def part(unused: int, full: int) -> int:
            return min(int(terms.rollover_share * unused), int(terms.rollover_cap * full), unused)

        over = Allowance(
            part(unused.data_bytes, terms.data_bytes),
            part(unused.voice_minutes, terms.voice_minutes),
            part(unused.sms, terms.sms),
        )
        return over + (of_packs(self.changes) - (gone - own)) if cut else over


class _Charge(NamedTuple):
    """Line of a period before discount and tax."""

    kind: str
    name: str
    unit: str
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal
    tax_rate: Decimal | None = None


def rate_period(terms: Terms, used: Used, span: Span, changes: Changes, tax_rate: Decimal) -> Rated:
    """Return the price of a period: the plan's fee, packs, overage, and late usage of earlier periods.

    Late usage is charged as it was calculated: the discounts and the spending limit of this period do not
    apply to it.
    """
    plan = _once("PLAN", terms.plan_name, "PERIOD", _period_fee(terms, used, span, changes))
    packs = [
        _once("PACK", pack.name, "PACK", cents(pack.price))._replace(tax_rate=pack.tax_rate)
        for pack in sorted(changes.packs)
    ]
    charges = [plan, *packs]
    if not changes.prepaid:
        room = None
        if changes.spend_limit is not None and not terms.overage_beyond_spend_limit:
            room = max(ZERO, changes.spend_limit - sum(pack.amount for pack in packs))
        allowed = usable_allowance(terms, _as_sold(span), changes)
        charges += _overage(overage(terms, used, allowed), terms.plan_name, room)
    own = _discounted_and_taxed(charges, span, changes, tax_rate)
    return Rated((*own, *_late_lines(changes.late, tax_rate)))


def _once(kind: str, name: str, unit: str, amount: Decimal) -> _Charge:
    return _Charge(kind, name, unit, ONE, amount, amount)


def _part(whole: Decimal, first: int, last: int, days: int) -> Decimal:
    """Return the proration of `whole` for the days from `first` to `last`, in whole cents: the difference of
    two running sums, so that the parts of a cycle add up to the whole, however it is cut."""
    return cents(whole * last / days) - cents(whole * first / days)


def _fee(price: Decimal, span: Span, lost: Sequence[tuple[date, date]]) -> Decimal:
    runs = _charged_runs(span, lost)
    return sum((_part(price, span.offset(first), span.offset(last), span.days) for first, last in runs), ZERO)


def _period_fee(terms: Terms, used: Used, span: Span, changes: Changes) -> Decimal:
    """Return the fee of a period: its days, or, if it was cut short and that is more, what was used up.

    A period never costs more because it was cut: neither its fee, nor what is left of the fee after
    discounts, is more than that of the whole period.
    """
    days = _fee(terms.price, span, changes.lost)
    if span.end == span.cycle_end:
        return days
    return min(max(days, _consumed_fee(terms, used, span, changes)), _most_of_cut(terms, span, changes))


def _consumed_fee(terms: Terms, used: Used, span: Span, changes: Changes) -> Decimal:
    """Return the fee for what is used up of a period that is cut short.

    The used share of what the whole period would have cost is charged, however few days it took, and no
    overage. Days that the operator took are not part of that price. The fee is such that this share is left
    after discounts, but never more than the whole fee. It is rounded down, so that no customer pays more than
    the price agreed at the sale.
    """
    fee, net, kept = _whole(terms, span, changes)
    if net <= 0:
        return ZERO
    sold = _as_sold(span)
    # Packs cover usage beyond the prorated allowance.
    packs, gone = of_packs(changes), used_allowance(terms, used)
    by_packs = packs - (packs - (gone - (included_allowance(terms, span) + changes.carried_in)))
    share = _used_share(included_allowance(terms, sold) + changes.carried_in, gone - by_packs)
    if not share:
        return ZERO
    consumed = (net * share + _off(changes, span)[1]) / kept
    return min(fee, consumed.quantize(CENT, rounding=ROUND_DOWN))


def _most_of_cut(terms: Terms, span: Span, changes: Changes) -> Decimal:
    """Return the largest fee of a period that is cut short of which no more is left after discounts than of
    the whole fee.

    The days of a fee, its percentages and the days of a discount are each rounded to cents. So the parts
    alone could come to a cent more than the whole. Days that the operator took after the cut are left out:
    they belong to the next period.
    """
    before = tuple((lost_from, min(lost_to, span.end)) for lost_from, lost_to in changes.lost)
    fee, net, kept = _whole(terms, span, replace(changes, lost=before))
    if not kept or net < 0:
        return fee
    most = (net + _off(changes, span)[1] + HALF_CENT) / kept
    return min(fee, most.quantize(CENT, rounding=ROUND_DOWN))


def _whole(terms: Terms, span: Span, changes: Changes) -> tuple[Decimal, Decimal, Decimal]:
    """Return of the whole period, as it was sold and without the days that the operator took: its fee, what
    is left of that after discounts (negative if they are more), and the share that percentages leave."""
    sold = _as_sold(span)
    percent, dollars = _off(changes, sold)
    fee = _fee(terms.price, sold, changes.lost)
    return fee, fee - cents(fee * percent / HUNDRED) - dollars, 1 - percent / HUNDRED


def _as_sold(span: Span) -> Span:
    """Return the span from the period's start to its cycle's end, as it was sold; `span` may have been cut
    short."""
    return Span(span.start, span.cycle_end, span.cycle_start, span.cycle_end)


def _used_share(sold: Allowance, gone: Allowance) -> Decimal:
    """Return the used share of the resource that is used the most, from 0 to 1."""
    shares = [
        Decimal(used_up) / amount
        for used_up, amount in (
            (gone.data_bytes, sold.data_bytes),
            (gone.voice_minutes, sold.voice_minutes),
            (gone.sms, sold.sms),
        )
        if amount
    ]
    return min(ONE, max(shares, default=ZERO))


def _off(changes: Changes, span: Span) -> tuple[Decimal, Decimal]:
    """Return the discounts: percent off every line, and dollars off these days."""
    first, last, days = span.offset(span.start), span.offset(span.end), span.days
    percent = min(HUNDRED, sum((each.percent for each in changes.discounts), ZERO))
    return percent, sum((_part(each.amount, first, last, days) for each in changes.discounts), ZERO)


def _charged_runs(span: Span, lost: Sequence[tuple[date, date]]) -> Iterator[tuple[date, date]]:
    """Yield the days between the lost ones, which may overlap each other and the edges of the span."""
    begin = span.start
    for lost_from, lost_to in sorted(lost):
        resumed = min(lost_to, span.end)
        if lost_from < resumed:
            if begin < lost_from:
                yield begin, lost_from
            begin = max(begin, resumed)
    if begin < span.end:
        yield begin, span.end


class Overage(NamedTuple):
    """Overage of a resource: usage beyond what is free, in bytes, seconds or messages; negative while some of
    the allowance is left. `per` of them are one unit, which is charged in whole units or to the millionth."""

    kind: str
    unit: str
    stops: bool
    quantity: int
    per: int
    whole: bool
    unit_price: Decimal

    @property
    def step(self) -> Decimal:
        return ONE if self.whole else MILLIONTH

    @property
    def units(self) -> Decimal:
        """Return the units that are charged if the spending limit has room for them."""
        return self.step * (started_units if self.whole else _millionths)(self.quantity, self.per)


def overage(terms: Terms, used: Used, free: Allowance) -> Iterator[Overage]:
    """Yield data, voice and messages, in the order in which they use the room in the spending limit."""
    data = rated_bytes(terms, used) - free.data_bytes
    voice = used.voice_seconds - free.voice_minutes * 60
    sms = used.sms - free.sms
    per_gb, per_minute = terms.overage_per_started_gb, terms.overage_per_started_minute
    yield Overage("DATA", "GB", terms.data_stops, data, GB, per_gb, terms.overage_price_per_gb)
    yield Overage("VOICE", "MINUTE", terms.voice_stops, voice, 60, per_minute, terms.overage_price_per_minute)
    yield Overage("SMS", "SMS", terms.sms_stops, sms, 1, True, terms.overage_price_per_sms)


def _overage(used: Iterator[Overage], plan_name: str, room: Decimal | None) -> Iterator[_Charge]:
    """Yield the charges for overage. `room` is what the spending limit still allows, in dollars; None is no
    limit."""
    for each in used:
        unit_price = each.unit_price
        if each.stops or each.quantity <= 0 or not unit_price:
            continue
        quantity = each.units
        amount = cents(quantity * unit_price)
        if room is not None:
            if amount > room:
                quantity = _fitting(room, unit_price, each.step)
                amount = cents(quantity * unit_price)
            room -= amount
        if amount:
            yield _Charge(each.kind, plan_name, each.unit, quantity, unit_price, amount)


def _fitting(room: Decimal, unit_price: Decimal, step: Decimal) -> Decimal:
    """Return the largest quantity that costs at most `room`. It is rounded down, and one step is added if its
    cost, rounded to cents, is higher and still fits."""
    quantity = room // (unit_price * step) * step
    more = quantity + step
    return more if cents(quantity * unit_price) < cents(more * unit_price) <= room else quantity


def _discounted_and_taxed(
    charges: Sequence[_Charge], span: Span, changes: Changes, tax_rate: Decimal
) -> Iterator[RatedLine]:
    """Yield the lines with discount and tax. Percents are taken off every line, then dollars off one line
    after the other until they are used up."""
    percent, dollars = _off(changes, span)
    dollars += changes.extra_discount
    for charge in charges:
        discount = cents(charge.amount * percent / HUNDRED)
        off = min(dollars, charge.amount - discount)
        dollars -= off
        discount += off
        yield _taxed(charge, discount, tax_rate)


def _late_lines(late: Sequence[LateUse], tax_rate: Decimal) -> Iterator[RatedLine]:
    for use in late:
        for charge in use.charges:
            before_tax = _Charge(
                charge.kind, charge.name, charge.unit, charge.quantity, charge.unit_price, charge.amount
            )
            line = _taxed(before_tax._replace(tax_rate=use.tax_rate), charge.discount, tax_rate)
            yield replace(line, late=use)


def _taxed(charge: _Charge, discount: Decimal, tax_rate: Decimal) -> RatedLine:
    """Return the line with its tax: at its own rate, or at the bill's (`tax_rate`)."""
    rate = tax_rate if charge.tax_rate is None else charge.tax_rate
    return RatedLine(
        charge.kind,
        charge.name,
        charge.unit,
        charge.quantity,
        charge.unit_price,
        charge.amount,
        discount,
        cents((charge.amount - discount) * rate),
        tax_rate=None if rate == tax_rate else rate,
    )


def _millionths(quantity: int, per: int) -> int:
    """Return millionths of a unit, halves rounded up. Integers lose no precision, however large the usage."""
    return (2 * quantity * MILLION + per) // (2 * per)
