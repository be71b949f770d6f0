"""A series ends at nine digits; the next one that is named is used then."""

from datetime import datetime
from typing import Any

import pytest
from django.test import override_settings

from billing.checks import check_series
from billing.invoicing.closing import bill_periods, periods_to_bill
from billing.invoicing.drafting import draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.models import Invoice, InvoiceLine, InvoiceSeries, ParkedBill, Payment
from billing.models.series import LAST_NUMBER
from billing.printing.page import printed_page
from billing.settling.crediting import credit_invoice
from billing.tests.builders import moment, refusal
from billing.verification import find_faults
from customers.models import Subscription

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("opened")]

AT = moment("2027-01-05")


def give(prefix: str, last: int) -> InvoiceSeries:
    series, _is_new = InvoiceSeries.objects.get_or_create(prefix=prefix)
    InvoiceSeries.objects.filter(pk=series.pk).update(last_number=last)
    return series


@pytest.fixture
def draft(seeded: None, now: datetime) -> Invoice:
    return draft_invoice(subscription=Subscription.objects.order_by("pk")[0], at=now)


def numbers() -> list[str | None]:
    return [each.full_number for each in Invoice.objects.issued().filter(issued_at__gte=AT).order_by("pk")]


def test_the_last_number_is_given_and_has_an_access_key(draft: Invoice, now: datetime) -> None:
    give("001-001", LAST_NUMBER - 1)
    invoice = issue_invoice(invoice=draft, at=now)
    assert invoice.full_number == "001-001-999999999"
    assert printed_page(invoice)["number"].replace("\u200b", "") == "001-001-999999999"


@pytest.mark.parametrize("last", [LAST_NUMBER, LAST_NUMBER + 5])
def test_no_number_of_ten_digits_is_given(draft: Invoice, now: datetime, last: int) -> None:
    give("001-001", last)
    assert refusal(lambda: issue_invoice(invoice=draft, at=now)) == "no_series"
    draft.refresh_from_db()
    assert draft.is_draft
    assert InvoiceSeries.objects.get(prefix="001-001").last_number == last


def test_a_run_stops_and_quarantines_nothing(seeded: None) -> None:
    give("001-001", LAST_NUMBER - 1)
    keys = list(periods_to_bill(AT).values_list("pk", flat=True))
    assert len(keys) > 1
    assert refusal(lambda: bill_periods(keys=keys, at=AT)) == "no_series"
    assert not ParkedBill.objects.exists()
    assert numbers() == []
    assert InvoiceSeries.objects.get(prefix="001-001").last_number == LAST_NUMBER - 1


def test_a_run_goes_on_in_the_next_series(seeded: None, settings: Any) -> None:
    settings.INVOICE_SERIES = "001-001, 001-003"
    give("001-001", LAST_NUMBER - 1)
    give("001-003", 0)
    keys = list(periods_to_bill(AT).values_list("pk", flat=True))
    bill_periods(keys=keys, at=AT)
    assert numbers() == [
        "001-001-999999999",
        *(f"001-003-{number:09d}" for number in range(1, len(keys))),
    ]
    for invoice in Invoice.objects.issued().filter(issued_at__gte=AT):
        assert InvoiceLine.objects.filter(invoice=invoice).count() == invoice.line_count
    assert not Payment.objects.filter(invoice__isnull=True).exists()
    # The first series begins at its end here, which is what is found wrong with it.
    assert {fault.of for fault in find_faults() if "003" in fault.of} == set()


def test_the_next_series_is_not_used_before(draft: Invoice, now: datetime, settings: Any) -> None:
    settings.INVOICE_SERIES = "001-001,001-003"
    assert issue_invoice(invoice=draft, at=now).full_number == "001-001-000000001"
    assert not InvoiceSeries.objects.filter(prefix="001-003").exists()


def test_a_next_series_that_was_not_created_is_told(draft: Invoice, now: datetime, settings: Any) -> None:
    settings.INVOICE_SERIES = "001-001,001-003"
    give("001-001", LAST_NUMBER)
    assert refusal(lambda: issue_invoice(invoice=draft, at=now)) == "no_series"


def test_credit_notes_end_as_invoices_do(draft: Invoice, now: datetime, settings: Any) -> None:
    invoice = issue_invoice(invoice=draft, at=now)
    give("001-002", LAST_NUMBER)
    assert refusal(lambda: credit_invoice(invoice=invoice, why="x", at=AT)) == "no_series"
    assert not invoice.corrections.exists()
    settings.CREDIT_NOTE_SERIES = "001-002,001-004"
    give("001-004", 0)
    assert credit_invoice(invoice=invoice, why="x", at=AT).full_number == "001-004-000000001"


def warned() -> list[str]:
    return [warning.msg for warning in check_series(None, databases=["default"])]


def test_the_end_is_told_in_time(seeded: None) -> None:
    give("001-002", 0)
    assert warned() == []
    give("001-001", LAST_NUMBER - 999)
    [told] = warned()
    assert "INVOICE_SERIES: 999 numbers are left" in told
    give("001-003", 0)
    with override_settings(INVOICE_SERIES="001-001,001-003"):
        assert warned() == []


def test_a_number_beyond_the_end_is_found(draft: Invoice, now: datetime, monkeypatch: Any) -> None:
    monkeypatch.setattr("billing.models.series.LAST_NUMBER", LAST_NUMBER + 10)
    give("001-001", LAST_NUMBER)
    issue_invoice(invoice=draft, at=now)
    monkeypatch.undo()
    assert any("more than nine digits" in fault.what for fault in find_faults())
