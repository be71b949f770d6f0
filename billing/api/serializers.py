from typing import Any

from rest_framework import serializers

from billing.api.orders import OrderInput
from billing.invoicing.listing import PAGE, Bill
from billing.models import MONEY_METHODS, Invoice, PaymentMethod, WalletEntry
from billing.models.wallets import VISIBLE
from telcox.common.database.keyset import Place
from telcox.common.web.fields import MoneyField, StrictChoiceField, StrictMoneyField, StrictStringField
from telcox.common.web.serializers import InputSerializer

# The place of a bill (keyset pagination), period and key: 2026-11_4711.
CURSOR = r"\A[0-9]{4}-[0-9]{2}_[0-9]{1,18}\Z"


class InvoiceOutput(serializers.ModelSerializer[Invoice]):
    """One bill; the fields of the payment are null while it is unpaid."""

    total = MoneyField()
    tax = MoneyField()
    discount = MoneyField()
    payment_method = serializers.CharField(allow_null=True)
    payment_date = serializers.DateTimeField(allow_null=True)
    number = serializers.CharField(source="full_number")

    class Meta:
        model = Invoice
        fields = tuple(Bill.__annotations__)
        read_only_fields = fields


class InvoiceListOutput(serializers.Serializer[Any]):
    items = InvoiceOutput(many=True)
    next = serializers.CharField(
        required=False,
        allow_null=True,
        help_text=(
            "Only with `limit` or `before`: send it as `before` to get the next page; null on the last page."
        ),
    )


class BillsQuery(serializers.Serializer[Any]):
    limit = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=100,
        help_text=f"Most bills in a page; {PAGE} if only `before` is given.",
    )
    before = serializers.RegexField(CURSOR, required=False, help_text="The `next` of the previous page.")

    def validate_before(self, value: str) -> Place:
        period, pk = value.split("_")
        return Place(period, int(pk))


def bill_cursor(place: Place) -> str:
    """Return the place of a bill in the form that `BillsQuery` reads."""
    return f"{place.value}_{place.pk}"


class TopUpInput(InputSerializer):
    """Money for a line's wallet, in dollars."""

    amount = StrictMoneyField()
    reference = StrictStringField(
        max_length=64,
        trim_whitespace=False,
        validators=[VISIBLE],
        help_text=(
            "Idempotency key of the top-up: sent again, it is collected once. Visible characters without "
            "spaces."
        ),
    )
    payment_method = StrictChoiceField(
        choices=[method.value for method in MONEY_METHODS], default=PaymentMethod.TARJETA.value
    )


class PayOutInput(OrderInput):
    """Money to pay out of a line's wallet, in dollars. Unknown members are refused."""

    amount = StrictMoneyField()
    reference = StrictStringField(
        max_length=64,
        trim_whitespace=False,
        validators=[VISIBLE],
        help_text="Idempotency key of the pay-out: sent again, it is paid once. Visible characters only.",
    )
    payment_method = StrictChoiceField(choices=[method.value for method in MONEY_METHODS])


class WalletEntryOutput(serializers.ModelSerializer[WalletEntry]):
    """One entry of a wallet's ledger; `amount` is negative for money that was taken."""

    amount = MoneyField()
    balance_after = MoneyField()

    class Meta:
        model = WalletEntry
        fields = ("position", "kind", "amount", "balance_after", "reference", "description", "at")
        read_only_fields = fields


class WalletQuery(serializers.Serializer[Any]):
    before = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=2**31 - 1,
        help_text="Only entries with a lower position than this.",
    )


class WalletOutput(serializers.Serializer[Any]):
    """A line's wallet. A prepaid line spends its balance; a post-paid one may go below zero by its limit."""

    balance_usd = MoneyField()
    balance_limit_usd = MoneyField()
    prepaid = serializers.BooleanField()
    entries = WalletEntryOutput(many=True, help_text="Newest first, at most 50.")
