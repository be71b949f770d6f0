"""Queries that are compiled once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from billing.api.serializers import InvoiceOutput
from billing.bss import LocalGateway
from billing.invoicing.listing import Bill, bills_of_number
from billing.models import Invoice
from customers.api.serializers import CustomerSummaryOutput
from customers.models import Line, Subscription
from telcox.common.database.prepared import PreparedQuery

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("seeded")]

JESUS = "0969786985"


def of_line(phone_number):
    columns = ("id", "price", "expiration_at", "line__auto_renew", "usage_counter__version", "plan__name")
    return Subscription.objects.filter(line__phone_number=phone_number).values(*columns)


def test_rows_are_those_of_the_queryset_with_their_types() -> None:
    rows = PreparedQuery(of_line)(phone_number=JESUS)
    assert rows == list(of_line(JESUS))
    types = {name: type(value) for name, value in rows[0].items()}
    assert types["price"] is Decimal
    assert types["expiration_at"] is datetime
    assert types["line__auto_renew"] is bool
    assert rows[0]["expiration_at"].tzinfo == UTC


def test_it_is_built_once_and_run_with_other_values() -> None:
    built = []

    def counted(phone_number):
        built.append(phone_number)
        return of_line(phone_number)

    query = PreparedQuery(counted)
    for line in Line.objects.all():
        assert query(phone_number=line.phone_number) == list(of_line(line.phone_number))
    assert query(phone_number="0911111111") == []
    assert len(built) == 1


def test_it_costs_one_query(django_assert_num_queries) -> None:
    query = PreparedQuery(of_line)
    with django_assert_num_queries(2):
        query(phone_number=JESUS)
        query(phone_number=JESUS)


@pytest.mark.parametrize("text", ["' OR '1'='1", "%s", "%(x)s", '"; DROP TABLE customers_line; --', "\\"])
def test_values_are_never_part_of_the_statement(text: str) -> None:
    assert PreparedQuery(of_line)(phone_number=text) == []


@pytest.mark.parametrize("values", [{}, {"number": JESUS}, {"phone_number": JESUS, "more": 1}])
def test_other_parameters_than_the_querys_are_an_error(values: dict[str, str]) -> None:
    with pytest.raises(TypeError, match="expected"):
        PreparedQuery(of_line)(**values)


@pytest.mark.parametrize("value", [None, 1.5, [1.5], {None}, Decimal(1)])
def test_only_text_integers_and_moments_are_passed(value) -> None:
    with pytest.raises(TypeError, match="text, integers or a moment"):
        PreparedQuery(of_line)(phone_number=value)


def of_lines(lines, at):
    periods = Subscription.objects.filter(line__in=lines, start_at__lt=at)
    return periods.order_by("pk").values("pk", "line__phone_number", "start_at")


def test_several_values_are_as_many_as_they_are(django_assert_num_queries) -> None:
    query = PreparedQuery(of_lines)
    keys = list(Line.objects.order_by("pk").values_list("pk", flat=True))
    at = datetime(2100, 1, 1, tzinfo=UTC)
    for several in (keys[:1], tuple(keys), set(keys[1:]), dict.fromkeys(keys, 1).keys()):
        assert query(lines=several, at=at) == list(of_lines(several, at)) != []
    with django_assert_num_queries(0):
        assert query(lines=[], at=at) == []


@pytest.mark.parametrize("microseconds", [-1, 0, 1])
def test_a_moment_is_that_moment(microseconds: int) -> None:
    query = PreparedQuery(of_lines)
    first = Subscription.objects.earliest("start_at")
    at = (first.start_at + timedelta(microseconds=microseconds)).astimezone(ZoneInfo("America/Guayaquil"))
    assert query(lines=[first.line_id], at=at) == list(of_lines([first.line_id], at))
    assert bool(query(lines=[first.line_id], at=at)) == (microseconds > 0)


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
def test_threads_do_not_meet() -> None:
    query = PreparedQuery(of_line)
    numbers = list(Line.objects.values_list("phone_number", flat=True)) * 30

    def prices(number: str) -> list[Decimal]:
        try:
            return [row["price"] for row in query(phone_number=number)]
        finally:
            connection.close()

    expected = {number: [row["price"] for row in of_line(number)] for number in numbers}
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(prices, numbers)) == [expected[number] for number in numbers]


def test_what_is_answered_is_what_the_api_document_describes() -> None:
    assert list(InvoiceOutput().fields) == list(Bill.__annotations__)
    invoices = list(Invoice.objects.of_number(JESUS).order_by("-period", "-id"))
    for invoice in invoices:
        last = invoice.payments.order_by("-paid_at", "-id").first()
        invoice.payment_method = last and last.payment_method
        invoice.payment_date = last and last.paid_at
    assert [dict(row) for row in InvoiceOutput(invoices, many=True).data] == bills_of_number(JESUS)
    summary = LocalGateway().summary(JESUS)
    assert dict(CustomerSummaryOutput(summary).data) == summary.shown()
