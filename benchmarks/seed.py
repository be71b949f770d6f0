"""A realistic operator: customers with lines, wallets and a current period; some with a year of invoices."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import models
from rest_framework.authtoken.models import Token

from benchmarks.scale import EVENT_SOURCE, Scale
from billing.invoicing.closing import bill_ended_periods
from billing.models import (
    EntryKind,
    Invoice,
    InvoiceStatus,
    Issuer,
    Payment,
    PaymentMethod,
    Wallet,
    WalletEntry,
)
from customers.models import TERMS, Customer, Line, Plan, ProductType, Subscription
from usage.models import UsageCounter, UsageEvent
from usage.vocabulary import COUNTER_FIELDS, DATA_CATEGORIES, Category

BALANCE = Decimal("12.75")
SPEND_LIMIT = Decimal(30)
PAST_PERIODS = 12
PERIOD = timedelta(days=30)
BATCH = 1_000

Row = TypeVar("Row", bound=models.Model)


@dataclass(frozen=True)
class Seeded:
    """Phone numbers to measure with, and the API token of a superuser."""

    token: str
    phone_numbers: list[str]
    billed_phone_numbers: list[str]


def seed(*, scale: Scale, at: datetime) -> Seeded:
    """Fill an empty, migrated database with `scale.lines` lines. The first `scale.billed_lines` of them have
    a year of billed and paid periods."""
    call_command("loaddata", "catalogue", verbosity=0)
    Issuer.objects.create(
        name="TelcoX S.A.", tax_id="1792345678001", verification_url="https://telcox.example/v/"
    )
    plans = list(Plan.objects.filter(product_type=ProductType.MOVIL).order_by("pk"))
    lines = _lines(scale.lines, at)
    past, current = [], []
    for position, line in enumerate(lines):
        *earlier, last = _periods(
            line, plans[position % len(plans)], PAST_PERIODS * (position < scale.billed_lines), at
        )
        past.extend(earlier)
        current.append(last)
    create([*past, *current])
    create(map(_counter, current))
    create(event for period in current for event in _events(period, at))
    if past:
        _bill(at)
    numbers = [line.phone_number for line in lines]
    return Seeded(_staff_token(), numbers, numbers[: scale.billed_lines])


def create(rows: Iterable[Row]) -> list[Row]:
    rows = list(rows)
    type(rows[0])._default_manager.bulk_create(rows, batch_size=BATCH)
    return rows


def _staff_token() -> str:
    staff = get_user_model().objects.create_superuser("benchmark", "benchmark@example.com", None)
    return Token.objects.create(user=staff).key


def _lines(wanted: int, at: datetime) -> list[Line]:
    customers = create(
        Customer(
            dni=f"{900_000_000 + i:010d}",
            full_name=f"Cliente {i}",
            email=f"cliente{i}@example.com",
            address=f"Av. 9 de Octubre {i}, Guayaquil",
        )
        for i in range(wanted)
    )
    lines = create(
        Line(customer=customer, phone_number=f"09{i:08d}", product_type=ProductType.MOVIL)
        for i, customer in enumerate(customers)
    )
    wallets = create(Wallet(line=line, balance_usd=BALANCE, balance_limit_usd=SPEND_LIMIT) for line in lines)
    create(
        WalletEntry(
            wallet=wallet,
            position=1,
            kind=EntryKind.ADJUSTMENT,
            amount=BALANCE,
            balance_after=BALANCE,
            reference=f"opening-{wallet.pk}",
            at=at,
        )
        for wallet in wallets
    )
    return lines


def _periods(line: Line, plan: Plan, past: int, at: datetime) -> Iterator[Subscription]:
    """Yield `past` ended periods, and then the current one."""
    first = at - timedelta(days=10) - past * PERIOD
    for sequence in range(1, past + 2):
        yield Subscription(
            line=line,
            customer=line.customer,
            spend_limit=SPEND_LIMIT,
            sequence=sequence,
            plan=plan,
            plan_name=plan.name,
            is_last=True if sequence > past else None,
            start_at=first + (sequence - 1) * PERIOD,
            expiration_at=first + sequence * PERIOD,
            cycle_start_at=first + (sequence - 1) * PERIOD,
            cycle_end_at=first + sequence * PERIOD,
            limit_bytes=plan.data_bytes,
            minutes_limit=plan.voice_minutes,
            sms_limit=plan.sms,
            **{field: getattr(plan, field) for field in TERMS},
        )


def _used(period: Subscription) -> dict[Category, int]:
    """Return a part of each allowance as used, a different share for different lines."""
    share = 1 + period.line_id % 9
    data = period.limit_bytes * share // 40
    return {
        **dict.fromkeys(DATA_CATEGORIES, data),
        Category.VOICE: period.minutes_limit * 60 * share // 10 + 1,
        Category.SMS: period.sms_limit * share // 10 + 1,
    }


def _counter(period: Subscription) -> UsageCounter:
    used = _used(period)
    amounts = {COUNTER_FIELDS[category]: amount for category, amount in used.items()}
    return UsageCounter(subscription=period, version=len(used), **amounts)


def _events(period: Subscription, at: datetime) -> Iterator[UsageEvent]:
    """Yield the events that add up to the counter, one a category."""
    for category, amount in _used(period).items():
        yield UsageEvent(
            source=EVENT_SOURCE,
            event_id=f"{period.line_id}-{category}",
            subscription=period,
            category=category,
            quantity=amount,
            occurred_at=period.start_at,
            ingested_at=at,
        )


def _bill(at: datetime) -> None:
    """Issue an invoice for each ended period, with a payment three days after the end."""
    for _ in bill_ended_periods(at=at):
        pass
    invoices = Invoice.objects.select_related("subscription")
    create(
        Payment(
            invoice=invoice,
            amount=invoice.total,
            payment_method=PaymentMethod.TRANSFERENCIA,
            paid_at=invoice.subscription.expiration_at + timedelta(days=3),
            reference=f"TR-{invoice.number}",
        )
        for invoice in invoices
        if invoice.subscription
    )
    invoices.update(status=InvoiceStatus.PAID)
