"""The tax of each line is that of the day on which it was supplied or paid; there is one tax."""

import io
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection
from pypdf import PdfReader

from billing import rating
from billing.checks import check_taxes
from billing.daily import run_day
from billing.exports import Selection, documents_table
from billing.invoicing.drafting import discard_draft, draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.invoicing.sealing import seal_document
from billing.models import Invoice, InvoiceSeries, ParkedBill, TaxRate, Wallet, WalletEntry
from billing.printing import document_pdf
from billing.sales.services import buy_pack, terminate_line
from billing.settling.crediting import credit_invoice
from billing.tests.builders import balance, fresh, moment, periods, refusal, sold
from billing.verification import find_faults
from billing.wallets import adjust_wallet
from customers.models import Line, Pack
from telcox.testing.office import new, somebody_of, superuser, url
from usage.ingestion.apply import apply_usage
from usage.ingestion.reports import Result, UsageReport

D = Decimal
GB = 2**30

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("opened")]


@pytest.fixture(autouse=True)
def alone(line: Line) -> None:
    """IVA was 12 % until 31 March 2024, and has been 15 % since (Decreto Ejecutivo 198)."""
    Line.objects.exclude(pk=line.pk).update(auto_renew=False)
    InvoiceSeries.objects.get_or_create(prefix="001-002")


def funded(line: Line) -> None:
    Wallet.objects.get_or_create(line=line)
    adjust_wallet(line=line, amount=D("50.00"), reference="g", at=moment("2024-01-01"))


def bought(line: Line, at: str, pack: str = "extra-5", reference: str = "P-1") -> Decimal:
    return buy_pack(
        line=fresh(line), pack=Pack.objects.get(code=pack), reference=reference, at=moment(at)
    ).charged


def used(line: Line, gigabytes: int, occurred: str, reported: str = "") -> None:
    report = UsageReport(
        line.phone_number, "SOCIAL", gigabytes * GB, "pgw", f"e {occurred}", moment(occurred)
    )
    [outcome] = apply_usage(reports=[report], at=moment(reported or occurred))
    assert outcome.result == Result.APPLIED


def bills(line: Line) -> list[Invoice]:
    return list(Invoice.objects.bills().filter(subscription__line=line).order_by("pk"))


def taxed(invoice: Invoice) -> list[tuple[str, Decimal, Decimal, Decimal | None]]:
    return [(each.unit, each.amount, each.tax, each.tax_rate) for each in invoice.lines.order_by("position")]


def of_two_rates(line: Line) -> Invoice:
    """March's last days with a pack of April's, on a prepaid line."""
    line.prepaid = True
    line.save()
    funded(line)
    sold(line, "prepago-8", "2024-03-25 10:00")
    assert bought(line, "2024-04-02 10:00") == D("4.60")
    Line.objects.filter(pk=line.pk).update(auto_renew=False)
    run_day(at=moment("2024-04-20"))
    [invoice] = bills(line)
    return invoice


class TestPrepaid:
    @pytest.mark.parametrize(
        ("day", "charged"),
        [
            ("2024-03-25 10:05", "4.48"),
            ("2024-03-31 23:59", "4.48"),
            ("2024-04-01 00:00", "4.60"),
            ("2024-04-02 10:00", "4.60"),
        ],
    )
    def test_a_pack_is_taxed_as_of_the_day_on_which_it_is_paid(
        self, prepaid: Line, day: str, charged: str
    ) -> None:
        funded(prepaid)
        sold(prepaid, "prepago-8", "2024-03-25 10:00")
        assert bought(prepaid, day) == D(charged)

    def test_packs_of_both_days_are_each_taxed_as_of_theirs(self, prepaid: Line) -> None:
        funded(prepaid)
        sold(prepaid, "prepago-8", "2024-03-25 10:00")
        assert [bought(prepaid, "2024-03-31"), bought(prepaid, "2024-04-01", reference="P-2")] == [
            D("4.48"),
            D("4.60"),
        ]
        run_day(at=moment("2024-04-20"))
        assert taxed(bills(prepaid)[0])[1:] == [
            ("PACK", D("4.00"), D("0.48"), None),
            ("PACK", D("4.00"), D("0.60"), D("0.1500")),
        ]

    def test_what_is_given_back_of_a_period_has_the_tax_it_was_paid_with(self, prepaid: Line) -> None:
        funded(prepaid)
        sold(prepaid, "prepago-8", "2024-03-25 10:00")
        paid = D("50.00") - balance(prepaid)
        terminate_line(line=fresh(prepaid), at=moment("2024-04-01 12:00"))
        [period] = periods(prepaid)
        kept = D("50.00") - balance(prepaid)
        assert 0 < kept < paid
        fee = sum(entry.amount for entry in WalletEntry.objects.filter(subscription=period))
        assert -fee == kept
        run_day(at=moment("2024-04-20"))
        assert bills(prepaid)[0].tax_rate == D("0.12")


class TestPostpaid:
    def test_all_of_a_period_is_taxed_as_of_its_last_day(self, line: Line) -> None:
        """Services supplied from period to period: LRTI, art. 61 no. 6."""
        sold(line, "movil-30", "2024-03-25 10:00")
        bought(line, "2024-03-26 10:00")
        terminate_line(line=fresh(line), at=moment("2024-04-10 10:00"))
        run_day(at=moment("2024-05-10"))
        assert {rate for *_, rate in taxed(bills(line)[0])} == {None}
        assert bills(line)[0].tax_rate == D("0.15")

    def test_late_usage_is_taxed_as_the_period_in_which_the_service_was_given(self, line: Line) -> None:
        sold(line, "pospago-20", "2024-03-01")
        used(line, 20, "2024-03-20 10:00")
        run_day(at=moment("2024-04-01 00:05"))
        used(line, 5, "2024-03-21 10:00", "2024-04-02 10:00")
        used(line, 21, "2024-04-22 10:00")
        run_day(at=moment("2024-05-01 00:05"))
        march, april = bills(line)
        assert (march.tax_rate, april.tax_rate) == (D("0.12"), D("0.15"))
        assert taxed(april) == [
            ("PERIOD", D("18.00"), D("2.70"), None),
            ("GB", D("1.20"), D("0.18"), None),
            ("GB", D("6.00"), D("0.72"), D("0.1200")),
        ]
        assert list(find_faults()) == []

    def test_late_usage_of_a_period_of_the_same_rate_has_none_of_its_own(self, line: Line) -> None:
        sold(line, "pospago-20", "2026-11-01")
        used(line, 20, "2026-11-20 10:00")
        run_day(at=moment("2026-12-01 00:05"))
        used(line, 5, "2026-11-21 10:00", "2026-12-02 10:00")
        run_day(at=moment("2027-01-01 00:05"))
        assert taxed(bills(line)[1])[-1] == ("GB", D("6.00"), D("0.90"), None)


class TestDrafts:
    def test_one_made_before_a_change_and_issued_after_it_is_refused(self, line: Line) -> None:
        """Its day was that of the draft, because the period had not ended."""
        sold(line, "movil-30", "2024-03-20 10:00")
        [period] = periods(line)
        draft = draft_invoice(subscription=period, at=moment("2024-03-31 10:00"))
        assert draft.tax_rate == D("0.12")
        issue = moment("2024-04-25 10:00")
        assert refusal(lambda: issue_invoice(invoice=draft, at=issue)) == "tax_rate_changed"
        draft.refresh_from_db()
        assert draft.is_draft
        discard_draft(invoice=draft)
        again = draft_invoice(subscription=period, at=issue)
        assert issue_invoice(invoice=again, at=issue).tax_rate == D("0.15")

    def test_one_of_a_period_that_had_ended_before_the_change_is_issued_with_its_rate(
        self, line: Line
    ) -> None:
        sold(line, "movil-30", "2024-03-01")
        terminate_line(line=fresh(line), at=moment("2024-03-30 12:00"))
        [period] = periods(line)
        draft = draft_invoice(subscription=period, at=moment("2024-03-31 13:00"))
        assert issue_invoice(invoice=draft, at=moment("2024-04-20")).tax_rate == D("0.12")

    def test_a_rate_that_was_corrected_since_is_noticed(self, line: Line) -> None:
        sold(line, "movil-30", "2026-11-01")
        [period] = periods(line)
        draft = draft_invoice(subscription=period, at=moment("2026-12-01"))
        TaxRate.objects.create(name="IVA", rate=D("0.13"), valid_from=date(2026, 11, 15))
        assert refusal(lambda: issue_invoice(invoice=draft, at=moment("2026-12-02"))) == "tax_rate_changed"

    @pytest.mark.parametrize("corrected", [True, False])
    def test_so_is_a_rate_of_a_pack_alone(self, prepaid: Line, corrected: bool) -> None:
        """The period's own rate is as it was."""
        funded(prepaid)
        sold(prepaid, "prepago-8", "2024-03-25 10:00")
        bought(prepaid, "2024-04-02 10:00")
        at = moment("2024-04-03")
        draft = draft_invoice(subscription=periods(prepaid)[0], at=at)
        if corrected:
            TaxRate.objects.filter(valid_from=date(2024, 4, 1)).update(rate=D("0.14"))
            assert refusal(lambda: issue_invoice(invoice=draft, at=at)) == "tax_rate_changed"
        else:
            assert issue_invoice(invoice=draft, at=at).tax == D("1.56")


class TestADocumentOfTwoRates:
    def test_it_adds_up_and_is_proved(self, line: Line) -> None:
        invoice = of_two_rates(line)
        assert [rate for *_, rate in taxed(invoice)] == [None, D("0.1500")]
        assert invoice.total == D("50.00") - balance(line)
        assert list(find_faults()) == []
        call_command("verify_invoices")

    def test_a_credit_note_gives_each_line_its_own_tax_back(self, line: Line) -> None:
        invoice = of_two_rates(line)
        note = credit_invoice(invoice=invoice, why="x", amounts={2: D("2.00")}, at=moment("2024-04-21"))
        assert taxed(note) == [("PACK", D("2.00"), D("0.30"), D("0.1500"))]
        rest = credit_invoice(invoice=invoice, why="y", at=moment("2024-04-22"))
        assert note.tax + rest.tax == invoice.tax
        assert balance(line) == D("50.00")
        assert list(find_faults()) == []

    def test_the_rate_of_a_line_is_sealed(self, line: Line) -> None:
        invoice = of_two_rates(line)
        [pack] = invoice.lines.filter(position=2)

        def seal() -> str:
            return seal_document(invoice, [pack], number="", corrects="", before="")

        before = seal()
        pack.tax_rate = D("0.14")
        assert seal() != before

    def test_its_page_has_a_sum_for_each_rate(self, line: Line) -> None:
        invoice = of_two_rates(line)
        text = PdfReader(io.BytesIO(document_pdf(invoice))).pages[0].extract_text().replace("\u200b", "")
        for each in ("Base imponible 12 %", "IVA 12 %", "Base imponible 15 %", "IVA 15 %", "4,00", "0,60"):
            assert each in text

    def test_its_row_in_an_export_names_both(self, line: Line) -> None:
        of_two_rates(line)
        [row] = documents_table(Selection("2024-03")).rows
        assert "0.1200 + 0.1500" in row

    def test_the_back_office_and_the_api_show_both(self, line: Line, client: Any, open_api: None) -> None:
        invoice = of_two_rates(line)
        shown = client.get(f"/api/customers/{line.phone_number}/invoices/{invoice.pk}").json()
        assert [each["tax_rate"] for each in shown["lines"]] == [0.12, 0.15]
        page = superuser().get(url(invoice)).content.decode()
        assert "15 %" in page


class TestOneTax:
    def enter(self, **given: str) -> Any:
        return superuser().post(
            new(TaxRate), {"name": "IVA", "rate": "0.10", "valid_from": "2026-01-01"} | given
        )

    @pytest.mark.parametrize("name", ["ICE", "IVA reducido", "VAT"])
    def test_a_second_tax_is_refused_in_words(self, name: str) -> None:
        answer = self.enter(name=name)
        assert "IVA" in answer.content.decode()
        assert not TaxRate.objects.filter(name=name).exists()

    def test_two_rates_from_one_day_are_refused(self) -> None:
        self.enter(valid_from="2024-04-01", name="iva")
        assert TaxRate.objects.filter(valid_from="2024-04-01").count() == 1

    def test_another_rate_of_the_tax_is_taken_however_it_is_written(self) -> None:
        self.enter(name=" iva ", valid_from="2027-01-01")
        assert TaxRate.objects.filter(valid_from="2027-01-01").exists()

    def test_a_rate_may_be_corrected(self) -> None:
        rate = TaxRate.objects.get(valid_from=date(2024, 4, 1))
        rate.rate = D("0.14")
        rate.full_clean()

    def test_the_first_tax_has_any_name(self) -> None:
        TaxRate.objects.all().delete()
        ice = TaxRate(name="ICE", rate=D("0.10"), valid_from=date(2026, 1, 1))
        ice.full_clean()
        TaxRate.objects.create(name="IVA", rate=D("0.15"), valid_from=date(2024, 1, 1))
        with pytest.raises(ValidationError):
            ice.full_clean()

    @pytest.mark.parametrize(("name", "day"), [("ICE", date(2026, 1, 1)), ("iva", date(2024, 4, 1))])
    def test_what_was_loaded_past_the_form_is_found_and_nothing_is_billed_with_it(
        self, line: Line, name: str, day: date
    ) -> None:
        if name == "iva" and connection.vendor == "mysql":
            pytest.skip("its collation refuses the second row")
        sold(line, "pospago-20", "2026-11-01")
        TaxRate.objects.create(name=name, rate=D("0.10"), valid_from=day)
        assert [warning.id for warning in check_taxes(None, databases=["default"])] == ["billing.W004"]
        assert any(fault.of == "tax rates" for fault in find_faults())
        assert run_day(at=moment("2026-12-01 00:05")).parked == 1
        assert "IVA" in ParkedBill.objects.get().detail or "same day" in ParkedBill.objects.get().detail
        TaxRate.objects.filter(name=name).delete()
        assert check_taxes(None, databases=["default"]) == []

    def test_two_rates_of_one_day_bill_nothing_though_there_are_no_others(self, line: Line) -> None:
        if connection.vendor == "mysql":
            pytest.skip("its collation refuses the second row")
        sold(line, "pospago-20", "2026-11-01")
        TaxRate.objects.all().delete()
        for name in ("IVA", "iva"):
            TaxRate.objects.create(name=name, rate=D("0.15"), valid_from=date(2024, 4, 1))
        assert run_day(at=moment("2026-12-01 00:05")).parked == 1

    def test_a_tax_that_begins_later_does_not_stop_the_bills_of_before(self, line: Line) -> None:
        sold(line, "pospago-20", "2026-11-01")
        TaxRate.objects.create(name="ICE", rate=D("0.10"), valid_from=date(2026, 12, 1))
        run_day(at=moment("2026-12-01 00:05"))
        assert bills(line)[0].tax == D("2.70")

    def test_who_enters_rates_is_refused_a_second_tax(self) -> None:
        given = {"name": "ICE", "rate": "0.10", "valid_from": "2026-01-01"}
        somebody_of("Facturación").post(new(TaxRate), given)
        assert not TaxRate.objects.filter(name="ICE").exists()


def test_packs_are_in_one_order_whether_they_have_a_rate_of_their_own_or_not() -> None:
    one, other = rating.Pack("A", D(4)), rating.Pack("A", D(4), tax_rate=D("0.15"))
    assert sorted([other, one]) == [one, other]
