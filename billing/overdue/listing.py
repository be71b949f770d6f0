"""What is overdue, as the office and other programs look at it."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from heapq import merge
from itertools import islice
from typing import Any, NamedTuple

from django.db.models import Count, DecimalField, F, OuterRef, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from billing.models import Invoice, Notice, NoticeKind, NoticeState, Payment
from billing.models.invoices import OPEN

_NOTHING = Value(Decimal(0), output_field=DecimalField(max_digits=14, decimal_places=2))


class Place(NamedTuple):
    """Of an invoice in the list: the longest overdue come first."""

    due_on: date
    pk: int


def with_owed(invoices: QuerySet[Invoice]) -> QuerySet[Invoice]:
    """Each with what is still owed on it in dollars (`owed`), which is `Invoice.outstanding`."""
    paid = Payment.objects.filter(invoice=OuterRef("pk")).order_by().values("invoice")
    credited = Invoice.objects.filter(corrects=OuterRef("pk")).order_by().values("corrects")
    return invoices.annotate(
        owed=F("total")
        - Coalesce(Subquery(paid.values(sum=Sum("amount"))), _NOTHING)
        - Coalesce(Subquery(credited.values(sum=Sum("total"))), _NOTHING)
    )


class Page(NamedTuple):
    """Some of the list, and the place after which the next ones are; None if there are no more."""

    invoices: list[Invoice]
    last: Place | None


def overdue_page(*, on: date, after: Place | None, limit: int) -> Page:
    """The first `limit` invoices overdue on that day that come after a place, each with `owed` and how many
    reminders were sent (`reminders_sent`). Takes the same time on every page, however many there are."""
    wanted = limit + 1  # to know whether there is one more
    overdue = Invoice.objects.overdue(on)
    in_order = merge(*(_places(overdue.filter(status=status), after, wanted) for status in OPEN))
    places = list(islice(in_order, wanted))
    last = places[limit - 1] if len(places) > limit else None
    sent = Notice.objects.filter(
        invoice=OuterRef("pk"), kind=NoticeKind.REMINDER, state=NoticeState.SENT
    ).order_by()
    reminders_sent = Subquery(sent.values("invoice").values(number=Count("pk")))
    invoices = with_owed(Invoice.objects.filter(pk__in=[place.pk for place in places[:limit]]))
    invoices = invoices.annotate(reminders_sent=Coalesce(reminders_sent, 0))
    return Page(list(invoices.select_related("series", "customer").order_by("due_on", "pk")), last)


def _places(invoices: QuerySet[Invoice], after: Place | None, most: int) -> Iterator[Place]:
    """Of one status, in the order of the index on status and day."""
    places: QuerySet[Invoice, Any] = invoices.order_by("due_on", "pk").values_list("due_on", "pk")
    if after:
        same_day = places.filter(due_on=after.due_on, pk__gt=after.pk)
        yield from (Place(*row) for row in same_day[:most])
        places = places.filter(due_on__gt=after.due_on)
    yield from (Place(*row) for row in places[:most])
