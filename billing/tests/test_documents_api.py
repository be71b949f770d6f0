"""Why is my bill this? Documents and the use behind them, through the front door."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from billing.daily import run_day
from billing.invoicing.closing import invoiced_periods
from billing.invoicing.drafting import Document, draft_invoice
from billing.invoicing.issuing import issue_documents
from billing.models import Invoice, InvoiceKind, InvoiceLine, InvoiceSeries
from billing.sales.services import activate_subscription, buy_pack, change_plan
from billing.settling.paying import receive_payment
from billing.tests.builders import fresh, moment
from customers.models import Customer, Line, Plan
from usage.models import UsageCounter
from usage.purging import purge_events
from usage.services import record_usage
from usage.vocabulary import COUNTER_FIELDS

pytestmark = pytest.mark.django_db

GB = 2**30
NUMBER = "0955555555"
FIRST, SECOND = moment("2026-12-01 03:00"), moment("2027-01-01 03:00")
Queries = Callable[[int], AbstractContextManager[Any]]
Make = Callable[..., Any]


@pytest.fixture
def sold(line: Line, make_plan: Make, make_pack: Make) -> Line:
    """November and December billed: 34 GB, of them 4 of social networks, which are free; a pack; and 2 GB of
    November that arrived in December."""
    plan = make_plan(
        "monthly",
        name="Móvil 30 GB",
        price="22.00",
        validity_days=0,
        data_bytes=30 * GB,
        overage_price_per_gb="1.20",
        zero_rated_social=True,
        rollover_share="0.5",
    )
    activate_subscription(line=line, plan=plan, at=moment("2026-11-01"))
    buy_pack(line=fresh(line), pack=make_pack("mas"), reference="R-1", at=moment("2026-11-02"))
    for day, category, gigabytes in ((3, "SOCIAL", 4), (3, "ENTERTAINMENT", 20), (28, "ENTERTAINMENT", 12)):
        use(category, gigabytes, f"2026-11-{day:02} 23:30")
    run_day(at=FIRST)
    use("ENTERTAINMENT", 2, "2026-11-30 12:00", at="2026-12-20")
    run_day(at=SECOND)
    return line


def use(category: Any, gigabytes: int, of: str, at: str = "") -> None:
    record_usage(
        phone_number=NUMBER,
        category=category,
        quantity=gigabytes * GB,
        source="t",
        occurred_at=moment(of),
        at=moment(at or of),
    )


def invoice_of(line: Line, sequence: int) -> Invoice:
    return Invoice.objects.get(subscription__line=line, subscription__sequence=sequence)


def ask(client: Client, invoice: Invoice, rest: str = "", number: str = NUMBER) -> dict[str, Any]:
    answer = client.get(f"/api/customers/{number}/invoices/{invoice.pk}{rest}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def credit_note_of(invoice: Invoice) -> Invoice:
    """Over its first line."""
    first = invoice.lines.get(position=1)
    amounts = {"subtotal": first.amount, "tax": first.tax, "total": first.amount + first.tax}
    note = Invoice(
        kind=InvoiceKind.CREDIT_NOTE,
        corrects=invoice,
        in_force=None,
        **{
            field: getattr(invoice, field)
            for field in ("customer", "period", "customer_dni", "customer_name", "phone_number", "tax_rate")
        },
        **amounts,
    )
    line = InvoiceLine(
        position=1,
        credits=1,
        **{
            field: getattr(first, field)
            for field in ("description", "quantity", "unit", "unit_price", "amount", "discount", "tax")
        },
    )
    issue_documents([Document(note, [line])], series="001-002", payments={}, at=SECOND)
    return note


class TestTheDocument:
    def test_its_lines_and_what_they_were_reckoned_from(
        self, sold: Line, open_api: None, client: Client
    ) -> None:
        november = ask(client, invoice_of(sold, 1))
        assert (november["kind"], november["status"], november["period"]) == ("INVOICE", "ISSUED", "2026-11")
        assert november["number"] == invoice_of(sold, 1).full_number
        assert [
            (line["position"], line["unit"], line["quantity"], line["unit_price"], line["amount"])
            for line in november["lines"]
        ] == [(1, "PERIOD", 1, 22, 22), (2, "PACK", 1, 4, 4), (3, "GB", 1, 1.2, 1.2)]
        assert (november["subtotal"], november["tax_rate"], november["tax"], november["total"]) == (
            27.2,
            0.15,
            4.08,
            31.28,
        )
        assert sum(line["total"] for line in november["lines"]) == pytest.approx(november["total"])
        why = november["reckoned_from"]
        assert (why["used"]["used_social_bytes"], why["used"]["used_entertainment_bytes"]) == (
            4 * GB,
            32 * GB,
        )
        assert why["zero_rated"] == ["used_social_bytes"]
        assert (why["included"]["data_bytes"], why["granted"]["data_bytes"]) == (30 * GB, 31 * GB)
        assert [(pack["name"], pack["price"], pack["data_bytes"]) for pack in why["packs"]] == [
            ("Mas", 4, GB)
        ]
        assert (why["terms"]["plan_name"], why["terms"]["overage_price_per_gb"]) == ("Móvil 30 GB", 1.2)
        assert (why["span"]["start"], why["span"]["end"]) == ("2026-11-01", "2026-12-01")

    def test_a_line_of_late_usage_says_of_which_month_it_is(
        self, sold: Line, open_api: None, client: Client
    ) -> None:
        lines = ask(client, invoice_of(sold, 2))["lines"]
        assert [(line["late_for"], line["quantity"], line["amount"]) for line in lines] == [
            (None, 1, 22),
            ("2026-11", 2, 2.4),
        ]

    def test_its_payments_and_credit_notes(self, sold: Line, open_api: None, client: Client) -> None:
        invoice = invoice_of(sold, 1)
        receive_payment(
            invoice=invoice,
            amount=Decimal("31.28"),
            payment_method="TARJETA",
            reference="TR-1",
            at=moment("2026-12-05 10:00"),
        )
        note = credit_note_of(invoice)
        shown = ask(client, invoice)
        assert shown["payments"] == [
            {
                "payment_method": "TARJETA",
                "paid_at": "2026-12-05T10:00:00-05:00",
                "amount": 31.28,
                "reversal": False,
            }
        ]
        assert [(each["id"], each["number"], each["total"]) for each in shown["credit_notes"]] == [
            (note.pk, note.full_number, 25.3)
        ]
        of_note = ask(client, note)
        assert (of_note["kind"], of_note["corrects"]["number"]) == ("CREDIT_NOTE", shown["number"])
        assert (of_note["reckoned_from"], of_note["lines"][0]["amount"]) == (None, 22)

    def test_it_costs_as_many_queries_however_much_belongs_to_it(
        self, sold: Line, open_api: None, client: Client, django_assert_num_queries: Queries
    ) -> None:
        invoice = invoice_of(sold, 1)
        with django_assert_num_queries(4):
            ask(client, invoice)
        for cents in range(1, 8):
            receive_payment(
                invoice=invoice,
                amount=Decimal(cents).scaleb(-2),
                payment_method="TARJETA",
                reference=f"TR-{cents}",
                at=SECOND,
            )
        for _ in range(7):
            credit_note_of(invoice)
        with django_assert_num_queries(4):
            assert len(ask(client, invoice)["credit_notes"]) == 7


class TestWhoSeesIt:
    @pytest.mark.parametrize("rest", ["", "/usage", "/"])
    def test_only_the_customer(self, sold: Line, closed_api: None, client: Client, rest: str) -> None:
        path = f"/api/customers/{NUMBER}/invoices/{invoice_of(sold, 1).pk}{rest}"
        assert client.get(path).status_code in (401, 403)
        stranger, owner = User.objects.create_user("stranger"), User.objects.create_user("owner")
        Customer.objects.filter(pk=sold.customer_id).update(user=owner)
        client.force_login(stranger)
        assert client.get(path).status_code == 404
        client.force_login(owner)
        assert client.get(path).status_code == 200
        # Who has the number now does not see what was sent to who had it before.
        heir = Customer.objects.exclude(pk=sold.customer_id).first()
        assert heir is not None
        Customer.objects.filter(pk=heir.pk).update(user=stranger)
        Line.objects.filter(pk=sold.pk).update(customer=heir)
        client.force_login(stranger)
        assert client.get(path).status_code == 404

    def test_not_a_draft_nor_under_another_number_nor_what_is_none(
        self, sold: Line, open_api: None, client: Client
    ) -> None:
        draft = draft_invoice(subscription=sold.subscriptions.get(sequence=3), at=SECOND + timedelta(days=1))
        for path in (
            f"{NUMBER}/invoices/{draft.pk}",
            f"0969786985/invoices/{invoice_of(sold, 1).pk}",
            f"{NUMBER}/invoices/{'9' * 18}",
            f"{NUMBER}/invoices/{'9' * 5000}",
            f"{NUMBER}/invoices/first",
            f"{NUMBER}/invoices/{draft.pk}/usage",
        ):
            answer = client.get(f"/api/customers/{path}")
            assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json"), path
        assert client.get("/api/customers/none/invoices/1").status_code == 422


def sums(behind: dict[str, Any]) -> list[dict[str, int]]:
    """What the days have, and what was rated and arrived later."""
    return [
        {field: sum(day[field] for day in behind["days"]) for field in COUNTER_FIELDS.values()},
        {field: behind["rated"][field] + behind["arrived_later"][field] for field in COUNTER_FIELDS.values()},
    ]


class TestTheUseBehindIt:
    def test_the_days_are_what_was_rated_and_what_arrived_later(
        self, sold: Line, open_api: None, client: Client
    ) -> None:
        behind = ask(client, invoice_of(sold, 1), "/usage")
        assert [(day["day"], day["used_entertainment_bytes"]) for day in behind["days"]] == [
            ("2026-11-03", 20 * GB),
            ("2026-11-28", 12 * GB),
            ("2026-11-30", 2 * GB),
        ]
        assert behind["rated"]["used_entertainment_bytes"] == 32 * GB
        assert behind["arrived_later"]["used_entertainment_bytes"] == 2 * GB
        counter = UsageCounter.objects.filter(subscription__line=sold, subscription__sequence=1)
        assert sums(behind) == [counter.values(*COUNTER_FIELDS.values()).get()] * 2

    def test_it_stays_so_when_events_are_purged(self, sold: Line, open_api: None, client: Client) -> None:
        before = ask(client, invoice_of(sold, 1), "/usage")
        purged = purge_events(of=invoiced_periods(), before=date(2026, 12, 1), at=moment("2027-03-01"))
        assert sum(events for _period, events in purged)
        assert ask(client, invoice_of(sold, 1), "/usage") == before

    def test_of_a_period_that_was_cut_by_a_change_of_plan(
        self, sold: Line, make_plan: Make, open_api: None, client: Client
    ) -> None:
        use("ENTERTAINMENT", 3, "2027-01-04 10:00")
        other: Plan = make_plan("other", validity_days=0)
        change_plan(line=fresh(sold), plan=other, at=moment("2027-01-05 15:00"))
        use("ENTERTAINMENT", 5, "2027-01-05 18:00")
        run_day(at=moment("2027-02-01 03:00"))
        for sequence, gigabytes in ((3, 3), (4, 5)):
            behind = ask(client, invoice_of(sold, sequence), "/usage")
            of_days, together = sums(behind)
            assert of_days == together
            assert behind["rated"]["used_entertainment_bytes"] == gigabytes * GB
            assert not any(behind["arrived_later"].values())

    def test_late_lines_lead_to_the_invoice_whose_days_are_behind_them(
        self, sold: Line, open_api: None, client: Client
    ) -> None:
        first = invoice_of(sold, 1)
        assert [each["id"] for each in ask(client, invoice_of(sold, 2), "/usage")["late"]] == [first.pk]
        assert ask(client, first, "/usage")["late"] == []

    def test_a_credit_note_has_none(self, sold: Line, open_api: None, client: Client) -> None:
        note = credit_note_of(invoice_of(sold, 1))
        assert client.get(f"/api/customers/{NUMBER}/invoices/{note.pk}/usage").status_code == 404

    def test_it_costs_three_queries(
        self, sold: Line, open_api: None, client: Client, django_assert_num_queries: Queries
    ) -> None:
        invoice = invoice_of(sold, 2)
        with django_assert_num_queries(3):
            ask(client, invoice, "/usage")


JESUS = "0969786985"


class TestPagesOfBills:
    @pytest.fixture
    def ten_years(self, seeded: None, open_api: None) -> None:
        """Of them twelve in one month."""
        example = Invoice.objects.get(period="2025-06", phone_number=JESUS)
        series = InvoiceSeries.objects.get(prefix="HIST")
        InvoiceSeries.objects.filter(pk=series.pk).update(last_number=1_200)
        for nth in range(132):
            example.pk, example.series, example.number = None, series, 1000 + nth
            example.period = f"{2015 + nth // 12}-{nth % 12 + 1:02d}" if nth < 120 else "2024-12"
            example.save(force_insert=True)

    def test_together_they_are_what_is_answered_without_them(
        self, ten_years: None, client: Client, django_assert_num_queries: Queries
    ) -> None:
        with django_assert_num_queries(1):
            whole = client.get(f"/api/customers/{JESUS}/billing").json()
        assert list(whole) == ["items"]
        assert len(whole["items"]) == 134
        items, query = [], "limit=7"
        while query:
            with django_assert_num_queries(2):
                page = client.get(f"/api/customers/{JESUS}/billing?{query}").json()
            assert len(page["items"]) == 7 or page["next"] is None
            items += page["items"]
            query = page["next"] and f"limit=7&before={page['next']}"
        assert items == whole["items"]

    def test_a_page_that_nobody_gave_a_size_has_fifty(self, ten_years: None, client: Client) -> None:
        page = client.get(f"/api/customers/{JESUS}/billing?before=2024-12_999999999").json()
        assert (len(page["items"]), page["items"][0]["period"]) == (50, "2024-12")

    def test_who_has_no_bills_has_an_empty_page(self, seeded: None, open_api: None, client: Client) -> None:
        answer = client.get("/api/customers/0911111111/billing?limit=5")
        assert answer.json() == {"items": [], "next": None}

    @pytest.mark.parametrize(
        "query",
        ["limit=0", "limit=101", "limit=-1", "limit=ten", "before=2026-11", "before=x_1",
         f"before=2026-11_{'9' * 30}"],
    )  # fmt: skip
    def test_what_is_no_page_is_refused(
        self, seeded: None, open_api: None, client: Client, query: str
    ) -> None:
        answer = client.get(f"/api/customers/{JESUS}/billing?{query}")
        assert (answer.status_code, answer["Content-Type"]) == (422, "application/problem+json")
