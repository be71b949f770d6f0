from typing import Any

from rest_framework import serializers

from billing.bills import Bill
from billing.models import Invoice
from telcox.common.fields import MoneyField


class InvoiceOutput(serializers.ModelSerializer[Invoice]):
    """One bill (`billing.bills.Bill`), described for the API document; the payment's fields are null while
    nothing was paid."""

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
