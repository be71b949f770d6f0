"""What the office may do with an issued invoice and its payments, and how the answer looks."""

from typing import Any, NamedTuple

from rest_framework import serializers

from billing.api.orders import OrderInput
from billing.models import Invoice, InvoiceLine, InvoiceStatus, Payment, PaymentMethod
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
    amount = StrictMoneyField(help_text="In dollars; what is more than is owed goes to the line's wallet.")
    payment_method = StrictChoiceField(choices=PaymentMethod.values)
    reference = StrictStringField(
        max_length=64,
        trim_whitespace=False,
        validators=[VISIBLE],
        help_text="Names the payment: sent again, it is recorded once. Visible characters only.",
    )


class ReversalInput(OrderInput):
    why = StrictStringField(max_length=200)


class CreditLineInput(NothingElse, InputSerializer):
    line = StrictIntegerField(min_value=1, max_value=2**15 - 1, help_text="Its position on the invoice.")
    amount = StrictMoneyField(help_text="Before discount and tax, which go back in proportion.")


class CreditNoteInput(OrderInput):
    why = StrictStringField(max_length=200)
    lines = CreditLineInput(
        many=True,
        required=False,
        help_text="What is taken back of which lines; without it, all that is left.",
    )
    bill_again = StrictBooleanField(
        default=False, help_text="The period is billed anew; only where all of the invoice is taken back."
    )

    def validate_lines(self, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if len({line["line"] for line in lines}) != len(lines):
            raise serializers.ValidationError("Each line may be given only once", code="duplicate")
        return lines


class InvoiceStateOutput(serializers.ModelSerializer[Invoice]):
    """An invoice as it is after it."""

    number = serializers.CharField(source="full_number")
    status = serializers.ChoiceField(choices=InvoiceStatus.choices)
    total = MoneyField()
    credited = MoneyField(help_text="What credit notes took back.")
    paid = MoneyField(help_text="Less what was reversed.")
    outstanding = MoneyField()
    refunded = MoneyField(help_text="What was paid of what credit notes took back: it is on the wallet.")

    class Meta:
        model = Invoice
        fields = ("id", "number", "status", "total", "credited", "paid", "outstanding", "refunded")
        read_only_fields = fields


class Settled(NamedTuple):
    payment: Payment
    dry_run: bool
    repeated: bool = False


class PaymentOutput(serializers.Serializer[Any]):
    """A payment; or a reversal, whose amounts are less than nothing."""

    dry_run = serializers.BooleanField()
    repeated = serializers.BooleanField(
        help_text="It had been recorded before under this reference; nothing happened now."
    )
    id = serializers.IntegerField(source="payment.pk")
    amount = MoneyField(source="payment.amount", help_text="What the invoice got of it.")
    to_wallet = MoneyField(source="payment.to_wallet", help_text="What the line's wallet got of it.")
    payment_method = serializers.CharField(source="payment.payment_method")
    payment_date = MomentField(source="payment.paid_at")
    reference = serializers.CharField(source="payment.reference")
    reverses = serializers.IntegerField(source="payment.reverses_id", allow_null=True)
    why = serializers.CharField(source="payment.why")
    invoice = InvoiceStateOutput(source="payment.invoice")


class CreditNoteLineOutput(serializers.ModelSerializer[InvoiceLine]):
    line = serializers.IntegerField(source="credits", help_text="The invoice's that is taken back.")
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
    number = serializers.CharField(source="note.full_number", help_text="Of a dry run, the next one now.")
    lines = CreditNoteLineOutput(source="note.lines", many=True)
    subtotal = MoneyField(source="note.subtotal")
    discount = MoneyField(source="note.discount")
    tax = MoneyField(source="note.tax")
    total = MoneyField(source="note.total")
    invoice = InvoiceStateOutput(source="note.corrects")
