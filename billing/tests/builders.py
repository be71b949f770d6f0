"""Builders of the tests of billing: moments, use, and what is said of them."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import pytest
from django.utils import timezone

from billing.models import Wallet
from billing.sales.services import activate_subscription
from billing.wallets import adjust_wallet
from customers.models import Line, Pack, Plan, Subscription
from telcox.common.errors import DomainError
from usage.services import record_usage
from usage.vocabulary import Category

MakePlan = Callable[..., Plan]
MakePack = Callable[..., Pack]


def moment(text: str) -> datetime:
    """`2026-11-24 15:00` on the operator's clock."""
    naive = datetime.fromisoformat(text)
    return naive.replace(tzinfo=timezone.get_default_timezone())


def periods(line: Line) -> list[Subscription]:
    return list(line.subscriptions.order_by("sequence"))


def fresh(line: Line) -> Line:
    return Line.objects.get(pk=line.pk)


def sold(line: Line, code: str = "pospago-20", at: str = "2026-11-01 00:00") -> Line:
    """Sell the line a plan of the catalogue."""
    activate_subscription(line=fresh(line), plan=Plan.objects.get(code=code), at=moment(at))
    return fresh(line)


def leave_other_lines_alone() -> None:
    """Neither renew nor bill the lines that are there: only the lines of the test have periods."""
    Line.objects.update(auto_renew=False)
    Subscription.objects.update(unbilled=None)


def use(line: Line, gigabytes: float, at: datetime) -> None:
    quantity = int(gigabytes * 2**30)
    record_usage(
        phone_number=line.phone_number, category=Category.SOCIAL, quantity=quantity, source="t", at=at
    )


def balance(line: Line) -> Decimal:
    return Wallet.objects.get(line=line).balance_usd


def spend_balances(at: datetime) -> None:
    """Empty the wallets of post-paid lines: what is on them would pay the invoices that are issued next."""
    for wallet in Wallet.objects.filter(line__prepaid=False, balance_usd__gt=0).select_related("line"):
        adjust_wallet(
            line=wallet.line, amount=-wallet.balance_usd, reference=f"spent-{wallet.line}", at=at, by=""
        )


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(DomainError) as refused:
        call()
    return refused.value.reason
