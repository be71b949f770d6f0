"""Periods, by whether they have been billed."""

from django.db.models import Exists, OuterRef, QuerySet

from billing.models import Invoice
from customers.models import Subscription


def invoiced_periods() -> QuerySet[Subscription]:
    """Those whose invoice in force is issued, paid or not, and that have no draft."""
    invoices = Invoice.objects.filter(subscription=OuterRef("pk"))
    return Subscription.objects.filter(Exists(invoices.in_force().issued()), ~Exists(invoices.drafts()))
