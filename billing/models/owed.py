"""What is owed on documents, and what credit on wallets pays of it, in queries."""

from decimal import Decimal
from typing import Any

from django.db.models import Case, DecimalField, F, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce, Greatest

from billing.models.invoices import OPEN, Invoice, InvoiceKind
from billing.models.payments import Payment
from customers.models import LineStatus

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


def lines_set_off(line: str = "") -> Q:
    """Return the condition that the credit of a line pays its invoices: the line is post-paid, or terminated.
    A prepaid line in service needs its money for the next period. `line` is the path to it: `line__`."""
    return Q(**{f"{line}prepaid": False}) | Q(**{f"{line}status": LineStatus.TERMINATED})


def payable_by_credit() -> QuerySet[Invoice]:
    """Return the open invoices that credit on their line's wallet pays, if there is any: set-off is between
    the same two persons, so the line's holder must be the invoice's customer (Código Civil, art. 1671)."""
    line = "subscription__line__"
    return Invoice.objects.bills().filter(lines_set_off(line), status__in=OPEN, customer=F(f"{line}customer"))


def beside_credit() -> QuerySet[Invoice]:
    """Return the open invoices that credit is still to be set off against. No
    customer is reminded of one, and no line is suspended for it."""
    return payable_by_credit().filter(subscription__line__wallet__balance_usd__gt=0)
