from typing import Any

from rest_framework import serializers

from customers.models import Plan, ProductType
from telcox.common.fields import MoneyField


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


class PlanOutput(serializers.ModelSerializer[Plan]):
    """A plan on sale; prices in dollars before tax."""

    price = MoneyField()
    overage_price_per_gb = serializers.FloatField()
    overage_price_per_minute = serializers.FloatField()
    overage_price_per_sms = serializers.FloatField()

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
        )
        read_only_fields = fields


class PlanListOutput(serializers.Serializer[Any]):
    items = PlanOutput(many=True)
