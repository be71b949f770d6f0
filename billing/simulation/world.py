"""The simulated operator's catalogue, customers and lines."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from billing.models import Discount, Invoice, TaxRate, Wallet, WalletEntry
from customers.models import Customer, Line, Pack, Plan, Subscription
from telcox.common.calendar import midnight
from telcox.common.errors import DomainError
from usage.models import UsageEvent

GB = 2**30
# From this first day on, February has 29 days, the tax rate changes in April, and two years end.
FIRST_DAY = date(2023, 11, 1)

_EMPTY = (Customer, Line, Plan, Pack, Subscription, UsageEvent, Invoice, WalletEntry, TaxRate, Discount)
_TAX_RATES = (("0.12", date(2000, 1, 1)), ("0.15", date(2024, 4, 1)))

_MOBILE: dict[str, dict[str, Any]] = {
    "dias-30": {"price": "22.00", "rollover_share": "0.5"},
    "dias-30-libre": {
        "price": "17.90",
        "data_bytes": 6 * GB,
        "overage_per_started_gb": True,
        "overage_per_started_minute": False,
        "overage_beyond_spend_limit": True,
    },
    "dias-7": {"price": "4.55", "data_bytes": 2 * GB, "voice_minutes": 60, "sms": 21, "validity_days": 7},
    "mes": {"price": "19.99", "validity_days": 0, "rollover_share": "1", "rollover_cap": "0.5"},
    "mes-social": {
        "price": "25.10",
        "data_bytes": 15 * GB,
        "validity_days": 0,
        "rollover_share": "0.3333",
        "zero_rated_social": True,
        "zero_rated_system_updates": True,
        "data_stops": True,
    },
    "mes-minutos": {
        "price": "12.25",
        "data_bytes": 3 * GB,
        "voice_minutes": 1_000,
        "validity_days": 0,
        "rollover_share": "0.75",
        "rollover_cap": "2",
        "voice_stops": True,
        "sms_stops": True,
    },
    "dias-90": {
        "price": "59.95",
        "data_bytes": 30 * GB,
        "voice_minutes": 900,
        "validity_days": 90,
        "rollover_share": "0.5",
    },
    "dias-365": {"price": "199.00", "data_bytes": 120 * GB, "voice_minutes": 3_000, "validity_days": 365},
}
_FIXED: dict[str, dict[str, Any]] = {
    "fijo-30": {"price": "8.50", "data_bytes": 0, "voice_minutes": 200, "sms": 0, "rollover_share": "0.25"},
    "fijo-mes": {"price": "14.05", "data_bytes": 0, "voice_minutes": 500, "sms": 0, "validity_days": 0},
}
_COMMON = {
    "data_bytes": 10 * GB,
    "voice_minutes": 300,
    "sms": 100,
    "overage_price_per_gb": "1.20",
    "overage_price_per_minute": "0.055",
    "overage_price_per_sms": "0.06",
}
_PACKS: dict[str, dict[str, Any]] = {
    "gb-1": {"price": "1.50", "data_bytes": GB},
    "gb-5": {"price": "4.00", "data_bytes": 5 * GB},
    "minutos-100": {"price": "3.05", "voice_minutes": 100},
    "sms-50": {"price": "0.99", "sms": 50},
    "todo": {"price": "6.00", "data_bytes": 2 * GB, "voice_minutes": 50, "sms": 20},
}
# Shares of mobile lines by first plan, in percent.
_WEIGHTS = {
    "dias-30": 16, "dias-30-libre": 9, "dias-7": 2, "mes": 17, "mes-social": 10, "mes-minutos": 10,
    "dias-90": 32, "dias-365": 4,
}  # fmt: skip


@dataclass
class KnownLine:
    """What the simulation remembers of a line."""

    pk: int
    phone_number: str
    mobile: bool
    prepaid: bool


@dataclass
class World:
    """State of the simulation. Everything random is drawn from `random`, always in the same order."""

    random: Random
    plans: list[Plan] = field(default_factory=list)
    packs: list[Pack] = field(default_factory=list)
    customers: list[Customer] = field(default_factory=list)
    lines: list[KnownLine] = field(default_factory=list)
    # Lines that, as far as the simulation knows, are not terminated.
    living: list[KnownLine] = field(default_factory=list)

    def offered(self, *, mobile: bool) -> list[Plan]:
        return [plan for plan in self.plans if (plan.product_type == "MOVIL") == mobile]

    def first_plan(self, line: KnownLine) -> Plan:
        offered = self.offered(mobile=line.mobile)
        return self.random.choices(offered, weights=[_WEIGHTS.get(plan.code, 1) for plan in offered])[0]

    def new_line(self) -> KnownLine:
        """Create a line without a plan for a random customer. Usually, create another customer first."""
        draw = self.random
        if not self.customers or draw.random() < 0.8:
            number = len(self.customers) + 1
            self.customers.append(
                Customer.objects.create(dni=f"17{number:08d}", full_name=f"Cliente {number}")
            )
        number = len(self.lines) + 1
        mobile, prepaid = draw.random() < 0.88, draw.random() < 0.22
        line = Line.objects.create(
            customer=draw.choice(self.customers),
            phone_number=f"09{number:08d}" if mobile else f"02{2_000_000 + number}",
            product_type="MOVIL" if mobile else "FIJO",
            prepaid=prepaid,
            auto_renew=draw.random() < 0.97,
        )
        limit = draw.choice(["0.00", "0.00", "5.00", "12.50"])
        Wallet.objects.create(line=line, balance_limit_usd=Decimal("0.00" if prepaid else limit))
        known = KnownLine(line.pk, line.phone_number, mobile, prepaid)
        self.lines.append(known)
        self.living.append(known)
        return known


def require_empty() -> None:
    """Raise DomainError if the database has rows that the simulation would mix with."""
    for model in _EMPTY:
        if model._default_manager.exists():
            raise DomainError(
                f"The database is not empty: it has {model._meta.verbose_name_plural}", reason="not_empty"
            )


def found_operator(random: Random) -> World:
    """Create taxes, plans, packs and a first discount."""
    world = World(random)
    TaxRate.objects.bulk_create(
        TaxRate(name="IVA", rate=Decimal(rate), valid_from=day) for rate, day in _TAX_RATES
    )
    for product_type, plans in (("MOVIL", _MOBILE), ("FIJO", _FIXED)):
        for code, terms in plans.items():
            plan = Plan(code=code, name=f"Plan {code}", product_type=product_type, **{**_COMMON, **terms})
            plan.save(force_insert=True)
            world.plans.append(Plan.objects.get(pk=plan.pk))
    for code, holds in _PACKS.items():
        pack = Pack.objects.create(code=code, name=f"Paquete {code}", product_type="MOVIL", **holds)
        world.packs.append(Pack.objects.get(pk=pack.pk))
    Discount.objects.create(
        name="Fundadores", percent=Decimal(10), plan=world.plans[0], valid_from=FIRST_DAY,
        valid_until=FIRST_DAY + timedelta(days=150),
    )  # fmt: skip
    return world


def moment_of_day(day: date, seconds: float = 0) -> datetime:
    """Return the moment that many elapsed seconds after the day's midnight, also where clocks change."""
    return midnight(day).astimezone(UTC) + timedelta(seconds=int(seconds))
