"""Values that a period's price is calculated from (billing/rating/rules.py).

They are stored as JSON and read back unchanged, so that a bill can be calculated again from what it keeps. A
field that is added later needs a default, for bills stored before.
"""

from datetime import date
from decimal import Decimal

from msgspec import Struct


class Terms(Struct, frozen=True, kw_only=True):
    """Terms of a plan as sold. Prices in dollars before tax. Price and allowances are those of a full
    cycle."""

    plan_name: str
    price: Decimal
    data_bytes: int
    voice_minutes: int
    sms: int
    overage_price_per_gb: Decimal
    overage_price_per_minute: Decimal
    overage_price_per_sms: Decimal
    # If False, charged exactly: data to the millionth of a GB (about 1 kB), voice by the second.
    overage_per_started_gb: bool = False
    overage_per_started_minute: bool = True
    # Hard stop: nothing is charged beyond the allowance.
    data_stops: bool = False
    voice_stops: bool = False
    sms_stops: bool = False
    # If False, overage is charged only until the spending limit is reached.
    overage_beyond_spend_limit: bool = False
    # Rollover: the share of the unused allowance that goes to the next period, and its maximum as a multiple
    # of the plan's full allowance.
    rollover_share: Decimal = Decimal(0)
    rollover_cap: Decimal = Decimal(1)
    zero_rated_social: bool = False
    zero_rated_entertainment: bool = False
    zero_rated_system_updates: bool = False
    zero_rated_navigation_search: bool = False


class Span(Struct, frozen=True):
    """Days that are rated, within their cycle. Local calendar days, ends exclusive."""

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
        """Return the number of days of the whole cycle."""
        return (self.cycle_end - self.cycle_start).days

    def offset(self, day: date) -> int:
        """Return the number of days of the cycle before `day`."""
        return (day - self.cycle_start).days


class Used(Struct, frozen=True):
    """Usage of a period."""

    social_bytes: int = 0
    entertainment_bytes: int = 0
    system_updates_bytes: int = 0
    navigation_search_bytes: int = 0
    voice_seconds: int = 0
    sms: int = 0


class Allowance(Struct, frozen=True):
    """Allowance: what may be used without paying more. It is never negative."""

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


class Pack(Struct, frozen=True):
    """Pack: additional allowance for the current period, bought in addition to the plan."""

    name: str
    price: Decimal
    data_bytes: int = 0
    voice_minutes: int = 0
    sms: int = 0
    # Tax rate of the day on which it was paid; None: the same as the plan's.
    tax_rate: Decimal | None = None

    def __lt__(self, other: "Pack") -> bool:
        """Return True if this pack comes first on a bill: by name, then by price and what is in it."""
        return self._place < other._place

    @property
    def _place(self) -> tuple[str, Decimal, int, int, int, Decimal]:
        rate = self.tax_rate or Decimal(0)
        return self.name, self.price, self.data_bytes, self.voice_minutes, self.sms, rate


class Discount(Struct, frozen=True):
    """Discount: percent off each line, and dollars off a full period, prorated for a part of one."""

    name: str
    percent: Decimal = Decimal(0)
    amount: Decimal = Decimal(0)


class LateCharge(Struct, frozen=True):
    """Charge for late usage, before tax: 2 GB more, 2.00. It is the difference of two bills, each rounded by
    itself, so `amount` may differ by a cent from quantity × unit price."""

    kind: str
    name: str
    unit: str
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal
    discount: Decimal


class LateUse(Struct, frozen=True):
    """Late usage of an earlier period of the line: it arrived after that period was billed. `sequence` is the
    period's number on the line, `month` the month in which it began ("2026-10"). All usage up to
    `usage_version` of its counter is included. It may cost nothing."""

    sequence: int
    month: str
    usage_version: int
    charges: tuple[LateCharge, ...] = ()
    # Tax rate of the earlier period, in which the service was given. None: this bill's, as bills were
    # calculated before this was recorded.
    tax_rate: Decimal | None = None


class Changes(Struct, frozen=True):
    """Changes to a period other than usage."""

    packs: tuple[Pack, ...] = ()
    # Days that are not charged because the operator suspended the line; ends exclusive.
    lost: tuple[tuple[date, date], ...] = ()
    # Rollover from the previous period, and what has already gone to the next one.
    carried_in: Allowance = Allowance()
    carried_out: Allowance = Allowance()
    discounts: tuple[Discount, ...] = ()
    # Discount in dollars given by staff for this bill only.
    extra_discount: Decimal = Decimal(0)
    # Spending limit: the most that packs and overage may cost together, in dollars before discount and tax.
    spend_limit: Decimal | None = None
    # A prepaid line stops when its allowance is used up.
    prepaid: bool = False
    # Late usage of earlier periods, charged with this one.
    late: tuple[LateUse, ...] = ()
