"""Lines as their tests want them."""

from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from billing.models import Wallet, WalletEntry
from billing.sales.services import activate_subscription
from billing.wallets import adjust_wallet
from customers.models import (
    Customer,
    Line,
    LineEvent,
    Pack,
    Plan,
    PlanChange,
    SoldPack,
    Subscription,
    Suspension,
)

LAST_WEEK = timedelta(days=7)


def new_line(number: str, *, prepaid: bool = False) -> Line:
    customer = Customer.objects.get(dni="0929668846")
    return Line.objects.create(customer=customer, phone_number=number, product_type="MOVIL", prepaid=prepaid)


def running_line() -> Line:
    """With a plan for a week now."""
    line = new_line("0955555555")
    activate_subscription(line=line, plan=plan("movil-15"), at=timezone.now() - LAST_WEEK)
    return now(line)


def running_prepaid_line() -> Line:
    """With 20.00 left, and a plan for a week now."""
    line = new_line("0966666666", prepaid=True)
    fund(line, "29.20")
    activate_subscription(line=line, plan=plan("prepago-8"), at=timezone.now() - LAST_WEEK)
    return now(line)


def fund(line: Line, dollars: str) -> None:
    Wallet.objects.create(line=line)
    adjust_wallet(
        line=line, amount=Decimal(dollars), reference=f"given-{line}", at=timezone.now() - LAST_WEEK
    )


def plan(code: str) -> Plan:
    return Plan.objects.get(code=code)


def pack(code: str = "extra-1") -> Pack:
    return Pack.objects.get(code=code)


def now(line: Line) -> Line:
    line.refresh_from_db()
    return line


def changed_by(step) -> bool:
    """Whether anything of a line changed."""
    models = (Line, LineEvent, Subscription, PlanChange, SoldPack, Suspension, Wallet, WalletEntry)

    def everything() -> list[object]:
        return [list(model._default_manager.order_by("pk").values()) for model in models]

    before = everything()
    step()
    return everything() != before
