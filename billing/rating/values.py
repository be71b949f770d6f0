"""What a period's price is reckoned from (billing/rating.py), as values.

They go through JSON and come back the same, so a bill can be reckoned again from what is kept of it. A field
that is added later needs a default, for what was kept before.
"""

from datetime import date
from decimal import Decimal

from msgspec import Struct


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


class LateCharge(Struct, frozen=True):
    """One thing charged for late use, before tax: 2 GB more, 2.00. It is the difference of two bills, each
    rounded by itself, so `amount` may be a cent beside quantity × unit price."""

    kind: str
    name: str
    unit: str
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal
    discount: Decimal


class LateUse(Struct, frozen=True):
    """Use of an earlier period of the line, its `sequence`-th, which began in `month` ("2026-10"), that
    arrived after that one was billed: all up to `usage_version` of its counter. It may cost nothing."""

    sequence: int
    month: str
    usage_version: int
    charges: tuple[LateCharge, ...] = ()


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
    # Of periods before it, charged with this one.
    late: tuple[LateUse, ...] = ()
