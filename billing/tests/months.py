"""Lines that have had month after month, none of which is billed: for runs to bill."""

import hashlib
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.core.management import call_command
from django.utils import timezone

from billing.models import (
    BillingChunk,
    BillingRun,
    EntryKind,
    Invoice,
    InvoiceSeries,
    ParkedBill,
    Wallet,
    WalletEntry,
)
from billing.runs.running import bill_open_chunks, start_run
from billing.tests.outcome import outcome
from customers.models import TERMS, Customer, Line, Pack, Plan, SoldPack, Subscription
from telcox.common.calendar import midnight
from usage.models import UsageCounter

MONEY = Decimal("90000.00")
# Years before today: what has not begun is not billed.
FIRST_YEAR = 2020
BEGIN = date(FIRST_YEAR, 1, 1)
GB = 2**30
BATCH = 1_000


def months(count: int) -> list[str]:
    """`2020-01` and so on."""
    return [f"{FIRST_YEAR + number // 12}-{number % 12 + 1:02d}" for number in range(count)]


def an_operator(*, lines: int, months_each: int) -> None:
    """Overage, packs, prepaid lines, and every now and then a bill that is broken or suspicious."""
    call_command("loaddata", "catalogue", verbosity=0)
    InvoiceSeries.objects.get_or_create(prefix="001-001")
    plan, pack = Plan.objects.get(code="pospago-20"), Pack.objects.order_by("pk").first()
    customer = Customer.objects.create(dni="0900000000", full_name="Somebody")
    made = Line.objects.bulk_create(
        (
            Line(
                customer=customer,
                phone_number=f"09{number:08d}",
                product_type="MOVIL",
                prepaid=number % 5 == 0,
                auto_renew=False,
            )
            for number in range(lines)
        ),
        batch_size=BATCH,
    )
    _fill_wallets(made)
    periods = Subscription.objects.bulk_create(
        (
            _period(line, plan, number, month, last=number == months_each)
            for line in made
            for number, month in enumerate(months(months_each), start=1)
        ),
        batch_size=BATCH,
    )
    SoldPack.objects.bulk_create(
        (
            SoldPack(
                subscription=period,
                pack=pack,
                name="1 GB más",
                price=Decimal("4.00"),
                data_bytes=GB,
                bought_at=period.start_at,
                reference=f"pack-{period.pk}",
            )
            for period in periods
            if period.pk % 2
        ),
        batch_size=BATCH,
    )
    UsageCounter.objects.bulk_create(
        (
            UsageCounter(
                subscription=period,
                version=1,
                used_social_bytes=period.limit_bytes + (500 if period.pk % 97 == 0 else period.pk % 7) * GB,
                used_voice_seconds=period.minutes_limit * 60 + period.pk % 1_000,
            )
            for period in periods
        ),
        batch_size=BATCH,
    )


def _fill_wallets(lines: list[Line]) -> None:
    wallets = Wallet.objects.bulk_create(
        (Wallet(line=line, balance_usd=MONEY) for line in lines if line.prepaid), batch_size=BATCH
    )
    WalletEntry.objects.bulk_create(
        (
            WalletEntry(
                wallet=wallet,
                position=1,
                kind=EntryKind.ADJUSTMENT,
                amount=MONEY,
                balance_after=MONEY,
                reference=f"opening-{wallet.pk}",
                at=midnight(BEGIN),
            )
            for wallet in wallets
        ),
        batch_size=BATCH,
    )


def _period(line: Line, plan: Plan, number: int, month: str, *, last: bool) -> Subscription:
    begin = datetime.fromisoformat(f"{month}-01").date()
    end = (begin + timedelta(days=31)).replace(day=1)
    return Subscription(
        line=line,
        customer=line.customer,
        sequence=number,
        plan=plan,
        plan_name=plan.name,
        prepaid=line.prepaid,
        is_last=True if last else None,
        start_at=midnight(begin),
        expiration_at=midnight(end),
        cycle_start_at=midnight(begin),
        cycle_end_at=midnight(end),
        limit_bytes=plan.data_bytes,
        minutes_limit=plan.voice_minutes,
        sms_limit=plan.sms,
        discounts=[{"name": "broken"}] if (line.pk + number) % 101 == 0 else [],
        **{field: getattr(plan, field) for field in TERMS},
    )


def bill_undisturbed(count: int) -> None:
    for month in months(count):
        for _ in bill_open_chunks(run=start_run(period=month, at=timezone.now())):
            pass


def account() -> Iterator[str]:
    """What it all came to, to be compared; and whether numbers have a gap, and runs know what they did."""
    parked = ParkedBill.objects.values_list(
        "subscription__line__phone_number", "subscription__sequence", "reason", "total", "is_open"
    )
    everything = repr((outcome(), sorted(parked, key=str)))
    yield hashlib.sha256(everything.encode()).hexdigest()
    numbers = list(Invoice.objects.order_by("number").values_list("number", flat=True))
    gapless = numbers == list(range(1, len(numbers) + 1))
    yield f"gapless {gapless and InvoiceSeries.objects.get(prefix='001-001').last_number == len(numbers)}"
    for run in BillingRun.objects.order_by("period"):
        billed = Invoice.objects.filter(period=run.period)
        chunks = BillingChunk.objects.filter(run=run)
        invoices = sum(chunks.values_list("invoices", flat=True))
        total = sum(chunks.values_list("total", flat=True))
        right = (invoices, total) == (billed.count(), sum(billed.values_list("total", flat=True)))
        aside = sum(chunks.values_list("parked", flat=True)) == run.parked.count()
        yield f"{run.period} {run.state} {invoices} {total} {right} {aside}"
