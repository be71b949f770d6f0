"""A number's bills as they are shown, each with its last payment."""

from typing import Any, TypedDict

from django.db.models import QuerySet

from billing.models import Invoice, written_number
from telcox.common.calendar import spoken
from telcox.common.prepared import PreparedQuery, Row


class Bill(TypedDict):
    """Money in dollars; the payment's fields are null while nothing was paid."""

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


@PreparedQuery
def _of_number(phone_number: Any) -> QuerySet[Invoice, Row]:
    return _shown(Invoice.objects.of_number(phone_number))


@PreparedQuery
def _of_number_and_user(phone_number: Any, user_id: Any) -> QuerySet[Invoice, Row]:
    return _shown(Invoice.objects.of_number(phone_number).of_user(user_id))


def _shown(invoices: Any) -> Any:
    return (
        invoices.issued()
        .newest_period_first()
        .with_last_payment()
        .values(*Bill.__annotations__, "series__prefix")
    )


def bills_of_number(phone_number: str) -> list[Bill]:
    """Newest period first; drafts are not shown."""
    return [_bill(row) for row in _of_number(phone_number=phone_number)]


def bills_of_number_and_user(phone_number: str, user: Any) -> list[Bill]:
    """The same, of those that are this user's own: a number may have been somebody else's before."""
    return [_bill(row) for row in _of_number_and_user(phone_number=phone_number, user_id=user.pk)]


def _bill(row: Row) -> Bill:
    paid_at = row["payment_date"]
    return Bill(
        id=row["id"],
        customer_dni=row["customer_dni"],
        customer_name=row["customer_name"],
        phone_number=row["phone_number"],
        period=row["period"],
        total=float(row["total"]),
        tax=float(row["tax"]),
        discount=float(row["discount"]),
        payment_method=row["payment_method"],
        payment_date=paid_at and spoken(paid_at),
        status=row["status"],
        number=written_number(row["series__prefix"], row["number"]),
    )
