from typing import Any

from rest_framework import serializers

from customers.models import TERMS, Pack, Plan, ProductType
from telcox.common.web.fields import MoneyField


class CustomerSummaryOutput(serializers.Serializer[Any]):
    """What a customer sees first: `customers.bss.CustomerSummary`, described for the API document."""

    customer_id = serializers.IntegerField()
    dni = serializers.CharField()
    name = serializers.CharField()
    product_type = serializers.ChoiceField(choices=ProductType.choices)
    phone_number = serializers.CharField()
    balance_usd = MoneyField()
    balance_limit_usd = MoneyField()
    minutes_remaining = serializers.IntegerField()
    minutes_limit = serializers.IntegerField()


# The terms that leave a category of data free, and what the category is called.
_FREE = {name: name.removeprefix("zero_rated_").upper() for name in TERMS if name.startswith("zero_rated_")}


class PlanOutput(serializers.ModelSerializer[Plan]):
    """A plan on sale; prices in dollars before tax, price and allowance of a full period."""

    price = MoneyField()
    validity_days = serializers.IntegerField(
        help_text="How long a period is; 0: the calendar month, of which the first period is a part."
    )
    overage_price_per_gb = serializers.FloatField()
    overage_price_per_minute = serializers.FloatField()
    overage_price_per_sms = serializers.FloatField()
    overage_per_started_gb = serializers.BooleanField(help_text="Else to the millionth of a GB.")
    overage_per_started_minute = serializers.BooleanField(help_text="Else by the second.")
    data_stops = serializers.BooleanField(help_text="Nothing is sold beyond the allowance.")
    voice_stops = serializers.BooleanField(help_text="Nothing is sold beyond the allowance.")
    sms_stops = serializers.BooleanField(help_text="Nothing is sold beyond the allowance.")
    overage_beyond_spend_limit = serializers.BooleanField(
        help_text="Else overage stops where the line's spending limit is reached."
    )
    rollover_share = serializers.FloatField(help_text="Of what is unused, to the next period: 0.5 for half.")
    rollover_cap = serializers.FloatField(help_text="The most of it: 1 for as much as a full period has.")
    zero_rated = serializers.SerializerMethodField(help_text="Categories that no allowance is used for.")

    class Meta:
        model = Plan
        fields = (
            "code",
            "name",
            "product_type",
            "price",
            "data_bytes",
            "voice_minutes",
            "sms",
            "validity_days",
            "overage_price_per_gb",
            "overage_price_per_minute",
            "overage_price_per_sms",
            "overage_per_started_gb",
            "overage_per_started_minute",
            "data_stops",
            "voice_stops",
            "sms_stops",
            "overage_beyond_spend_limit",
            "rollover_share",
            "rollover_cap",
            "zero_rated",
        )
        read_only_fields = fields

    def get_zero_rated(self, plan: Plan) -> list[str]:
        return [category for name, category in _FREE.items() if getattr(plan, name)]


class PlanListOutput(serializers.Serializer[Any]):
    items = PlanOutput(many=True)


class PackOutput(serializers.ModelSerializer[Pack]):
    """A pack on sale: more for the rest of a period; the price in dollars before tax."""

    price = MoneyField()

    class Meta:
        model = Pack
        fields = ("code", "name", "product_type", "price", "data_bytes", "voice_minutes", "sms")
        read_only_fields = fields


class PackListOutput(serializers.Serializer[Any]):
    items = PackOutput(many=True)
