"""What is owed on documents, in a query."""

from decimal import Decimal
from typing import Any

from django.db.models import Case, DecimalField, F, OuterRef, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce, Greatest

from billing.models.invoices import Invoice, InvoiceKind
from billing.models.payments import Payment

_DOLLARS: "DecimalField[Any, Any]" = DecimalField(max_digits=14, decimal_places=2)
_NOTHING = Value(Decimal("0.00"), output_field=_DOLLARS)


def with_owed(invoices: QuerySet[Invoice]) -> QuerySet[Invoice]:
    """Return the documents with what is still to be paid on each, in dollars (`owed`). It is the formula of
    `outstanding_of`, calculated by the database: lists, dunning and totals are the same as pages."""
    paid = Payment.objects.filter(invoice=OuterRef("pk")).order_by().values("invoice")
    credited = Invoice.objects.filter(corrects=OuterRef("pk")).order_by().values("corrects")
    left = (
        F("total")
        - Coalesce(Subquery(paid.values(sum=Sum("amount"))), _NOTHING)
        - Coalesce(Subquery(credited.values(sum=Sum("total"))), _NOTHING)
    )
    return invoices.annotate(
        owed=Case(
            When(kind=InvoiceKind.CREDIT_NOTE, then=_NOTHING),
            default=Greatest(left, _NOTHING, output_field=_DOLLARS),
        )
    )
