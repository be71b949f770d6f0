"""Reminders of overdue invoices: one for each rung of REMINDER_LADDER."""

from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from itertools import zip_longest

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _

from billing.models import Channel, Invoice, Notice, NoticeKind
from billing.models.owed import beside_credit
from billing.overdue.ladder import Rung
from telcox.common.calendar import local_date
from telcox.common.database.batches import ALL, Share, in_chunks
from telcox.common.database.bulk import bulk_insert
from telcox.common.database.locking import lock_keys, lock_row
from telcox.common.database.retrying import retry_lost_locks
from telcox.common.errors import DomainError

# For this many days after the highest rung was reached, a reminder that was missed is still made.
STILL_SAID_DAYS = 92


def reminders_due(on: date) -> list[tuple[Rung, QuerySet[Invoice]]]:
    """Return for each rung the invoices that have reached it by the day `on`, but no higher one, and have no
    reminder of this rung or of a higher one. Invoices beside credit are set off first."""
    rungs = settings.REMINDER_LADDER
    return [(rung, _due(rung, higher, on)) for rung, higher in zip_longest(rungs, rungs[1:])]


def _due(rung: Rung, higher: Rung | None, on: date) -> QuerySet[Invoice]:
    said = Notice.objects.filter(invoice=OuterRef("pk"), kind=NoticeKind.REMINDER, days__gte=rung.days)
    # Without a limit, each day would search all old debts.
    until = higher.days if higher else rung.days + STILL_SAID_DAYS
    reached = {"due_on__lte": on - timedelta(rung.days), "due_on__gt": on - timedelta(until)}
    return Invoice.objects.overdue(on).filter(~Exists(said), ~is_beside_credit(), **reached)


def is_beside_credit() -> Exists:
    """Return the condition that the line of an invoice has credit, which pays it first."""
    return Exists(beside_credit().filter(pk=OuterRef("pk")))


def make_reminders(*, at: datetime, share: Share = ALL) -> Iterator[int]:
    """Make the reminders that are due on the local day of `at`. Each step is one committed transaction: it
    yields the number of invoices that it made reminders for.

    If several rungs were missed, only the highest is made, so that no customer gets a month's reminders in
    one night. It is safe to run this twice, late, or in several processes at once, and to kill it.
    """
    for rung, due in reminders_due(local_date(at)):
        for keys in in_chunks(share.among(due, "pk"), "pk", by="due_on"):
            yield retry_lost_locks(partial(_remind, keys, rung, due, at))


@transaction.atomic
def _remind(keys: Sequence[int], rung: Rung, due: QuerySet[Invoice], at: datetime) -> int:
    lock_invoices(keys)
    found = due.filter(pk__in=keys).values_list("pk", flat=True)
    notices = [
        Notice(invoice_id=pk, kind=NoticeKind.REMINDER, days=rung.days, channel=channel, created_at=at)
        for pk in found
        for channel in rung.channels
    ]
    bulk_insert(notices)
    return len(notices) // len(rung.channels)


def lock_invoices(keys: Collection[int]) -> None:
    """Lock these invoices until the transaction ends: no other transaction pays them or makes notices of
    them."""
    lock_keys(Invoice.objects.filter(pk__in=keys))


@transaction.atomic
def remind_by_hand(*, invoice: Invoice, channel: Channel, at: datetime) -> Notice:
    """Make a reminder by hand, in addition to the ladder's. It counts for the rungs that were reached by
    then.

    Raise DomainError if the invoice is not overdue, the line's wallet has credit that is to pay it, or the
    customer was reminded of it today by the same channel.
    """
    invoice = lock_row(Invoice, invoice.pk)
    today = local_date(at)
    if not Invoice.objects.overdue(today).filter(pk=invoice.pk).exists():
        raise DomainError(_("The invoice is not overdue"), reason="not_overdue")
    if beside_credit().filter(pk=invoice.pk).exists():
        raise DomainError(
            _("The line's wallet has credit, which the next day's run sets off against the invoice"),
            reason="beside_credit",
        )
    notice, made = Notice.objects.get_or_create(
        invoice=invoice,
        kind=NoticeKind.REMINDER,
        days=days_overdue(invoice, today),
        channel=channel,
        defaults={"created_at": at},
    )
    if not made:
        raise DomainError(
            _("The customer was already reminded of this invoice today"), reason="reminded_today"
        )
    return notice


def days_overdue(invoice: Invoice, on: date) -> int:
    """Return the days that an issued invoice is overdue, at least 0. The day after the due date is day 1."""
    assert invoice.due_on is not None
    return max(0, (on - invoice.due_on).days)
