"""What a period costs: from terms, use and what else happened to priced lines. Every price of the system
comes from here; docs/rating.md has the rules in plain sentences. Values in, values out: no database, no
clock, no settings.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import ROUND_DOWN, Decimal
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import asdict

from billing.rating.values import Allowance, Changes, LateUse, Span, Terms, Used
from telcox.common.money import CENT, cents

GB = 2**30
MILLION = 10**6
ZERO = Decimal("0.00")
ONE = Decimal(1)
MILLIONTH = Decimal("0.000001")
HUNDRED = Decimal(100)


class RatedLine(Struct, frozen=True):
    """One thing charged for; `amount` is quantity × unit price in whole cents, rounded here and never
    again."""

    kind: str
    name: str
    unit: str
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal
    discount: Decimal
    tax: Decimal
    # The earlier period's use that it is charged for, where that arrived late.
    late: LateUse | None = None

    @property
    def total(self) -> Decimal:
        return self.amount - self.discount + self.tax


class Rated(Struct, frozen=True):
    """What a period costs: its lines, and their sums."""

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
    """All that a period's price depends on."""

    terms: Terms
    used: Used
    span: Span
    changes: Changes
    tax_rate: Decimal
    # Of the counter that said what was used.
    usage_version: int = 0

    def rate(self) -> Rated:
        return rate_period(self.terms, self.used, self.span, self.changes, self.tax_rate)

    def granted(self) -> Allowance:
        return granted_allowance(self.terms, self.span, self.changes)

    def carried_over(self, *, cut: bool) -> Allowance:
        """What goes to the next period: a share of what is left of the plan's allowance.

        Packs are used after the plan's allowance and expire with the period, unless it was `cut` by a change
        of plan: then all that is left of them goes along.
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
        return over + (_of_packs(self.changes) - (gone - own)) if cut else over


class _Charge(NamedTuple):
    """A line before discount and tax."""

    kind: str
    name: str
    unit: str
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal


def rate_period(terms: Terms, used: Used, span: Span, changes: Changes, tax_rate: Decimal) -> Rated:
    """The plan's fee, the packs, and what was used beyond the allowance where that costs something; then what
    is charged of earlier periods, as it is: this one's discounts and spend limit are not for that."""
    fee = max(_fee(terms.price, span, changes.lost), _consumed_fee(terms, used, span, changes))
    plan = _once("PLAN", terms.plan_name, "PERIOD", fee)
    packs = [_once("PACK", pack.name, "PACK", cents(pack.price)) for pack in sorted(changes.packs)]
    charges = [plan, *packs]
    if not changes.prepaid:
        room = None
        if changes.spend_limit is not None and not terms.overage_beyond_spend_limit:
            room = max(ZERO, changes.spend_limit - sum(pack.amount for pack in packs))
        allowed = usable_allowance(terms, _as_sold(span), changes)
        charges += _overage(overage(terms, used, allowed), terms.plan_name, room)
    own = _discounted_and_taxed(charges, span, changes, tax_rate)
    return Rated((*own, *_late_lines(changes.late, tax_rate)))


def included_allowance(terms: Terms, span: Span) -> Allowance:
    """The plan's allowance for these days; lost days do not make it smaller."""
    first, last, days = span.offset(span.start), span.offset(span.end), span.days

    def part(whole: int) -> int:
        return whole * last // days - whole * first // days

    return Allowance(part(terms.data_bytes), part(terms.voice_minutes), part(terms.sms))


def granted_allowance(terms: Terms, span: Span, changes: Changes) -> Allowance:
    """What may be used: of the plan, of the period before, of packs."""
    return included_allowance(terms, span) + changes.carried_in + _of_packs(changes)


def usable_allowance(terms: Terms, span: Span, changes: Changes) -> Allowance:
    """What of it is still here: what has gone to the next period is not."""
    return granted_allowance(terms, span, changes) - changes.carried_out


def used_allowance(terms: Terms, used: Used) -> Allowance:
    """What was used of what may be used; a minute that was started is used."""
    return Allowance(_rated_bytes(terms, used), _started(used.voice_seconds, 60), used.sms)


def _once(kind: str, name: str, unit: str, amount: Decimal) -> _Charge:
    return _Charge(kind, name, unit, ONE, amount, amount)


def _of_packs(changes: Changes) -> Allowance:
    total = Allowance()
    for pack in changes.packs:
        total += Allowance(pack.data_bytes, pack.voice_minutes, pack.sms)
    return total


def _part(whole: Decimal, first: int, last: int, days: int) -> Decimal:
    """What the days from `first` to `last` cost of `whole`, in whole cents: the difference of two running
    sums, so that the parts of a cycle add up, however it is cut."""
    return cents(whole * last / days) - cents(whole * first / days)


def _fee(price: Decimal, span: Span, lost: Sequence[tuple[date, date]]) -> Decimal:
    runs = _charged_runs(span, lost)
    return sum((_part(price, span.offset(first), span.offset(last), span.days) for first, last in runs), ZERO)


def _consumed_fee(terms: Terms, used: Used, span: Span, changes: Changes) -> Decimal:
    """Of a period that is cut short, what is used up is paid, however few days it took, and no overage: the
    fee that leaves, after discounts, the used share of what the period cost when it was sold. Rounded down,
    so that nobody pays more than then."""
    if span.end == span.cycle_end:
        return ZERO
    sold = _as_sold(span)
    percent, dollars = _off(changes, sold)
    kept = 1 - percent / HUNDRED
    full = _part(terms.price, sold.offset(sold.start), sold.days, sold.days)
    paid = full - cents(full * percent / HUNDRED) - dollars
    if paid <= 0:
        return ZERO
    # Packs are for what passes the days' share.
    packs, gone = _of_packs(changes), used_allowance(terms, used)
    of_packs = packs - (packs - (gone - (included_allowance(terms, span) + changes.carried_in)))
    share = _used_share(included_allowance(terms, sold) + changes.carried_in, gone - of_packs)
    if not share:
        return ZERO
    return ((paid * share + _off(changes, span)[1]) / kept).quantize(CENT, rounding=ROUND_DOWN)


def _as_sold(span: Span) -> Span:
    """A period is sold until its cycle ends; these may be the days of one that was cut short."""
    return Span(span.start, span.cycle_end, span.cycle_start, span.cycle_end)


def _used_share(sold: Allowance, gone: Allowance) -> Decimal:
    """Of what is used the most."""
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
    """What discounts take off: percent of every line, and dollars for these days."""
    first, last, days = span.offset(span.start), span.offset(span.end), span.days
    percent = min(HUNDRED, sum((each.percent for each in changes.discounts), ZERO))
    return percent, sum((_part(each.amount, first, last, days) for each in changes.discounts), ZERO)


def _charged_runs(span: Span, lost: Sequence[tuple[date, date]]) -> Iterator[tuple[date, date]]:
    """The days between those lost, which may overlap each other and the span's edges."""
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
    """What was used of something beyond what was free, in bytes, seconds or messages: less than nothing while
    some of that is left. `per` of them are a unit, which is charged by whole ones or to the millionth."""

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
        """Those that are charged if there is room for them."""
        return self.step * (_started if self.whole else _millionths)(self.quantity, self.per)


def overage(terms: Terms, used: Used, free: Allowance) -> Iterator[Overage]:
    """In the order in which they take their room in the spend limit."""
    data = _rated_bytes(terms, used) - free.data_bytes
    voice = used.voice_seconds - free.voice_minutes * 60
    sms = used.sms - free.sms
    per_gb, per_minute = terms.overage_per_started_gb, terms.overage_per_started_minute
    yield Overage("DATA", "GB", terms.data_stops, data, GB, per_gb, terms.overage_price_per_gb)
    yield Overage("VOICE", "MINUTE", terms.voice_stops, voice, 60, per_minute, terms.overage_price_per_minute)
    yield Overage("SMS", "SMS", terms.sms_stops, sms, 1, True, terms.overage_price_per_sms)


def _overage(used: Iterator[Overage], plan_name: str, room: Decimal | None) -> Iterator[_Charge]:
    """What was used beyond what was free; with `room`, no more than there is room for in the spend limit."""
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
    """The quantity that costs as much of `room` as possible: rounded down, and a step more where that one
    fits by being rounded to cents."""
    quantity = room // (unit_price * step) * step
    more = quantity + step
    return more if cents(quantity * unit_price) < cents(more * unit_price) <= room else quantity


def _discounted_and_taxed(
    charges: Sequence[_Charge], span: Span, changes: Changes, tax_rate: Decimal
) -> Iterator[RatedLine]:
    """Percents come off every line; then dollars, as long as they last, off one line after the other."""
    percent, dollars = _off(changes, span)
    dollars += changes.extra_discount
    for charge in charges:
        discount = cents(charge.amount * percent / HUNDRED)
        off = min(dollars, charge.amount - discount)
        dollars -= off
        discount += off
        yield RatedLine(*charge, discount, cents((charge.amount - discount) * tax_rate))


def _late_lines(late: Sequence[LateUse], tax_rate: Decimal) -> Iterator[RatedLine]:
    for use in late:
        for charge in use.charges:
            tax = cents((charge.amount - charge.discount) * tax_rate)
            yield RatedLine(**asdict(charge), tax=tax, late=use)


def _rated_bytes(terms: Terms, used: Used) -> int:
    """Data of the categories that are not zero-rated."""
    return (
        (0 if terms.zero_rated_social else used.social_bytes)
        + (0 if terms.zero_rated_entertainment else used.entertainment_bytes)
        + (0 if terms.zero_rated_system_updates else used.system_updates_bytes)
        + (0 if terms.zero_rated_navigation_search else used.navigation_search_bytes)
    )


def _started(quantity: int, per: int) -> int:
    """Units that were begun."""
    return -(-quantity // per)


def _millionths(quantity: int, per: int) -> int:
    """Millionths of a unit, halves up, in whole numbers: no precision is lost however much was used."""
    return (2 * quantity * MILLION + per) // (2 * per)
