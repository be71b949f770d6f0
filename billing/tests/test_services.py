from datetime import date, datetime, timedelta
from decimal import Decimal
from threading import Barrier

import pytest
from django.db import IntegrityError, transaction

from billing.invoicing.drafting import discard_draft, draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.models import Invoice, InvoiceSeries, InvoiceStatus, TaxRate
from billing.rating.facts import TaxRates
from billing.tests.builders import spend_balances
from customers.models import Customer, Plan, Subscription
from telcox.common.errors import DomainError
from telcox.testing.threads import in_threads
from usage.services import record_usage
from usage.vocabulary import Category

D = Decimal
JESUS = "0969786985"


@pytest.fixture
def subscription(seeded: None) -> Subscription:
    return Subscription.objects.get(line__phone_number=JESUS)


@pytest.fixture
def draft(subscription: Subscription, now: datetime) -> Invoice:
    return draft_invoice(subscription=subscription, at=now)


@pytest.fixture
def issued(draft: Invoice, now: datetime) -> Invoice:
    spend_balances(now)
    return issue_invoice(invoice=draft, at=now)


@pytest.mark.django_db
class TestDrafting:
    def test_a_draft_charges_the_period_with_the_tax_of_the_day(self, draft: Invoice) -> None:
        assert (draft.subtotal, draft.tax_rate, draft.tax, draft.total) == (
            D("22.00"),
            D("0.15"),
            D("3.30"),
            D("25.30"),
        )
        assert (draft.status, draft.number, draft.period) == (InvoiceStatus.DRAFT, None, "2026-11")
        assert (draft.customer_name, draft.customer_dni) == ("Jesus Jacome", "0929668846")
        assert [line.description for line in draft.lines.all()] == ["Móvil 30 GB, 23/11/2026 – 22/12/2026"]

    def test_overage_is_a_line_of_its_own(self, subscription: Subscription, now: datetime) -> None:
        record_usage(
            phone_number=JESUS, category=Category.ENTERTAINMENT, quantity=31 * 2**30, source="t", at=now
        )
        draft = draft_invoice(subscription=subscription, at=now)
        lines = list(draft.lines.values_list("description", "unit", "amount"))
        assert lines[1] == ("Datos adicionales", "GB", D("1.00"))
        assert draft.subtotal == sum(amount for _, _, amount in lines)

    def test_a_period_is_invoiced_once(self, draft: Invoice, now: datetime) -> None:
        assert draft.subscription is not None
        with pytest.raises(DomainError) as refused:
            draft_invoice(subscription=draft.subscription, at=now)
        assert refused.value.reason == "already_invoiced"

    def test_a_discarded_draft_makes_room_for_another(self, draft: Invoice, now: datetime) -> None:
        subscription = draft.subscription
        assert subscription is not None
        discard_draft(invoice=draft)
        assert draft_invoice(subscription=subscription, at=now).is_draft

    def test_without_a_tax_rate_for_the_day_nothing_is_drafted(
        self, subscription: Subscription, now: datetime
    ) -> None:
        TaxRate.objects.all().delete()
        with pytest.raises(DomainError) as refused:
            draft_invoice(subscription=subscription, at=now)
        assert refused.value.reason == "no_tax_rate"
        assert not Invoice.objects.drafts().exists()

    @pytest.mark.parametrize(
        ("day", "rate"), [(date(2024, 3, 31), "0.12"), (date(2024, 4, 1), "0.15"), (date(2026, 1, 1), "0.15")]
    )
    def test_iva_is_15_percent_from_april_2024(self, seeded: None, day: date, rate: str) -> None:
        assert TaxRates().on(day) == D(rate)


@pytest.mark.django_db
class TestIssuing:
    def test_an_issued_invoice_has_the_next_number_and_a_due_date(self, issued: Invoice) -> None:
        assert issued.full_number == "001-001-000000001"
        assert issued.status == InvoiceStatus.ISSUED
        assert issued.due_on == date(2026, 12, 16)

    def test_an_invoice_is_issued_once(self, issued: Invoice, now: datetime) -> None:
        with pytest.raises(DomainError):
            issue_invoice(invoice=issued, at=now)
        assert InvoiceSeries.objects.get(prefix="001-001").last_number == 1

    def test_an_issued_invoice_keeps_the_old_names_and_prices(self, issued: Invoice) -> None:
        Plan.objects.update(name="New", price=1)
        Customer.objects.update(full_name="Somebody Else")
        TaxRate.objects.update(rate=0)
        again = Invoice.objects.get(pk=issued.pk)
        assert again.customer_name == "Jesus Jacome"
        assert [line.description for line in again.lines.all()] == ["Móvil 30 GB, 23/11/2026 – 22/12/2026"]
        assert (again.total, again.tax_rate) == (D("25.30"), D("0.15"))

    def test_an_issued_invoice_is_not_discarded(self, issued: Invoice) -> None:
        with pytest.raises(DomainError):
            discard_draft(invoice=issued)
        assert Invoice.objects.filter(pk=issued.pk).exists()

    def test_a_series_that_does_not_exist_is_a_clear_refusal(
        self, draft: Invoice, now: datetime, settings
    ) -> None:
        settings.INVOICE_SERIES = "002-001"
        with pytest.raises(DomainError) as refused:
            issue_invoice(invoice=draft, at=now)
        assert refused.value.reason == "no_series"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        {"total": 1},
        {"tax": -1},
        {"number": None},
        {"issued_at": None},
        {"status": "DRAFT"},
        {"status": "LOST"},
        {"in_force": False},
        {"number": 1},
        {"number": 6},
    ],
    ids=str,
)
def test_the_database_itself_refuses_a_broken_invoice(seeded: None, change: dict) -> None:
    InvoiceSeries.objects.filter(prefix="HIST").update(last_number=5)
    another = Invoice.objects.issued().first()
    another.pk, another.number = None, 4
    another.save(force_insert=True)
    another.pk, another.number = None, 5
    for name, value in change.items():
        setattr(another, name, value)
    with pytest.raises(IntegrityError), transaction.atomic():
        another.save(force_insert=True)


class Interrupted(Exception):
    pass


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
class TestNumberingAtOnce:
    @pytest.fixture
    def drafts(self, committed: None, now: datetime) -> list[Invoice]:
        InvoiceSeries.objects.get_or_create(prefix="001-001")
        first = Subscription.objects.get(line__phone_number=JESUS)
        made = []
        for sequence in range(2, 202):
            first.pk, first.is_last, first.sequence = None, None, sequence
            first.start_at = first.cycle_start_at = first.expiration_at
            first.expiration_at = first.cycle_end_at = first.start_at + timedelta(days=30)
            first.save(force_insert=True)
            made.append(draft_invoice(subscription=first, at=now))
        return made

    def test_16_threads_issuing_200_drafts_give_1_to_200(self, drafts: list[Invoice], now: datetime) -> None:
        issued = in_threads(lambda draft: issue_invoice(invoice=draft, at=now), drafts, threads=16)
        assert sorted(invoice.number or 0 for invoice in issued) == list(range(1, 201))

    def test_numbers_have_no_gap_when_issuing_transactions_roll_back(
        self, drafts: list[Invoice], now: datetime
    ) -> None:
        def issue_or_break(draft: Invoice) -> None:
            try:
                with transaction.atomic():
                    issue_invoice(invoice=draft, at=now)
                    if draft.pk % 3 == 0:
                        raise Interrupted
            except Interrupted:
                issue_invoice(invoice=draft, at=now)

        in_threads(issue_or_break, drafts, threads=16)
        numbers = Invoice.objects.filter(series__prefix="001-001").values_list("number", flat=True)
        assert sorted(number or 0 for number in numbers) == list(range(1, 201))

    def test_control_without_the_series_lock_numbers_collide(
        self, drafts: list[Invoice], now: datetime
    ) -> None:
        series = InvoiceSeries.objects.get(prefix="001-001")
        all_have_read = Barrier(16, timeout=60)

        def issue_unlocked(draft: Invoice) -> bool:
            number = InvoiceSeries.objects.get(pk=series.pk).last_number + 1
            all_have_read.wait()
            try:
                with transaction.atomic():
                    InvoiceSeries.objects.filter(pk=series.pk).update(last_number=number)
                    Invoice.objects.filter(pk=draft.pk).update(
                        series=series,
                        number=number,
                        issued_at=now,
                        due_on=now.date(),
                        line_count=0,
                        content_hash="",
                        status="ISSUED",
                    )
            except IntegrityError:
                return False
            return True

        assert sum(in_threads(issue_unlocked, drafts[:16], threads=16)) == 1

    def test_a_period_drafted_twice_at_once_has_one_draft(self, committed: None, now: datetime) -> None:
        subscription = Subscription.objects.get(line__phone_number=JESUS)

        def draft(_: int) -> bool:
            try:
                draft_invoice(subscription=subscription, at=now)
            except DomainError:
                return False
            return True

        assert sum(in_threads(draft, range(16), threads=16)) == 1
