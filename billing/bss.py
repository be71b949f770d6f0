"""Built-in BSS: balances from wallets, minutes from counters."""

from decimal import Decimal
from typing import Any

from django.db.models import QuerySet

from customers.bss import CustomerSummary, UnknownSubscriber
from customers.models import Line
from telcox.common.database.prepared import PreparedQuery, Row
from usage.vocabulary import started_minutes


@PreparedQuery
def _line_and_last_period(phone_number: Any) -> QuerySet[Line, Row]:
    return (
        Line.objects.filter(phone_number=phone_number)
        .order_by("-subscriptions__sequence")
        .values(
            "customer_id",
            "customer__dni",
            "customer__full_name",
            "product_type",
            "wallet__balance_usd",
            "wallet__balance_limit_usd",
            "subscriptions__minutes_limit",
            "subscriptions__usage_counter__used_voice_seconds",
        )[:1]
    )


class LocalGateway:
    def summary(self, phone_number: str) -> CustomerSummary:
        """Return the summary, in one query of the line and its last period. Raise UnknownSubscriber if
        no line has the number."""
        row = _line_and_last_period.first(phone_number=phone_number)
        if row is None:
            raise UnknownSubscriber
        minutes_limit = row["subscriptions__minutes_limit"] or 0
        used = started_minutes(row["subscriptions__usage_counter__used_voice_seconds"] or 0)
        return CustomerSummary(
            customer_id=row["customer_id"],
            dni=row["customer__dni"],
            name=row["customer__full_name"],
            product_type=row["product_type"],
            phone_number=phone_number,
            balance_usd=row["wallet__balance_usd"] or Decimal(0),
            balance_limit_usd=row["wallet__balance_limit_usd"] or Decimal(0),
            minutes_remaining=max(0, minutes_limit - used),
            minutes_limit=minutes_limit,
        )
