"""Output serializers of invoices and credit notes, with the facts that these were calculated from."""

from typing import Any

from rest_framework import serializers

from billing.api.orders import AllowanceOutput
from billing.models import Invoice, InvoiceKind, InvoiceLine, InvoiceStatus, Payment
from telcox.common.calendar import local_date
from telcox.common.web.fields import MomentField, MoneyField
from usage.api.serializers import AmountsOutput
from usage.vocabulary import DATA_FIELDS


class DocumentLineOutput(serializers.ModelSerializer[InvoiceLine]):
    """One line of a document; amounts in dollars."""

    quantity = serializers.FloatField()
    unit_price = serializers.FloatField()
    amount = MoneyField(
        help_text="quantity × unit_price in whole cents; for late usage the difference of two such amounts."
    )
    discount = MoneyField()
    tax = MoneyField()
    tax_rate = serializers.SerializerMethodField(
        help_text="The document's, or another one if the line was paid or supplied on another day."
    )
    total = serializers.SerializerMethodField()
    late_for = serializers.SerializerMethodField(
        help_text="Late usage: the month in which it happened; null for other lines."
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
            "tax_rate",
            "total",
            "late_for",
        )
        read_only_fields = fields

    def get_tax_rate(self, line: InvoiceLine) -> float:
        return float(line.invoice.tax_rate if line.tax_rate is None else line.tax_rate)

    def get_total(self, line: InvoiceLine) -> float:
        return float(line.amount - line.discount + line.tax)

    def get_late_for(self, line: InvoiceLine) -> str | None:
        return f"{local_date(line.late_for.start_at):%Y-%m}" if line.late_for else None


class DocumentPaymentOutput(serializers.ModelSerializer[Payment]):
    """A payment of the invoice, or a reversal."""

    payment_method = serializers.CharField()
    amount = MoneyField(help_text="In dollars; negative for a reversal.")
    paid_at = MomentField()
    reversal = serializers.SerializerMethodField(help_text="True: reverses an earlier payment.")

    class Meta:
        model = Payment
        fields = ("payment_method", "paid_at", "amount", "reversal")
        read_only_fields = fields

    def get_reversal(self, payment: Payment) -> bool:
        return payment.reverses_id is not None


class DocumentNameOutput(serializers.ModelSerializer[Invoice]):
    """A document that this one refers to."""

    number = serializers.CharField(source="full_number")
    total = MoneyField()

    class Meta:
        model = Invoice
        fields = ("id", "number", "period", "total")
        read_only_fields = fields


class TermsOutput(serializers.Serializer[Any]):
    """Terms that the period was sold with; prices in dollars before tax, `price` for a full period."""

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


class CalculatedPackOutput(AllowanceOutput):
    name = serializers.CharField()
    price = MoneyField()


class CalculatedDiscountOutput(serializers.Serializer[Any]):
    name = serializers.CharField()
    percent = serializers.FloatField()
    amount = MoneyField(
        help_text="In dollars for a full period; a part of a period gets a share in proportion to its days."
    )


class LostDaysOutput(serializers.Serializer[Any]):
    """Days of a suspension that are not charged; `until` is not included."""

    def get_fields(self) -> Any:
        # `from` is a keyword of Python, so this field cannot be a class attribute.
        return {"from": serializers.DateField(source="0"), "until": serializers.DateField(source="1")}


class SpanOutput(serializers.Serializer[Any]):
    """The billed days, and the full period (cycle) that they are a part of. The ends are not included."""

    start = serializers.DateField()
    end = serializers.DateField()
    cycle_start = serializers.DateField()
    cycle_end = serializers.DateField()


class CalculatedFromOutput(serializers.Serializer[Any]):
    """The facts that the lines were calculated from (docs/rating.md)."""

    span = SpanOutput(source="facts.span")
    terms = TermsOutput(source="facts.terms")
    used = AmountsOutput()
    zero_rated = serializers.ListField(
        child=serializers.ChoiceField(choices=DATA_FIELDS),
        help_text="Categories of data that use up no allowance.",
    )
    granted = AllowanceOutput(help_text="Total allowance: included, carried in, and from packs.")
    included = AllowanceOutput(help_text="The plan's allowance for these days.")
    carried_in = AllowanceOutput(source="facts.changes.carried_in")
    carried_out = AllowanceOutput(
        source="facts.changes.carried_out",
        help_text="Allowance given to the next period before this one was billed.",
    )
    packs = CalculatedPackOutput(source="facts.changes.packs", many=True)
    suspended = LostDaysOutput(source="facts.changes.lost", many=True)
    discounts = CalculatedDiscountOutput(source="facts.changes.discounts", many=True)
    extra_discount = MoneyField(
        source="facts.changes.extra_discount", help_text="Discount on this invoice only, in dollars."
    )
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
        source="invoice.corrects",
        allow_null=True,
        help_text="The invoice that this credit note takes back, whole or in part; null for invoices.",
    )
    reckoned_from = CalculatedFromOutput(
        allow_null=True,
        help_text="Facts that the lines were calculated from; null for credit notes and imported documents.",
    )


class UsageOfADayOutput(AmountsOutput):
    day = serializers.DateField(help_text="Day in the operator's time zone.")


class UsageBehindOutput(serializers.Serializer[Any]):
    """The usage of an invoice's period: the sums of `days` equal `rated` + `arrived_later`."""

    period = serializers.CharField(source="invoice.period")
    rated = AmountsOutput(help_text="Usage that the invoice's lines were calculated from.")
    arrived_later = AmountsOutput(
        help_text="Late usage, counted after the invoice; if it costs anything, a later invoice charges it."
    )
    days = serializers.SerializerMethodField()
    late = DocumentNameOutput(
        many=True,
        help_text=(
            "Invoices of earlier periods whose late usage is charged on this one; their days are listed with"
            " them."
        ),
    )

    def get_days(self, behind: Any) -> list[dict[str, Any]]:
        return [{"day": day, **used} for day, used in behind.days.items()]
