from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from customers.models import TERMS, Pack, Plan, ProductType
from telcox.common.web.fields import MoneyField


class CustomerSummaryOutput(serializers.Serializer[Any]):
    """What a customer sees first: `customers.bss.CustomerSummary`, described for the API document."""

    customer_id = serializers.IntegerField()
    dni = serializers.CharField(help_text="DNI or RUC.")
    name = serializers.CharField()
    product_type = serializers.ChoiceField(choices=ProductType.choices)
    phone_number = serializers.CharField()
    balance_usd = MoneyField(help_text="Balance of the wallet, in dollars.")
    balance_limit_usd = MoneyField(help_text="Spending limit, in dollars.")
    minutes_remaining = serializers.IntegerField(help_text="Minutes left of the current period.")
    minutes_limit = serializers.IntegerField(help_text="Minutes included in the current period.")


# The terms that leave a category of data free, and what the category is called.
_FREE = {name: name.removeprefix("zero_rated_").upper() for name in TERMS if name.startswith("zero_rated_")}


class PlanOutput(serializers.ModelSerializer[Plan]):
    """A plan on sale; prices in dollars before tax, price and allowance of a full period."""

    price = MoneyField(help_text="In dollars before tax, for a full period.")
    validity_days = serializers.IntegerField(
        help_text="Length of a period in days; 0: the calendar month, with a shorter first period."
    )
    overage_price_per_gb = serializers.FloatField()
    overage_price_per_minute = serializers.FloatField()
    overage_price_per_sms = serializers.FloatField()
    overage_per_started_gb = serializers.BooleanField(
        help_text="True: each started GB is charged. False: to the millionth of a GB."
    )
    overage_per_started_minute = serializers.BooleanField(
        help_text="True: each started minute is charged. False: by the second."
    )
    data_stops = serializers.BooleanField(help_text="True: no data overage; data stops at the allowance.")
    voice_stops = serializers.BooleanField(help_text="True: no voice overage; calls stop at the allowance.")
    sms_stops = serializers.BooleanField(help_text="True: no SMS overage; SMS stop at the allowance.")
    overage_beyond_spend_limit = serializers.BooleanField(
        help_text="True: overage continues beyond the line's spending limit. False: it stops there."
    )
    rollover_share = serializers.FloatField(
        help_text="Share of the unused allowance that goes to the next period: 0.5 for half."
    )
    rollover_cap = serializers.FloatField(
        help_text="Most that is rolled over, as a share of the plan's allowance: 1 for one full period."
    )
    zero_rated = serializers.SerializerMethodField(help_text="Categories of data that use up no allowance.")

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


@extend_schema_serializer(many=False)  # the answer of a list, and not a list of such
class PlanListOutput(serializers.Serializer[Any]):
    items = PlanOutput(many=True)


class PackOutput(serializers.ModelSerializer[Pack]):
    """A pack on sale: more for the rest of a period; the price in dollars before tax."""

    price = MoneyField()

    class Meta:
        model = Pack
        fields = ("code", "name", "product_type", "price", "data_bytes", "voice_minutes", "sms")
        read_only_fields = fields


@extend_schema_serializer(many=False)  # the answer of a list, and not a list of such
class PackListOutput(serializers.Serializer[Any]):
    items = PackOutput(many=True)
