"""Serializers of orders on a line (plan change, pack) and their results, and of a line's subscription."""

from typing import Any

from rest_framework import serializers

from billing.models.wallets import VISIBLE
from customers.models import LineStatus
from telcox.common.web.fields import (
    MomentField,
    MoneyField,
    StrictBooleanField,
    StrictChoiceField,
    StrictIntegerField,
    StrictStringField,
)
from telcox.common.web.serializers import InputSerializer, NothingElse
from usage.vocabulary import Resource

NOW, PERIOD_END = "now", "period_end"


class OrderInput(NothingElse, InputSerializer):
    """An order; unknown members are refused, since a misspelt `dry_run` would buy."""

    dry_run = StrictBooleanField(
        default=False, help_text="True: answer with the result and change nothing (dry run)."
    )


class PlanChangeInput(OrderInput):
    """An order for another plan. Unknown members are refused."""

    plan = StrictStringField(
        max_length=50, trim_whitespace=False, help_text="Code of a plan on sale (see `/api/plans`)."
    )
    when = StrictChoiceField(
        choices=[NOW, PERIOD_END],
        default=NOW,
        help_text="`now`, or `period_end`: when the current period ends.",
    )
    version = StrictIntegerField(
        required=False,
        min_value=0,
        help_text="The line's `version` as last read: refused with 409 if the line has changed since.",
    )


class PackInput(OrderInput):
    """An order for a pack. Unknown members are refused."""

    pack = StrictStringField(
        max_length=50, trim_whitespace=False, help_text="Code of a pack on sale (see `/api/packs`)."
    )
    reference = StrictStringField(
        max_length=64,
        trim_whitespace=False,
        validators=[VISIBLE],
        help_text=(
            "Idempotency key of the purchase: sent again, nothing is bought again. Visible characters only."
        ),
    )


class AllowanceOutput(serializers.Serializer[Any]):
    """An allowance: bytes of data, minutes, messages."""

    data_bytes = serializers.IntegerField()
    voice_minutes = serializers.IntegerField()
    sms = serializers.IntegerField()


class LimitsOutput(serializers.Serializer[Any]):
    """Total allowance of a period: included, carried in, and from packs."""

    data_bytes = serializers.IntegerField(source="limit_bytes")
    voice_minutes = serializers.IntegerField(source="minutes_limit")
    sms = serializers.IntegerField(source="sms_limit")


class BilledPeriodOutput(serializers.Serializer[Any]):
    """The period that a bill is for."""

    start_at = MomentField()
    expiration_at = MomentField()
    plan = serializers.CharField(source="plan.code")
    plan_name = serializers.CharField(help_text="Name of the plan when the period was sold.")
    limits = LimitsOutput(source="*")


class BillLineOutput(serializers.Serializer[Any]):
    """One thing charged for; amounts in dollars."""

    kind = serializers.ChoiceField(choices=["PLAN", "PACK", "DATA", "VOICE", "SMS"])
    name = serializers.CharField()
    unit = serializers.ChoiceField(choices=["PERIOD", "PACK", "GB", "MINUTE", "SMS"])
    quantity = serializers.FloatField()
    unit_price = serializers.FloatField()
    amount = MoneyField(help_text="quantity × unit_price, in whole cents.")
    discount = MoneyField()
    tax = MoneyField()
    late_for = serializers.CharField(
        source="late.month",
        allow_null=True,
        default=None,
        help_text="Late usage: the month in which it happened; null for other lines.",
    )


class BillOutput(serializers.Serializer[Any]):
    """What a period costs as of now, in dollars. Its invoice has the same lines."""

    period = BilledPeriodOutput()
    lines = BillLineOutput(many=True, source="rated.lines")
    subtotal = MoneyField(source="rated.subtotal")
    discount = MoneyField(source="rated.discount")
    tax = MoneyField(source="rated.tax")
    total = MoneyField(source="rated.total")


class OrderOutput(serializers.Serializer[Any]):
    dry_run = serializers.BooleanField()
    version = serializers.IntegerField(
        help_text="The line's version after the order; of a dry run, the version to order with."
    )
    bills = BillOutput(many=True, source="sale.bills")
    prepaid = serializers.BooleanField()
    charged = MoneyField(
        source="sale.charged",
        help_text="Charged to the wallet now, in dollars; negative: refunded; 0: it will be invoiced.",
    )
    balance_usd = MoneyField(help_text="Balance of the wallet after the order.")


class PlanChangeOutput(OrderOutput):
    """Result of a plan change; `bills` has the period that ends and the one that starts."""

    plan = serializers.CharField(source="offer.code")
    when = serializers.SerializerMethodField()
    effective_at = MomentField()

    def get_when(self, ordered: Any) -> str:
        return PERIOD_END if ordered.sale.change.at_period_end else NOW


class PackOrderOutput(OrderOutput):
    """Result of buying a pack; `bills` has the period that the pack is for."""

    pack = serializers.CharField(source="offer.code")
    reference = serializers.CharField(source="sale.pack.reference")
    repeated = serializers.BooleanField(
        source="sale.repeated", help_text="True: already bought with this reference; nothing was changed now."
    )
    limits = serializers.SerializerMethodField()

    def get_limits(self, ordered: Any) -> dict[str, int]:
        return LimitsOutput(ordered.sale.bills[0].period).data


class BoughtPackOutput(serializers.Serializer[Any]):
    """A pack of the current period."""

    pack = serializers.CharField(
        source="pack.code",
        allow_null=True,
        default=None,
        help_text="Code of the pack; null for what was left of packs when the plan was changed.",
    )
    name = serializers.CharField()
    price = MoneyField()
    data_bytes = serializers.IntegerField()
    voice_minutes = serializers.IntegerField()
    sms = serializers.IntegerField()
    bought_at = MomentField()
    reference = serializers.CharField()


class UsedSoFarOutput(serializers.Serializer[Any]):
    """Usage of the current period so far."""

    data_bytes = serializers.IntegerField(help_text="Data that counts against the allowance.")
    zero_rated_bytes = serializers.IntegerField(help_text="Zero-rated data, which uses up no allowance.")
    voice_seconds = serializers.IntegerField()
    sms = serializers.IntegerField()


class PresentPeriodOutput(serializers.Serializer[Any]):
    """The current period; `limits` = `included` + `carried_in` + packs."""

    sequence = serializers.IntegerField(source="bill.period.sequence")
    start_at = MomentField(source="bill.period.start_at")
    expiration_at = MomentField(source="bill.period.expiration_at")
    expired = serializers.BooleanField(help_text="True: the period has ended and no other has started.")
    plan = serializers.CharField(source="bill.period.plan.code")
    plan_name = serializers.CharField(
        source="bill.period.plan_name", help_text="Name of the plan when the period was sold."
    )
    price = MoneyField(
        source="bill.period.price",
        help_text="Price when it was sold, in dollars before tax, for a full period.",
    )
    limits = LimitsOutput(source="bill.period")
    included = AllowanceOutput()
    carried_in = AllowanceOutput()
    packs = BoughtPackOutput(many=True)


class PendingChangeOutput(serializers.Serializer[Any]):
    """A plan change that waits for the end of the current period."""

    plan = serializers.CharField(source="change.plan.code")
    plan_name = serializers.CharField(source="change.plan.name")
    asked_at = MomentField(source="change.asked_at")
    effective_at = MomentField()


class SubscriptionOutput(serializers.Serializer[Any]):
    """A line's subscription as of now. If the line never had a period, the fields of the period are null."""

    phone_number = serializers.CharField(source="line.phone_number")
    status = serializers.ChoiceField(source="line.status", choices=LineStatus.choices)
    prepaid = serializers.BooleanField(source="line.prepaid")
    auto_renew = serializers.BooleanField(source="line.auto_renew")
    ends_with_period = serializers.BooleanField(source="line.ends_with_period")
    version = serializers.IntegerField(
        source="line.version", help_text="Version of the line; a plan change may name it."
    )
    period = PresentPeriodOutput(source="present", allow_null=True)
    used = UsedSoFarOutput(source="present.used", allow_null=True)
    left = AllowanceOutput(
        source="present.left", allow_null=True, help_text="Allowance that is left. Null: no period."
    )
    stopped = serializers.ListField(
        child=serializers.ChoiceField(choices=Resource.choices),
        help_text=(
            "Services that cannot be used now: the allowance is used up and there is no overage, because the"
            " plan stops it, the line is prepaid, or the spending limit is reached. Zero-rated data "
            "continues. All services if the line has no period, or a prepaid period has ended."
        ),
    )
    spend_limit = MoneyField(
        source="present.spend_limit",
        allow_null=True,
        help_text="Spending limit: the most that packs and overage may cost in a period; null: no limit.",
    )
    pending_change = PendingChangeOutput(
        allow_null=True, help_text="Plan change at the end of the current period; null: none."
    )
    bill_so_far = BillOutput(source="present.bill", allow_null=True)
