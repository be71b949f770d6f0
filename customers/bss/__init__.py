"""The port to the operator's business support system (BSS), which knows balances and minutes.

Adapters: `customers.bss.http.HttpGateway` asks the operator's own BSS; `billing.bss.LocalGateway` reads
TelcoX's wallets and counters. The setting BSS_GATEWAY names the adapter by its dotted path, as in Django's
CACHES.
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, Protocol, cast

from django.conf import settings
from django.utils.module_loading import import_string

from telcox.common.errors import NotFound


@dataclass(frozen=True)
class CustomerSummary:
    """Summary of a customer's line. Money is in dollars."""

    customer_id: int
    dni: str
    name: str
    product_type: str
    phone_number: str
    balance_usd: Decimal
    balance_limit_usd: Decimal
    minutes_remaining: int
    minutes_limit: int

    def shown(self) -> dict[str, Any]:
        """Return the summary as a JSON object, with money as numbers."""
        return {
            **vars(self),
            "balance_usd": float(self.balance_usd),
            "balance_limit_usd": float(self.balance_limit_usd),
        }


class Gateway(Protocol):
    def summary(self, phone_number: str) -> CustomerSummary:
        """Return the summary of the line with this (national) number.

        Raise UnknownSubscriber if the BSS knows no such number, BadGateway if its answer is invalid,
        GatewayTimeout if it takes too long.
        """
        ...


class UnknownSubscriber(NotFound):
    reason = "unknown_subscriber"

    def __init__(self) -> None:
        super().__init__("Customer not found")


def gateway() -> Gateway:
    """Return the adapter in use; it is created once in a process."""
    return _gateway(settings.BSS_GATEWAY)


@cache
def _gateway(path: str) -> Gateway:
    return cast(Gateway, import_string(path)())
