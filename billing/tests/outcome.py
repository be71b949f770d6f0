"""What a billing system comes to, so that two runs can be compared."""

from typing import Any

from billing.models import Invoice, InvoiceLine, Payment, WalletEntry
from customers.models import Line, LineEvent, Subscription

_LINE = "line__phone_number"
_PERIOD = (_LINE, "sequence", "plan_name", "price", "start_at", "expiration_at")
_LIMITS = ("limit_bytes", "minutes_limit", "sms_limit", "is_last", "unbilled")


def outcome() -> dict[str, list[Any]]:
    """Lines, periods, bills and money; without keys and numbers, which say in what order things were done."""
    return {
        "lines": _rows(Line, "phone_number", "status", "version"),
        "periods": _rows(Subscription, *_PERIOD, *_LIMITS),
        "bills": _rows(Invoice, "phone_number", "period", "subtotal", "discount", "tax", "total", "status"),
        "charged": _rows(InvoiceLine, "invoice__phone_number", "description", "quantity", "amount", "tax"),
        "payments": _rows(Payment, "invoice__phone_number", "invoice__period", "amount"),
        "money": _rows(WalletEntry, "wallet__line__phone_number", "position", "kind", "amount"),
        "history": _rows(LineEvent, _LINE, "step", "detail"),
    }


def _rows(model: Any, *columns: str) -> list[Any]:
    return sorted(model.objects.values_list(*columns), key=str)
