"""Orders of plans and packs on a line, or their dry runs, with the result."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial

from django.db.models import prefetch_related_objects

from billing.models import Wallet
from billing.sales.renewal import renew_line
from billing.sales.services import Sale, buy_pack, change_plan, schedule_plan_change
from customers.lifecycle import lock_line
from customers.models import Line, Pack, Plan
from telcox.common.database.dry_run import commit_unless_dry_run
from telcox.common.database.retrying import retry_lost_locks

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Ordered:
    """Result of an order, or of its dry run (`dry_run`). `version` is the line's after the order; after a dry
    run it is the one to order with. `balance_usd` is the wallet's balance after the order."""

    offer: Plan | Pack
    dry_run: bool
    sale: Sale
    version: int
    prepaid: bool
    balance_usd: Decimal

    @property
    def happened(self) -> bool:
        return not self.dry_run and not self.sale.repeated

    @property
    def effective_at(self) -> datetime:
        return self.sale.bills[-1].period.start_at


def order_plan(
    *, line: Line, plan: Plan, at_period_end: bool, dry_run: bool, clock: Clock, by: str = ""
) -> Ordered:
    """Change the line's plan, now or from its next period on. Raise DomainError as `change_plan` and
    `schedule_plan_change` do."""
    sell = schedule_plan_change if at_period_end else change_plan
    return _order(line, plan, partial(sell, plan=plan, by=by), dry_run, clock)


def order_pack(
    *, line: Line, pack: Pack, reference: str, dry_run: bool, clock: Clock, by: str = ""
) -> Ordered:
    """Buy a pack for the line's current period. Raise DomainError as `buy_pack` does."""
    sell = partial(buy_pack, pack=pack, reference=reference, by=by)
    return _order(line, pack, sell, dry_run, clock)


def _order(line: Line, offer: Plan | Pack, sell: Callable[..., Sale], dry_run: bool, clock: Clock) -> Ordered:
    def work() -> Ordered:
        before = lock_line(line)
        # Read the clock only under the lock, so that of two orders the later one has the later time.
        at = clock()
        # If the next period is due, begin it before the order is applied.
        is_as_seen = before.version == line.version
        seen = lock_line(line) if is_as_seen and renew_line(line=line, at=at) else line
        sale = sell(line=seen, at=at)
        # Read all that is shown here, while a dry run's rows still exist.
        prefetch_related_objects([bill.period for bill in sale.bills], "plan")
        wallet = Wallet.objects.filter(line=line).first()
        return Ordered(
            offer=offer,
            dry_run=dry_run,
            sale=sale,
            version=before.version
            if dry_run
            else Line.objects.values_list("version", flat=True).get(pk=line.pk),
            prepaid=before.prepaid,
            balance_usd=wallet.balance_usd if wallet else Decimal(0),
        )

    return retry_lost_locks(lambda: commit_unless_dry_run(work, dry_run=dry_run))
