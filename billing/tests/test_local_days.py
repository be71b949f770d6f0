"""Days are those of the operator's clock: at 20:00 in Guayaquil it is the next day in UTC already."""

from datetime import date, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
import time_machine
from django.test import Client
from pypdf import PdfReader

from billing.bank import import_statement
from billing.daily import run_day, work_due
from billing.invoicing.drafting import draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.models import Channel, Discount, Invoice, InvoiceLine, InvoiceSeries, Issuer
from billing.overdue.ladder import parse_ladder
from billing.overdue.reminding import remind_by_hand
from billing.overdue.suspending import suspend_overdue_lines
from billing.printing import document_pdf
from billing.rating import Used
from billing.runs.running import periods_of, start_if_due
from billing.sales.examples import example_of
from billing.sales.services import activate_subscription, change_plan
from billing.settling.crediting import credit_invoice
from billing.tests.builders import MakePlan, fresh, leave_other_lines_alone, moment, refusal, use
from billing.tests.overdue import bill, day_plan, new_line, pay
from customers.models import Line, LineStatus, Plan
from customers.services import resume_line, suspend_line
from usage.services import record_usage
from usage.vocabulary import Category

D = Decimal
EVENING = moment("2026-12-01 20:00")

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("opened")]


def sold(line: Line, at: str, code: str = "pospago-20") -> Line:
    activate_subscription(line=fresh(line), plan=Plan.objects.get(code=code), at=moment(at))
    return fresh(line)


def billed(line: Line, at: str = "2026-12-01 20:00") -> Invoice:
    period = line.subscriptions.get()
    return issue_invoice(invoice=draft_invoice(subscription=period, at=moment(at)), at=moment(at))


def text_of(document: Invoice) -> str:
    return "".join(page.extract_text() for page in PdfReader(BytesIO(document_pdf(document))).pages)


def test_an_invoice_is_due_so_many_days_after_the_local_day(line: Line) -> None:
    invoice = billed(sold(line, "2026-11-01"))
    assert invoice.due_on == date(2026, 12, 16)


def test_the_month_of_a_document_is_that_in_which_its_period_begins(line: Line) -> None:
    assert billed(sold(line, "2026-10-31 20:00")).period == "2026-10"


def test_late_usage_is_named_by_the_month_in_which_its_period_begins(
    line: Line, open_api: None, client: Client
) -> None:
    leave_other_lines_alone()
    Line.objects.filter(pk=line.pk).update(auto_renew=True)
    first, second = sold(line, "2026-10-31 20:00").subscriptions.get(), moment("2026-12-01 10:00")
    run_day(at=second)
    record_usage(
        phone_number=line.phone_number, category=Category.ENTERTAINMENT, quantity=21 * 2**30, source="t",
        occurred_at=first.start_at + timedelta(hours=1), at=second,
    )  # fmt: skip
    run_day(at=moment("2027-01-01 10:00"))
    late = InvoiceLine.objects.get(late_for=first)
    lines = client.get(f"/api/customers/{line.phone_number}/invoices/{late.invoice_id}").json()["lines"]
    assert [each["late_for"] for each in lines if each["late_for"]] == ["2026-10"]


def test_the_printed_days_and_the_access_key_are_local(line: Line) -> None:
    Issuer.objects.create(name="Operadora", tax_id="1792345678001")
    InvoiceSeries.objects.get_or_create(prefix="001-002")
    invoice = billed(sold(line, "2026-11-01"))
    note = credit_invoice(invoice=invoice, why="Complaint", at=moment("2026-12-03 20:00"))
    on_bill, on_note = text_of(Invoice.objects.get(pk=invoice.pk)), text_of(Invoice.objects.get(pk=note.pk))
    assert "01/12/2026" in on_bill
    assert "02/12/2026" not in on_bill + on_note
    assert "03/12/2026" in on_note
    assert "01/12/2026" in on_note
    assert "0112202601" in "".join(on_bill.split())  # the key begins with the day and the kind of document
    assert "0312202604" in "".join(on_note.split())


def test_overdue_is_what_was_due_before_the_local_day(line: Line, open_api: None, client: Client) -> None:
    invoice = billed(sold(line, "2026-11-01"))
    for shown, at in (([], "2026-12-16 20:00"), ([invoice.full_number], "2026-12-17 00:00")):
        with time_machine.travel(moment(at), tick=True):
            items = client.get("/api/invoices/overdue").json()["items"]
        assert [each["number"] for each in items if each["id"] == invoice.pk] == shown


def test_a_transfer_of_so_many_days_ahead_is_counted_from_the_local_day(line: Line) -> None:
    billed(sold(line, "2026-11-01"))

    def imported(day: str) -> int:
        rows = f"Fecha;Referencia;Valor;Concepto\n{day};TR-{day[:2]};1,00;001-001-000000001"
        return import_statement(file=BytesIO(rows.encode()), source="b", at=EVENING).bad

    assert (imported("08/12/2026"), imported("09/12/2026")) == (0, 1)


def test_reminders_and_suspensions_go_by_the_local_day(settings: Any) -> None:
    settings.SUSPEND_AFTER_DAYS, settings.INVOICE_DUE_DAYS = 3, 0
    settings.REMINDER_LADDER = parse_ladder("3:mail")
    line = new_line()
    invoice = bill(line, moment("2026-11-28 12:00"))
    assert invoice.due_on == date(2026, 11, 28)

    def found(at: str) -> tuple[int, int, str]:
        due = work_due(at=moment(at))
        list(suspend_overdue_lines(at=moment(at)))
        return due["reminders"], due["suspended"], fresh(line).status

    assert found("2026-11-30 20:00") == (0, 0, LineStatus.ACTIVE)
    assert found("2026-12-01 00:00") == (1, 1, LineStatus.SUSPENDED)


def test_an_invoice_that_reaches_the_limit_tomorrow_suspends_no_line_today(settings: Any) -> None:
    settings.SUSPEND_AFTER_DAYS, settings.INVOICE_DUE_DAYS, settings.REMINDER_LADDER = 3, 0, ()
    line = new_line()
    reached, tomorrow = (bill(line, moment(f"2026-11-{day} 12:00")) for day in (28, 29))
    assert sum(suspend_overdue_lines(at=EVENING)) == 1
    assert not tomorrow.notices.exists()
    pay(reached, EVENING)
    assert fresh(line).status == LineStatus.ACTIVE


def test_a_reminder_by_hand_goes_by_the_local_day(settings: Any) -> None:
    settings.INVOICE_DUE_DAYS = 0
    invoice = bill(new_line(), moment("2026-11-28 12:00"))
    remind = lambda at: remind_by_hand(invoice=invoice, channel=Channel.SMS, at=moment(at))  # noqa: E731
    assert refusal(lambda: remind("2026-11-28 20:00")) == "not_overdue"
    assert remind("2026-11-29 20:00").days == 1


def test_a_discount_and_a_sale_end_with_the_local_day(line: Line, make_plan: MakePlan) -> None:
    last = date(2026, 12, 1)
    plan = make_plan("last-day", on_sale_until=last)
    Discount.objects.create(name="-10%", percent=10, plan=plan, valid_from=last, valid_until=last)
    period = activate_subscription(line=fresh(line), plan=plan, at=EVENING)
    assert [each["name"] for each in period.discounts] == ["-10%"]
    other = new_line(1)
    assert refusal(lambda: activate_subscription(line=other, plan=plan, at=EVENING + timedelta(hours=4))) == (
        "plan_not_on_sale"
    )


@pytest.mark.parametrize(
    ("suspended", "resumed"),
    [("2026-11-10 20:00", "2026-11-12 10:00"), ("2026-11-10 10:00", "2026-11-12 20:00")],
)
def test_the_days_that_the_operator_took_are_local(line: Line, suspended: str, resumed: str) -> None:
    """The 10th and the 11th: 28 of 30 days of 18.00 are charged."""
    sold(line, "2026-11-01")
    suspend_line(line=fresh(line), reason="OPERATOR", at=moment(suspended))
    resume_line(line=fresh(line), at=moment(resumed))
    assert billed(line).subtotal == D("16.80")


def test_days_taken_after_a_cut_do_not_change_the_price_of_what_was_cut(
    line: Line, make_plan: MakePlan
) -> None:
    """All is used up, and the plan is changed in the evening: an hour later the line is suspended."""
    sold(line, "2026-11-01")
    use(line, 20, moment("2026-11-10"))
    change_plan(line=fresh(line), plan=make_plan("other"), at=moment("2026-11-20 20:00"))
    suspend_line(line=fresh(line), reason="OPERATOR", at=moment("2026-11-20 21:00"))
    period = line.subscriptions.get(sequence=1)
    assert draft_invoice(subscription=period, at=moment("2026-11-29 10:00")).subtotal == D("18.00")


def test_a_run_of_a_month_starts_with_its_local_first_day() -> None:
    evening = moment("2026-11-30 20:00")
    assert refusal(lambda: periods_of("2026-12", at=evening)) == "not_begun"
    periods_of("2026-12", at=moment("2026-12-01 00:00"))


def test_the_run_that_is_due_in_the_evening_is_that_of_last_month(line: Line, settings: Any) -> None:
    settings.BILL_AS_PERIODS_END = False
    sold(line, "2026-10-01")
    run = start_if_due(at=moment("2026-11-30 20:00"))
    assert run is not None
    assert run.period == "2026-10"


def test_the_example_of_a_price_is_of_the_local_day() -> None:
    """IVA was 12 % until 31 March 2024."""
    plan = Plan.objects.get(code="movil-30")
    example = example_of(plan=plan, used=Used(), at=moment("2024-03-31 20:00"))
    assert (example.span.start, example.tax_rate) == (date(2024, 3, 31), D("0.12"))


def test_a_period_is_priced_by_local_days(line: Line) -> None:
    """Sold for a day from the evening, used up and cut at the next noon: two local days are begun."""
    day_plan()
    sold(line, "2026-12-01 20:00", "day")
    use(line, 1, EVENING)
    period = line.subscriptions.get()
    assert (period.start_at, period.expiration_at) == (EVENING, moment("2026-12-02 20:00"))
    invoice = billed(line, "2026-12-02 20:00")
    assert invoice.lines.get(position=1).description == "Day, 01/12/2026 – 01/12/2026"
