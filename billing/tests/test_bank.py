"""A bank's statement becomes payments."""

import io
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from billing.bank import ImportReport, assign_transfer, import_statement
from billing.invoicing.drafting import draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.models import BankProblem, BankTransfer, Invoice, InvoiceSeries, Payment
from billing.settling.paying import receive_payment
from billing.tests.builders import moment, refusal, spend_balances
from customers.models import Subscription
from telcox.testing.threads import in_threads

D = Decimal
JESUS = "0969786985"
HEADING = "Fecha;Referencia;Valor;Concepto;Ordenante"

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("seeded")]


def issued(phone_number: str, at: datetime) -> Invoice:
    InvoiceSeries.objects.get_or_create(prefix="001-001")
    subscription = Subscription.objects.get(line__phone_number=phone_number)
    spend_balances(at)
    return issue_invoice(invoice=draft_invoice(subscription=subscription, at=at), at=at)


@pytest.fixture
def invoice(now: datetime) -> Invoice:
    """001-001-000000001, 25.30."""
    return issued(JESUS, now)


def imported(*rows: str, at: datetime, **options: Any) -> ImportReport:
    file = io.BytesIO("\n".join([HEADING, *rows]).encode())
    report = import_statement(file=file, source="noviembre.csv", at=at, by="ana", **options)
    assert report.read == report.matched + report.known + report.unmatched + report.debits + report.bad
    return report


def test_a_transfer_that_names_its_invoice_pays_it(invoice: Invoice, now: datetime) -> None:
    report = imported("02/12/2026;TR 7;25,30;Factura 001-001-1;ANA", at=now)
    assert (report.matched, report.matched_amount, report.notes) == (1, D("25.30"), [])
    payment = invoice.payments.get()
    assert (payment.amount, payment.reference, payment.by) == (D("25.30"), "TR7", "ana")
    assert payment.paid_at == moment("2026-12-02 00:00")
    transfer = BankTransfer.objects.get()
    assert (transfer.payment, transfer.problem, transfer.source) == (payment, "", "noviembre.csv")
    invoice.refresh_from_db()
    assert invoice.status == "PAID"


@pytest.mark.parametrize("clue", ["pago +593 96 978 6985", "CI 0929668846"])
def test_a_phone_number_or_an_identity_is_enough_where_one_invoice_is_owed_that(
    clue: str, invoice: Invoice, now: datetime
) -> None:
    assert imported(f"02/12/2026;TR-7;25.30;{clue};", at=now).matched == 1
    assert invoice.payments.count() == 1


def test_what_does_not_match_waits_and_says_why(invoice: Invoice, now: datetime) -> None:
    report = imported(
        "02/12/2026;TR-1;25,30;gracias;ANA VERA",
        "02/12/2026;TR-2;-1,00;comisión;",
        "02/12/2026;TR-3;nada;;",
        "02/12/2026;TR-4;25,30;001-001-000000001;",
        "02/12/2026;TR-5;25,30;001-001-000000001;",
        at=now,
    )
    assert (report.read, report.matched, report.debits, report.bad) == (5, 1, 1, 1)
    assert report.problems == {BankProblem.NO_INVOICE: 1, BankProblem.NOTHING_OWED: 1}
    assert [(note.row, note.reference) for note in report.notes] == [(2, "TR-1"), (4, ""), (6, "TR-5")]
    waiting = BankTransfer.objects.exclude(problem="").order_by("reference")
    assert [(each.reference, each.problem, each.payer) for each in waiting] == [
        ("TR-1", "NO_INVOICE", "ANA VERA"),
        ("TR-5", "NOTHING_OWED", ""),
    ]


def test_the_same_file_again_changes_nothing(invoice: Invoice, now: datetime) -> None:
    rows = ["02/12/2026;TR-1;10,00;001-001-000000001;", "02/12/2026;TR-2;10,00;?;"]
    first = imported(*rows, rows[0], at=now)
    assert (first.matched, first.unmatched, first.known) == (1, 1, 1)
    again = imported(*rows, at=now)
    assert (again.matched, again.known) == (0, 2)
    assert (Payment.objects.filter(invoice=invoice).count(), BankTransfer.objects.count()) == (1, 2)


class CutOff(io.BytesIO):
    """A file that cannot be read to its end."""

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        if b"TR-3" in line:
            raise OSError
        return line


def test_an_import_that_was_cut_off_goes_on_where_it_ended(invoice: Invoice, now: datetime) -> None:
    rows = [f"02/12/2026;TR-{n};1,00;001-001-000000001;" for n in range(1, 5)]
    with pytest.raises(OSError):  # noqa: PT011  as it comes from the disk
        import_statement(file=CutOff("\n".join([HEADING, *rows]).encode()), source="cut", at=now)
    report = imported(*rows, at=now)
    assert (report.known, report.matched) == (2, 2)
    assert invoice.paid == D("4.00")


def test_another_transfer_under_a_reference_that_is_known_is_told(invoice: Invoice, now: datetime) -> None:
    imported("02/12/2026;TR-1;10,00;001-001-000000001;", at=now)
    report = imported("02/12/2026;TR-1;11,00;001-001-000000001;", at=now)
    assert (report.bad, report.known, report.notes[0].reference) == (1, 0, "TR-1")


def test_a_payment_that_was_recorded_by_hand_is_that_transfer(invoice: Invoice, now: datetime) -> None:
    by_hand = receive_payment(
        invoice=invoice, amount=D("25.30"), payment_method="TRANSFERENCIA", reference="TR-1", at=now
    ).payment
    report = imported("02/12/2026;TR-1;25,30;;", "02/12/2026;tr-1;25,30;;", at=now)
    assert (report.matched, report.unmatched) == (1, 1)
    assert BankTransfer.objects.get(reference="TR-1").payment == by_hand
    assert invoice.payments.count() == 1


def test_a_dry_run_tells_the_same_and_keeps_nothing(invoice: Invoice, now: datetime) -> None:
    rows = ["02/12/2026;TR-1;25,30;001-001-000000001;", "02/12/2026;TR-2;1,00;001-001-000000001;"]
    tried = imported(*rows, at=now, dry_run=True)
    assert not BankTransfer.objects.exists()
    assert not invoice.payments.exists()
    assert imported(*rows, at=now) == tried


def test_somebody_who_knows_assigns_a_transfer_once(invoice: Invoice, now: datetime) -> None:
    imported("02/12/2026;TR-1;25,30;gracias;", at=now)
    transfer = BankTransfer.objects.get()
    payment = assign_transfer(transfer=transfer, invoice=invoice, at=now, by="eva")
    assert (payment.invoice, payment.by, payment.reference) == (invoice, "eva", "TR-1")
    transfer.refresh_from_db()
    assert (transfer.payment, transfer.problem) == (payment, "")
    assert (
        refusal(lambda: assign_transfer(transfer=transfer, invoice=invoice, at=now, by="eva"))
        == "already_assigned"
    )


def test_a_refused_assignment_leaves_it_waiting(invoice: Invoice, now: datetime) -> None:
    draft = Invoice(**{f.attname: getattr(invoice, f.attname) for f in Invoice._meta.concrete_fields})
    draft.pk = draft.series = draft.number = draft.subscription_id = draft.in_force = None
    draft.status = "DRAFT"
    draft.save(force_insert=True)
    imported("02/12/2026;TR-1;25,30;gracias;", at=now)
    transfer = BankTransfer.objects.get()
    assert (
        refusal(lambda: assign_transfer(transfer=transfer, invoice=draft, at=now, by="eva")) == "not_issued"
    )
    transfer.refresh_from_db()
    assert (transfer.payment, transfer.problem) == (None, "NO_INVOICE")


def test_the_command_tells_what_became_of_each_row(
    invoice: Invoice, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    call_command("import_payments", "billing/tests/statement.csv", "--dry-run")
    assert not BankTransfer.objects.exists()
    call_command("import_payments", "billing/tests/statement.csv")
    told = capsys.readouterr()
    summary = "3 rows: 1 payment(s) totalling 25.30, 0 already imported, 1 waiting, 1 debit(s), 0 bad"
    assert told.out.splitlines() == [f"statement.csv (dry run): {summary}", f"statement.csv: {summary}"]
    assert told.err.count("row 5: 4713: ") == 2
    assert "ANA" not in told.err
    bad = tmp_path / "bad.csv"
    bad.write_text("fecha,referencia,valor\n1,2,3\n")
    with pytest.raises(CommandError):
        call_command("import_payments", bad)


@pytest.mark.parametrize("mark", ["N/D", "Nota de débito", "Débitos", "DEB", "DR", "Egreso", "Retiro", "?"])
def test_money_that_went_out_is_no_payment(mark: str, invoice: Invoice, now: datetime) -> None:
    text = (
        f"Fecha;Referencia;Valor;Tipo;Concepto\n02/12/2026;T-1;20.70;{mark};Devolución {invoice.full_number}"
    )
    report = import_statement(file=io.BytesIO(text.encode()), source="n.csv", at=now)
    assert (report.debits, report.bad) == ((0, 1) if mark == "?" else (1, 0))
    assert not invoice.payments.exists()


def test_a_day_that_is_still_to_come_is_no_payments(invoice: Invoice, now: datetime) -> None:
    report = imported("02/12/2062;TR-1;25,30;001-001-000000001;", "09/12/2026;TR-2;25,30;001-001-1;", at=now)
    assert (report.bad, report.matched) == (2, 0)
    assert not invoice.payments.exists()


def test_the_columns_that_were_used_are_told_and_can_be_said(
    invoice: Invoice, now: datetime, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "dos.csv"
    file.write_text("Fecha;Documento;Monto;Valor;Concepto\n26/11/2026;T-1;25,30;20,00;001-001-000000001\n")
    with pytest.raises(CommandError):
        call_command("import_payments", file)
    call_command("import_payments", file, "--column", "amount=Valor", "--dry-run")
    told = "columns: date = Fecha, amount = Valor, reference = Documento, concept = Concepto"
    assert told in capsys.readouterr().err.splitlines()
    with pytest.raises(CommandError, match="--column"):
        call_command("import_payments", file, "--column", "sum=Valor")


CELLS = st.text('0123456789/-.,;"\r\n Ññ@= 001-001-000000001 28/11/2026', max_size=25)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS).map(";".join) | CELLS, max_size=8) | st.binary())
@hypothesis_settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_any_file_gives_a_report_that_adds_up(invoice: Invoice, now: datetime, rows: Any) -> None:
    if isinstance(rows, bytes):
        report = import_statement(file=io.BytesIO(rows), source="any", at=now)
        assert report.read == report.bad <= 1
    else:
        imported(*rows, at=now)


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("committed")
def test_one_file_imported_by_four_at_once_is_imported_once(now: datetime) -> None:
    bills = [issued(each, now) for each in (JESUS, "0923456789")]
    rows = [f"02/12/2026;TR-{n};0,25;{bills[n % 2].full_number};" for n in range(40)]
    rows += [f"02/12/2026;W-{n};0,50;?;" for n in range(10)]

    reports = in_threads(lambda _: imported(*rows, at=now), range(4), threads=4)

    assert sum(report.matched for report in reports) == 40
    assert sum(report.unmatched for report in reports) == 10
    assert sum(report.known for report in reports) == 150
    assert BankTransfer.objects.count() == 50
    assert [bill.paid for bill in Invoice.objects.filter(pk__in=[b.pk for b in bills])] == [D("5.00")] * 2
