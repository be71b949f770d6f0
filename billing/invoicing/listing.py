"""A number's bills as they are shown, each with its last payment."""

from itertools import groupby
from operator import itemgetter
from typing import Any, TypedDict

from django.db.models import QuerySet

from billing.models import Invoice, written_number
from billing.models.invoices import InvoiceQuerySet
from telcox.common.calendar import local_iso
from telcox.common.database.keyset import Page, Place, is_after, page_of
from telcox.common.database.prepared import PreparedQuery, Row

# Bills of a page if the client does not set `limit`.
PAGE = 50


class Bill(TypedDict):
    """A bill as the API returns it. Amounts are in dollars. The payment's fields are null if there is no
    payment, or all were reversed."""

    id: int
    customer_dni: str
    customer_name: str
    phone_number: str
    period: str
    total: float
    tax: float
    discount: float
    payment_method: str | None
    payment_date: str | None
    status: str
    number: str


_INVOICE_FIELDS = [name for name in Bill.__annotations__ if not name.startswith("payment_")]


@PreparedQuery
def _of_number(phone_number: Any) -> QuerySet[Invoice, Row]:
    return _shown(Invoice.objects.of_number(phone_number))


@PreparedQuery
def _of_number_and_user(phone_number: Any, user_id: Any) -> QuerySet[Invoice, Row]:
    return _shown(Invoice.objects.of_number(phone_number).of_user(user_id))


def _shown(invoices: Any) -> Any:
    """Return a row for each payment and reversal of each bill, or one row if a bill has none. Put a
    bill's last payment first.

    Joined, because a subquery for a bill's last payment takes the database twice as long.
    """
    return (
        invoices.issued()
        .bills()
        .order_by("-period", "-id", "-payments__paid_at", "-payments__id")
        .values(
            *_INVOICE_FIELDS,
            "series__prefix",
            "series__pattern",
            "payments__id",
            "payments__reverses_id",
            "payments__payment_method",
            "payments__paid_at",
        )
    )


def bills_of_number(phone_number: str, user: Any = None) -> list[Bill]:
    """Return the number's bills, newest period first; with `user`, only those of this user, because the
    number may have belonged to another customer before. Leave out drafts."""
    if user is None:
        return _bills(_of_number(phone_number=phone_number))
    return _bills(_of_number_and_user(phone_number=phone_number, user_id=user.pk))


def page_of_bills(
    documents: InvoiceQuerySet, *, limit: int = PAGE, before: Place | None = None
) -> Page[Bill]:
    """Return the `limit` bills of one number's documents that come after that place (of `period`), newest
    period first. Two queries, which cost the same however many bills there are."""
    bills = documents.bills().order_by("-period", "-pk")
    if before:
        bills = bills.filter(is_after("-period", before))
    found = page_of([Place(*row) for row in bills.values_list("period", "pk")[: limit + 1]], limit)
    shown = _shown(Invoice.objects.filter(pk__in=[place.pk for place in found.items]))
    return Page(_bills(list(shown)), found.last)


def _bills(rows: list[Row]) -> list[Bill]:
    return [_bill(list(of_one)) for _, of_one in groupby(rows, key=itemgetter("id"))]


def _bill(rows: list[Row]) -> Bill:
    """Return the bill with its last valid payment, which is neither a reversal nor reversed."""
    row, payment = rows[0], _standing_payment(rows)
    return Bill(
        id=row["id"],
        customer_dni=row["customer_dni"],
        customer_name=row["customer_name"],
        phone_number=row["phone_number"],
        period=row["period"],
        total=float(row["total"]),
        tax=float(row["tax"]),
        discount=float(row["discount"]),
        payment_method=payment["payments__payment_method"] if payment else None,
        payment_date=local_iso(payment["payments__paid_at"]) if payment else None,
        status=row["status"],
        number=written_number(row["series__prefix"], row["series__pattern"], row["number"]),
    )


def _standing_payment(rows: list[Row]) -> Row | None:
    reversed_ids = {row["payments__reverses_id"] for row in rows}
    for row in rows:
        pk, reverses = row["payments__id"], row["payments__reverses_id"]
        if pk is not None and reverses is None and pk not in reversed_ids:
            return row
    return None
