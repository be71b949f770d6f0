"""What a worked case is made of, and short words to write one with."""

from calendar import monthrange
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from billing.rating import GB, Allowance, Changes, Discount, Pack, RatingInputs, Span, Terms, Used


class Line(NamedTuple):
    """A line as the bill has to show it."""

    kind: str
    name: str
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal
    discount: Decimal
    tax: Decimal


class Case(NamedTuple):
    """One bill, worked by hand. Nothing in it may be copied from what the program answers."""

    title: str
    happened: str
    reckoned: str
    inputs: RatingInputs
    lines: list[Line]
    total: str
    includes: Allowance | None = None
    carries: Allowance | None = None
    cut: bool = False


MOVIL_30 = Terms(
    plan_name="Móvil 30 GB",
    price=Decimal("22.00"),
    data_bytes=30 * GB,
    voice_minutes=600,
    sms=200,
    overage_price_per_gb=Decimal("1.00"),
    overage_price_per_minute=Decimal("0.05"),
    overage_price_per_sms=Decimal("0.05"),
)


def month(year: int, number: int) -> Span:
    start = date(year, number, 1)
    end = start + timedelta(days=monthrange(year, number)[1])
    return Span(start, end, start, end)


def part(whole: Span, first: date, last: date) -> Span:
    """The days from `first` to `last`, as people say it: `last` is one of them."""
    return Span(first, last + timedelta(days=1), whole.cycle_start, whole.cycle_end)


NOVEMBER = month(2026, 11)


def nov(first: int, last: int) -> Span:
    return part(NOVEMBER, date(2026, 11, first), date(2026, 11, last))


def used(gb: str = "0", *, minutes: int = 0, seconds: int = 0, sms: int = 0) -> Used:
    return Used(entertainment_bytes=int(Decimal(gb) * GB), voice_seconds=minutes * 60 + seconds, sms=sms)


NOTHING = used()


def allowance(gb: str = "0", minutes: int = 0, sms: int = 0) -> Allowance:
    return Allowance(int(Decimal(gb) * GB), minutes, sms)


def pack_of(name: str, price: str, gb: str = "0", minutes: int = 0) -> Pack:
    return Pack(name, Decimal(price), int(Decimal(gb) * GB), minutes)


def percent(name: str, percent: str) -> Discount:
    return Discount(name, percent=Decimal(percent))


def dollars(name: str, amount: str) -> Discount:
    return Discount(name, amount=Decimal(amount))


def bill(
    span: Span = NOVEMBER,
    used: Used = NOTHING,
    plan: Terms = MOVIL_30,
    tax: str = "0.15",
    **changes: Any,
) -> RatingInputs:
    return RatingInputs(plan, used, span, Changes(**changes), Decimal(tax))


def _line(
    kind: str, quantity: str, price: str, amount: str, less: str, tax: str, name: str = MOVIL_30.plan_name
) -> Line:
    return Line(kind, name, *map(Decimal, (quantity, price, amount, less, tax)))


def plan(amount: str, *, tax: str, less: str = "0", name: str = MOVIL_30.plan_name) -> Line:
    return _line("PLAN", "1", amount, amount, less, tax, name)


def pack(name: str, amount: str, *, tax: str, less: str = "0") -> Line:
    return _line("PACK", "1", amount, amount, less, tax, name)


def data(gb: str, price: str, amount: str, *, tax: str, less: str = "0") -> Line:
    return _line("DATA", gb, price, amount, less, tax)


def voice(minutes: str, price: str, amount: str, *, tax: str, less: str = "0") -> Line:
    return _line("VOICE", minutes, price, amount, less, tax)


def sms(messages: str, price: str, amount: str, *, tax: str, less: str = "0") -> Line:
    return _line("SMS", messages, price, amount, less, tax)
