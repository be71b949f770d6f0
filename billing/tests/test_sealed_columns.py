"""A migration that adds a sealed column cannot be undone while issued documents have a value there."""

from datetime import datetime
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db import connection

from billing.guards import missing_guards
from billing.invoicing.drafting import draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.models import Invoice, InvoiceLine, InvoiceSeries
from billing.tests.builders import spend_balances
from billing.verification import find_faults
from customers.models import Customer, IdentityKind, Subscription
from telcox.testing.guards import tampering

pytestmark = pytest.mark.django_db(transaction=True)
JESUS = "0969786985"


@pytest.fixture
def invoice(seeded: None, now: datetime) -> Invoice:
    InvoiceSeries.objects.get_or_create(prefix="001-001")
    Customer.objects.update(identity_kind=IdentityKind.CEDULA)
    period = Subscription.objects.get(line__phone_number=JESUS)
    spend_balances(now)
    return issue_invoice(invoice=draft_invoice(subscription=period, at=now), at=now)


def refused(target: str, why: str) -> None:
    try:
        with pytest.raises(ValueError, match=why):
            call_command("migrate", "billing", target, verbosity=0)
    finally:
        call_command("migrate", "billing", verbosity=0)
    assert not missing_guards(connection)


def test_the_kind_of_identity_is_kept(invoice: Invoice) -> None:
    refused("0018", "kind of the customer's identity")
    assert Invoice.objects.get(pk=invoice.pk).customer_identity_kind == "CEDULA"
    assert not [fault for fault in find_faults() if fault.of.startswith("invoice")]


def test_the_tax_rate_of_a_line_is_kept(invoice: Invoice) -> None:
    with tampering():
        InvoiceLine.objects.filter(invoice=invoice).update(tax_rate=Decimal("0.12"))
    refused("0019", "tax rates of their own")
    assert InvoiceLine.objects.filter(invoice=invoice, tax_rate=Decimal("0.12")).exists()
