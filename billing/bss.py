"""The BSS that TelcoX is by itself: balances from the wallet, minutes from the counters."""

from decimal import Decimal

from customers.bss import CustomerSummary, UnknownSubscriber
from customers.models import Line
from usage.models import started_minutes


class LocalGateway:
    def summary(self, phone_number: str) -> CustomerSummary:
        """One query: the line, and of its periods the last, if it has any."""
        row = (
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
            )
            .first()
        )
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
