"""What a period costs: from terms, use and what else happened to priced lines. Every price of the system
comes from here; docs/rating.md has the rules in plain sentences. Values in, values out: no database, no
clock, no settings.

The values go through JSON and come back the same, so a bill can be reckoned again from what is kept of it. A
field that is added later needs a default, for what was kept before.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from msgspec import Struct

from telcox.common.money import cents

GB = 2**30
MILLION = 10**6
ZERO = Decimal("0.00")
ONE = Decimal(1)
MILLIONTH = Decimal("0.000001")
HUNDRED = Decimal(100)


class Terms(Struct, frozen=True, kw_only=True):
    """What was sold. Prices in dollars before tax; price and allowances are those of a full cycle."""

    plan_name: str
    price: Decimal
    data_bytes: int
    voice_minutes: int
    sms: int
    overage_price_per_gb: Decimal
    overage_price_per_minute: Decimal
    overage_price_per_sms: Decimal
    # Else exactly: to the millionth of a GB (about 1 kB), by the second.
    overage_per_started_gb: bool = False
    overage_per_started_minute: bool = True
    # A hard stop: nothing is charged beyond the allowance.
    data_stops: bool = False
    voice_stops: bool = False
    sms_stops: bool = False
    # Else overage is charged only until the spend limit is reached.
    overage_beyond_spend_limit: bool = False
    # How much of the unused goes to the next period, and how often the plan's full allowance that may be.
    rollover_share: Decimal = Decimal(0)
    rollover_cap: Decimal = Decimal(1)
    zero_rated_social: bool = False
    zero_rated_entertainment: bool = False
    zero_rated_system_updates: bool = False
    zero_rated_navigation_search: bool = False


class Span(Struct, frozen=True):
    """The days that are rated, within the cycle they are a part of. Local calendar days, ends exclusive."""

    start: date
    end: date
    cycle_start: date
    cycle_end: date

    def __post_init__(self) -> None:
        if not self.cycle_start <= self.start <= self.end <= self.cycle_end:
            raise ValueError(
                f"{self.start} to {self.end} is no part of the cycle {self.cycle_start} to {self.cycle_end}"
            )
        if self.cycle_start == self.cycle_end:
            raise ValueError(f"The cycle of {self.cycle_start} has no days")

    @property
    def days(self) -> int:
        """Days of the whole cycle."""
        return (self.cycle_end - self.cycle_start).days

    def offset(self, day: date) -> int:
        """How many days of the cycle are before it."""
        return (day - self.cycle_start).days


class Used(Struct, frozen=True):
    """What was used of a period."""

    social_bytes: int = 0
    entertainment_bytes: int = 0
    system_updates_bytes: int = 0
    navigation_search_bytes: int = 0
    voice_seconds: int = 0
    sms: int = 0


class Allowance(Struct, frozen=True):
    """What may be used without paying more. There is none below nothing."""

    data_bytes: int = 0
    voice_minutes: int = 0
    sms: int = 0

    def __add__(self, other: "Allowance") -> "Allowance":
        return Allowance(
            self.data_bytes + other.data_bytes, self.voice_minutes + other.voice_minutes, self.sms + other.sms
        )

    def __sub__(self, other: "Allowance") -> "Allowance":
        return Allowance(
            max(0, self.data_bytes - other.data_bytes),
            max(0, self.voice_minutes - other.voice_minutes),
            max(0, self.sms - other.sms),
        )


class Pack(Struct, frozen=True, order=True):
    """More allowance for this period, bought beside the plan."""

    name: str
    price: Decimal
    data_bytes: int = 0
    voice_minutes: int = 0
    sms: int = 0


class Discount(Struct, frozen=True):
    """Percent of each line, and dollars off a full period, of which a part of it gets its days' share."""

    name: str
    percent: Decimal = Decimal(0)
    amount: Decimal = Decimal(0)


class Changes(Struct, frozen=True):
    """All that happened to a period beside use."""

    packs: tuple[Pack, ...] = ()
    # Days that are not charged, the operator having suspended the line; ends are exclusive.
    lost: tuple[tuple[date, date], ...] = ()
    # Rolled over: from the period before, and already given to the one after.
    carried_in: Allowance = Allowance()
    carried_out: Allowance = Allowance()
    discounts: tuple[Discount, ...] = ()
    # Given by staff for this one bill.
    extra_discount: Decimal = Decimal(0)
    # The most that packs and overage may cost together, before discount and tax.
    spend_limit: Decimal | None = None
    # A prepaid line stops at its allowance.
    prepaid: bool = False


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

    def rate(self) -> Rated:
        return rate_period(self.terms, self.used, self.span, self.changes, self.tax_rate)


class _Charge(NamedTuple):
    """A line before discount and tax."""

    kind: str
    name: str
    unit: str
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal


def rate_period(terms: Terms, used: Used, span: Span, changes: Changes, tax_rate: Decimal) -> Rated:
    """The plan's fee, the packs, and what was used beyond the allowance where that costs something."""
    plan = _once("PLAN", terms.plan_name, "PERIOD", _fee(terms.price, span, changes.lost))
    packs = [_once("PACK", pack.name, "PACK", cents(pack.price)) for pack in sorted(changes.packs)]
    charges = [plan, *packs]
    if not changes.prepaid:
        room = None
        if changes.spend_limit is not None and not terms.overage_beyond_spend_limit:
            room = max(ZERO, changes.spend_limit - sum(pack.amount for pack in packs))
        charges += _overage(terms, used, granted(terms, span, changes) - changes.carried_out, room)
    return Rated(tuple(_discounted_and_taxed(charges, span, changes, tax_rate)))


def included(terms: Terms, span: Span) -> Allowance:
    """The plan's allowance for these days; lost days do not make it smaller."""
    first, last, days = span.offset(span.start), span.offset(span.end), span.days

    def part(whole: int) -> int:
        return whole * last // days - whole * first // days

    return Allowance(part(terms.data_bytes), part(terms.voice_minutes), part(terms.sms))


def granted(terms: Terms, span: Span, changes: Changes) -> Allowance:
    """What may be used: of the plan, of the period before, of packs."""
    return included(terms, span) + changes.carried_in + _of_packs(changes)


def carried_over(terms: Terms, used: Used, span: Span, changes: Changes, *, cut: bool) -> Allowance:
    """What goes to the next period: a share of what is left of the plan's allowance.

    Packs are used after the plan's allowance and expire with the period, unless it was `cut` by a change of
    plan: then all that is left of them goes along.
    """
    own = included(terms, span) + changes.carried_in
    spent = Allowance(_rated_bytes(terms, used), _started(used.voice_seconds, 60), used.sms)
    unused = own - spent

    def part(unused: int, full: int) -> int:
        return min(int(terms.rollover_share * unused), int(terms.rollover_cap * full), unused)

    over = Allowance(
        part(unused.data_bytes, terms.data_bytes),
        part(unused.voice_minutes, terms.voice_minutes),
        part(unused.sms, terms.sms),
    )
    return over + (_of_packs(changes) - (spent - own)) if cut else over


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


def _overage(terms: Terms, used: Used, free: Allowance, room: Decimal | None) -> Iterator[_Charge]:
    """What was used beyond what was free; with `room`, no more than there is room for in the spend limit."""
    data = 0 if terms.data_stops else _rated_bytes(terms, used) - free.data_bytes
    voice = 0 if terms.voice_stops else used.voice_seconds - free.voice_minutes * 60
    sms = 0 if terms.sms_stops else used.sms - free.sms
    for kind, unit, beyond, per, whole, unit_price in (
        ("DATA", "GB", data, GB, terms.overage_per_started_gb, terms.overage_price_per_gb),
        ("VOICE", "MINUTE", voice, 60, terms.overage_per_started_minute, terms.overage_price_per_minute),
        ("SMS", "SMS", sms, 1, True, terms.overage_price_per_sms),
    ):
        if beyond <= 0 or not unit_price:
            continue
        step = ONE if whole else MILLIONTH
        quantity = step * (_started(beyond, per) if whole else _millionths(beyond, per))
        amount = cents(quantity * unit_price)
        if room is not None:
            if amount > room:
                quantity = _fitting(room, unit_price, step)
                amount = cents(quantity * unit_price)
            room -= amount
        if amount:
            yield _Charge(kind, terms.plan_name, unit, quantity, unit_price, amount)


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
    first, last, days = span.offset(span.start), span.offset(span.end), span.days
    percent = min(HUNDRED, sum((each.percent for each in changes.discounts), ZERO))
    dollars = changes.extra_discount
    for each in changes.discounts:
        dollars += _part(each.amount, first, last, days)
    for charge in charges:
        discount = cents(charge.amount * percent / HUNDRED)
        off = min(dollars, charge.amount - discount)
        dollars -= off
        discount += off
        yield RatedLine(*charge, discount, cents((charge.amount - discount) * tax_rate))


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
