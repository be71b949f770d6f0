"""Lists of overdue invoices, for the back-office and the API."""

from datetime import date
from heapq import merge
from itertools import islice

from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce

from billing.models import Invoice, Notice, NoticeKind, NoticeState
from billing.models.invoices import OPEN
from billing.models.owed import with_owed
from telcox.common.database.keyset import Page, Place, page_of, rows_after


def overdue_page(*, on: date, after: Place | None, limit: int) -> Page[Invoice]:
    """Return the first `limit` invoices overdue on that day that come after a place (of `due_on`): the
    longest overdue first, each with `owed` and the number of reminders sent (`reminders_sent`).

    Keyset pagination: every page takes the same time, however many invoices there are.
    """
    overdue = Invoice.objects.overdue(on).values_list("due_on", "pk")
    # One query for each status, because the index is on status and due date.
    each = (rows_after(overdue.filter(status=status), "due_on", after, limit + 1) for status in OPEN)
    found = page_of([Place(*row) for row in islice(merge(*each), limit + 1)], limit)
    sent = Notice.objects.filter(
        invoice=OuterRef("pk"), kind=NoticeKind.REMINDER, state=NoticeState.SENT
    ).order_by()
    reminders_sent = Subquery(sent.values("invoice").values(number=Count("pk")))
    invoices = with_owed(Invoice.objects.filter(pk__in=[place.pk for place in found.items]))
    invoices = invoices.annotate(reminders_sent=Coalesce(reminders_sent, 0))
    return Page(list(invoices.select_related("series", "customer").order_by("due_on", "pk")), found.last)
