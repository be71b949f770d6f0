"""How a document is shown, with what it was reckoned from."""

from typing import Any

from rest_framework import serializers

from billing.api.orders import AllowanceOutput
from billing.models import Invoice, InvoiceKind, InvoiceLine, InvoiceStatus, Payment
from telcox.common.calendar import local_date
from telcox.common.web.fields import MomentField, MoneyField
from usage.api.serializers import AmountsOutput
from usage.vocabulary import DATA_FIELDS


class DocumentLineOutput(serializers.ModelSerializer[InvoiceLine]):
    quantity = serializers.FloatField()
    unit_price = serializers.FloatField()
    amount = MoneyField(
        help_text="quantity × unit_price in whole cents; of late usage the difference of two."
    )
    discount = MoneyField()
    tax = MoneyField()
    total = serializers.SerializerMethodField()
    late_for = serializers.SerializerMethodField(
        help_text="The month of the period whose use it is, where that arrived after it was billed."
    )

    class Meta:
        model = InvoiceLine
        fields = (
            "position",
            "description",
            "quantity",
            "unit",
            "unit_price",
            "amount",
            "discount",
            "tax",
            "total",
            "late_for",
        )
        read_only_fields = fields

    def get_total(self, line: InvoiceLine) -> float:
        return float(line.amount - line.discount + line.tax)

    def get_late_for(self, line: InvoiceLine) -> str | None:
        return f"{local_date(line.late_for.start_at):%Y-%m}" if line.late_for else None


class DocumentPaymentOutput(serializers.ModelSerializer[Payment]):
    payment_method = serializers.CharField()
    amount = MoneyField(help_text="Less than nothing where a payment was taken back.")
    paid_at = MomentField()
    reversal = serializers.SerializerMethodField(help_text="It takes an earlier payment back.")

    class Meta:
        model = Payment
        fields = ("payment_method", "paid_at", "amount", "reversal")
        read_only_fields = fields

    def get_reversal(self, payment: Payment) -> bool:
        return payment.reverses_id is not None


class DocumentNameOutput(serializers.ModelSerializer[Invoice]):
    number = serializers.CharField(source="full_number")
    total = MoneyField()

    class Meta:
        model = Invoice
        fields = ("id", "number", "period", "total")
        read_only_fields = fields


class TermsOutput(serializers.Serializer[Any]):
    """What was sold; prices before tax, the plan's for a full period."""

    plan_name = serializers.CharField()
    price = MoneyField()
    overage_price_per_gb = serializers.FloatField()
    overage_price_per_minute = serializers.FloatField()
    overage_price_per_sms = serializers.FloatField()
    overage_per_started_gb = serializers.BooleanField()
    overage_per_started_minute = serializers.BooleanField()
    data_stops = serializers.BooleanField()
    voice_stops = serializers.BooleanField()
    sms_stops = serializers.BooleanField()
    overage_beyond_spend_limit = serializers.BooleanField()


class ReckonedPackOutput(AllowanceOutput):
    name = serializers.CharField()
    price = MoneyField()


class ReckonedDiscountOutput(serializers.Serializer[Any]):
    name = serializers.CharField()
    percent = serializers.FloatField()
    amount = MoneyField(help_text="Off a full period; a part of it gets its days' share.")


class LostDaysOutput(serializers.Serializer[Any]):
    def get_fields(self) -> Any:
        # Named by a word that Python keeps for itself.
        return {"from": serializers.DateField(source="0"), "until": serializers.DateField(source="1")}


class SpanOutput(serializers.Serializer[Any]):
    """The days that were billed, of the full period they are a part of; the ends are not included."""

    start = serializers.DateField()
    end = serializers.DateField()
    cycle_start = serializers.DateField()
    cycle_end = serializers.DateField()


class ReckoningOutput(serializers.Serializer[Any]):
    """All that the lines were reckoned from (docs/rating.md)."""

    span = SpanOutput(source="facts.span")
    terms = TermsOutput(source="facts.terms")
    used = AmountsOutput()
    zero_rated = serializers.ListField(
        child=serializers.ChoiceField(choices=DATA_FIELDS),
        help_text="Of what was used, what does not count against the allowance.",
    )
    granted = AllowanceOutput(help_text="What might be used: included, carried in, and in packs.")
    included = AllowanceOutput(help_text="The plan's, for these days.")
    carried_in = AllowanceOutput(source="facts.changes.carried_in")
    carried_out = AllowanceOutput(
        source="facts.changes.carried_out", help_text="Given to the next period before it was billed."
    )
    packs = ReckonedPackOutput(source="facts.changes.packs", many=True)
    suspended = LostDaysOutput(source="facts.changes.lost", many=True)
    discounts = ReckonedDiscountOutput(source="facts.changes.discounts", many=True)
    extra_discount = MoneyField(source="facts.changes.extra_discount", help_text="Given for this bill alone.")
    spend_limit = MoneyField(source="facts.changes.spend_limit", allow_null=True)
    prepaid = serializers.BooleanField(source="facts.changes.prepaid")


class DocumentOutput(serializers.Serializer[Any]):
    """An invoice or a credit note."""

    id = serializers.IntegerField(source="invoice.pk")
    kind = serializers.ChoiceField(source="invoice.kind", choices=InvoiceKind.choices)
    number = serializers.CharField(source="invoice.full_number")
    status = serializers.ChoiceField(source="invoice.status", choices=InvoiceStatus.choices)
    period = serializers.CharField(source="invoice.period")
    issued_at = MomentField(source="invoice.issued_at")
    due_on = serializers.DateField(source="invoice.due_on")
    phone_number = serializers.CharField(source="invoice.phone_number")
    customer_dni = serializers.CharField(source="invoice.customer_dni")
    customer_name = serializers.CharField(source="invoice.customer_name")
    customer_address = serializers.CharField(source="invoice.customer_address")
    lines = DocumentLineOutput(source="invoice.lines.all", many=True)
    subtotal = MoneyField(source="invoice.subtotal")
    discount = MoneyField(source="invoice.discount")
    tax_rate = serializers.FloatField(source="invoice.tax_rate")
    tax = MoneyField(source="invoice.tax")
    total = MoneyField(source="invoice.total")
    payments = DocumentPaymentOutput(source="invoice.payments.all", many=True)
    credit_notes = DocumentNameOutput(source="invoice.corrections.all", many=True)
    corrects = DocumentNameOutput(
        source="invoice.corrects", allow_null=True, help_text="What a credit note takes back, or a part of."
    )
    reckoned_from = ReckoningOutput(
        allow_null=True, help_text="Null for credit notes, and what was taken over from a former system."
    )


class UsageOfADayOutput(AmountsOutput):
    day = serializers.DateField(help_text="Of the operator's calendar.")


class UsageBehindOutput(serializers.Serializer[Any]):
    """The use of a bill's period: the sums of `days` are `rated` + `arrived_later`, to the byte."""

    period = serializers.CharField(source="invoice.period")
    rated = AmountsOutput(help_text="What the bill's lines were reckoned from.")
    arrived_later = AmountsOutput(help_text="Since then; if it costs anything, it is on a later bill.")
    days = serializers.SerializerMethodField()
    late = DocumentNameOutput(
        many=True, help_text="Of earlier periods whose late use is on this bill: their days are behind those."
    )

    def get_days(self, behind: Any) -> list[dict[str, Any]]:
        return [{"day": day, **used} for day, used in behind.days.items()]
