"""What is owed on a document is one amount, wherever it is shown or added up."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.exports import Selection, documents_table, totals_of
from billing.invoicing.drafting import draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.models import Invoice, InvoiceLine, InvoiceSeries, InvoiceStatus, Payment
from billing.models.invoices import OPEN
from billing.models.owed import with_owed
from billing.settling.crediting import credit_invoice
from billing.settling.paying import receive_payment
from billing.tests.builders import moment, spend_balances
from customers.models import Customer, Subscription

D = Decimal
CENT = D("0.01")

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("opened")]
MONTHS = (f"{year}-{month:02}" for year in range(1900, 2000) for month in range(1, 13))
cents = st.integers(0, 5000).map(lambda n: D(n).scaleb(-2))


def document(number: int, total: Decimal, **fields: Any) -> Invoice:
    return Invoice.objects.create(
        **{
            "status": InvoiceStatus.ISSUED,
            "series": InvoiceSeries.objects.get(prefix="001-001"),
            "number": number,
            "customer": Customer.objects.first(),
            "in_force": None,
            "customer_dni": "0929668846",
            "customer_name": "N",
            "phone_number": "0969786985",
            "subtotal": total,
            "tax": 0,
            "tax_rate": 0,
            "total": total,
            "issued_at": moment("2019-02-01"),
            "due_on": moment("2019-02-15").date(),
            "line_count": 0,
            "content_hash": "x",
            **fields,
        }
    )


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(cents, st.lists(cents, max_size=3), st.lists(cents, max_size=3), st.booleans()),
        min_size=1,
        max_size=5,
    )
)
def test_the_query_the_page_the_export_and_its_total_say_the_same(made_up: list[Any]) -> None:
    """Paid or credited beyond the total, reversed, with and without credit notes, to the cent."""
    InvoiceSeries.objects.filter(prefix="001-001").update(last_number=10**6)
    month = next(MONTHS)  # documents cannot be deleted, so each example has a month of its own
    start = 1000 + Invoice.objects.count() * 20
    for nth, (total, paid, credited, reversed_) in enumerate(made_up):
        invoice = document(start + 20 * nth, total, period=month)
        for part, amount in enumerate(paid):
            given = {"payment_method": "EFECTIVO", "paid_at": moment("2019-02-02"), "invoice": invoice}
            payment = Payment.objects.create(amount=amount + CENT, reference=f"{invoice.pk}-{part}", **given)
            if reversed_:
                Payment.objects.create(
                    amount=-amount - CENT, reverses=payment, reference=f"r{invoice.pk}-{part}", **given
                )
        for part, amount in enumerate(credited, start=1):
            document(start + 20 * nth + part, amount, kind="CREDIT_NOTE", corrects=invoice, period=month)
    documents = Invoice.objects.filter(period=month)
    pages = {each.pk: each.outstanding for each in documents}
    by_query: Any = with_owed(documents)
    queried = {each.pk: each.owed.quantize(CENT) for each in by_query}
    rows = [row[-1] for row in documents_table(Selection(month)).rows]
    assert queried == pages
    assert sorted(rows) == sorted(pages.values())
    assert totals_of(Selection(month)).outstanding == sum(pages.values())
    assert min(pages.values()) >= 0


@pytest.fixture
def invoices(now: datetime) -> list[Invoice]:
    InvoiceSeries.objects.get_or_create(prefix="001-002")
    spend_balances(now)
    return [
        issue_invoice(invoice=draft_invoice(subscription=each, at=now), at=now)
        for each in Subscription.objects.filter(prepaid=False).order_by("pk")
    ]


def test_what_was_refunded_is_no_negative_debt(invoices: list[Invoice], now: datetime) -> None:
    first, *others = invoices
    receive_payment(invoice=first, amount=first.total, payment_method="EFECTIVO", reference="C-1", at=now)
    credit_invoice(invoice=first, why="x", at=now)
    owed = sum(each.outstanding for each in others)
    assert owed > 0
    assert totals_of(Selection("2026-11")).outstanding == owed
    assert {row[-1] for row in documents_table(Selection("2026-11")).rows} == {
        D("0.00"),
        *(each.outstanding for each in others),
    }


def test_dunning_looks_at_what_is_owed(invoices: list[Invoice], now: datetime) -> None:
    """An open status and an amount that is owed are the same thing."""
    first, second, *_ = invoices
    receive_payment(invoice=first, amount=D("1.00"), payment_method="EFECTIVO", reference="C-1", at=now)
    receive_payment(invoice=second, amount=second.total, payment_method="EFECTIVO", reference="C-2", at=now)
    owing = {each for each in Invoice.objects.issued() if each.outstanding > 0}
    by_query: Any = with_owed(Invoice.objects.issued())
    assert set(by_query.filter(owed__gt=0)) == owing
    assert owing == set(Invoice.objects.bills().filter(status__in=OPEN))
    assert not InvoiceLine.objects.filter(invoice=first, amount__lt=0).exists()
