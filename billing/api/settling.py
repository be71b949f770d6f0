"""Serializers of payments, reversals and credit notes."""

from typing import Any, NamedTuple

from rest_framework import serializers

from billing.api.orders import OrderInput
from billing.models import MONEY_METHODS, Invoice, InvoiceLine, InvoiceStatus, Payment
from billing.models.wallets import VISIBLE
from telcox.common.web.fields import (
    MomentField,
    MoneyField,
    StrictBooleanField,
    StrictChoiceField,
    StrictIntegerField,
    StrictMoneyField,
    StrictStringField,
)
from telcox.common.web.serializers import InputSerializer, NothingElse


class PaymentInput(OrderInput):
    """Money received for an invoice. Unknown members are refused."""

    amount = StrictMoneyField(help_text="In dollars. What is more than is owed goes to the line's wallet.")
    payment_method = StrictChoiceField(choices=[method.value for method in MONEY_METHODS])
    reference = StrictStringField(
        max_length=64,
        trim_whitespace=False,
        validators=[VISIBLE],
        help_text="Idempotency key of the payment: sent again, it is recorded once. Visible characters only.",
    )


class ReversalInput(OrderInput):
    """The reversal of a payment. Unknown members are refused."""

    why = StrictStringField(max_length=200)


class CreditLineInput(NothingElse, InputSerializer):
    """A line to credit."""

    line = StrictIntegerField(
        min_value=1, max_value=2**15 - 1, help_text="Position of the line on the invoice."
    )
    amount = StrictMoneyField(
        help_text="Amount to credit, in dollars before discount and tax; these are credited in proportion."
    )


class CreditNoteInput(OrderInput):
    """A credit note to issue. Unknown members are refused."""

    why = StrictStringField(max_length=200)
    lines = CreditLineInput(
        many=True,
        required=False,
        help_text="Lines to credit and how much of each; if absent, all that is left of the invoice.",
    )
    bill_again = StrictBooleanField(
        default=False, help_text="True: the period is billed again. Only if the whole invoice is credited."
    )

    def validate_lines(self, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if len({line["line"] for line in lines}) != len(lines):
            raise serializers.ValidationError("Each line may be given only once", code="duplicate")
        return lines


class InvoiceStateOutput(serializers.ModelSerializer[Invoice]):
    """The invoice after the operation; amounts in dollars."""

    number = serializers.CharField(source="full_number")
    status = serializers.ChoiceField(choices=InvoiceStatus.choices)
    total = MoneyField()
    credited = MoneyField(help_text="Sum of the credit notes.")
    paid = MoneyField(help_text="Sum of the payments, less reversals.")
    outstanding = MoneyField()
    refunded = MoneyField(help_text="Money paid for what was credited; it went to the line's wallet.")

    class Meta:
        model = Invoice
        fields = ("id", "number", "status", "total", "credited", "paid", "outstanding", "refunded")
        read_only_fields = fields


class Settled(NamedTuple):
    payment: Payment
    dry_run: bool
    repeated: bool = False


class PaymentOutput(serializers.Serializer[Any]):
    """A payment, or a reversal, whose amounts are negative."""

    dry_run = serializers.BooleanField()
    repeated = serializers.BooleanField(
        help_text="True: already recorded with this reference; nothing was changed now."
    )
    id = serializers.IntegerField(source="payment.pk")
    amount = MoneyField(
        source="payment.amount", help_text="Part that pays the invoice; negative for a reversal."
    )
    to_wallet = MoneyField(source="payment.to_wallet", help_text="Part that went to the line's wallet.")
    payment_method = serializers.CharField(source="payment.payment_method")
    payment_date = MomentField(source="payment.paid_at")
    reference = serializers.CharField(source="payment.reference")
    reverses = serializers.IntegerField(source="payment.reverses_id", allow_null=True)
    why = serializers.CharField(source="payment.why")
    invoice = InvoiceStateOutput(source="payment.invoice")


class CreditNoteLineOutput(serializers.ModelSerializer[InvoiceLine]):
    line = serializers.IntegerField(
        source="credits", help_text="Position of the credited line on the invoice."
    )
    amount = MoneyField()
    discount = MoneyField()
    tax = MoneyField()

    class Meta:
        model = InvoiceLine
        fields = ("line", "description", "amount", "discount", "tax")
        read_only_fields = fields


class Credited(NamedTuple):
    note: Invoice
    dry_run: bool


class CreditNoteOutput(serializers.Serializer[Any]):
    dry_run = serializers.BooleanField()
    id = serializers.IntegerField(source="note.pk")
    number = serializers.CharField(
        source="note.full_number",
        help_text="Number of the credit note; of a dry run, the number it would get now.",
    )
    lines = CreditNoteLineOutput(source="note.lines", many=True)
    subtotal = MoneyField(source="note.subtotal")
    discount = MoneyField(source="note.discount")
    tax = MoneyField(source="note.tax")
    total = MoneyField(source="note.total")
    invoice = InvoiceStateOutput(source="note.corrects")
