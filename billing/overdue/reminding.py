"""Reminders: rung by rung of REMINDER_LADDER, each once."""

from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from itertools import zip_longest

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _

from billing.models import Channel, Invoice, Notice, NoticeKind
from billing.overdue.ladder import Rung
from telcox.common.calendar import local_date
from telcox.common.database.batches import ALL, Share, in_chunks
from telcox.common.database.bulk import bulk_insert
from telcox.common.database.locking import lock_keys, lock_row
from telcox.common.database.retrying import retry_lost_locks
from telcox.common.errors import DomainError

# For how long the highest rung is still said, if nobody said it when it was reached.
STILL_SAID_DAYS = 92


def reminders_due(on: date) -> list[tuple[Rung, QuerySet[Invoice]]]:
    """For each rung the invoices that have reached it by then, and no higher one, and of which neither this
    one nor a higher one was said."""
    rungs = settings.REMINDER_LADDER
    return [(rung, _due(rung, higher, on)) for rung, higher in zip_longest(rungs, rungs[1:])]


def _due(rung: Rung, higher: Rung | None, on: date) -> QuerySet[Invoice]:
    said = Notice.objects.filter(invoice=OuterRef("pk"), kind=NoticeKind.REMINDER, days__gte=rung.days)
    # So that no day looks through all the debts there ever were.
    until = higher.days if higher else rung.days + STILL_SAID_DAYS
    reached = {"due_on__lte": on - timedelta(rung.days), "due_on__gt": on - timedelta(until)}
    return Invoice.objects.overdue(on).filter(~Exists(said), **reached)


def make_reminders(*, at: datetime, share: Share = ALL) -> Iterator[int]:
    """Makes the reminders that are due on the local day of `at`. Each committed transaction is one step: how
    many invoices it reminds of.

    Of the rungs that were missed only the highest is said, so nobody gets a month's reminders in one night.
    Safe to run twice, late, in several places at once, and to be killed.
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
    """Nobody pays these invoices, or writes notices of them, until the transaction ends."""
    lock_keys(Invoice.objects.filter(pk__in=keys))


@transaction.atomic
def remind_by_hand(*, invoice: Invoice, channel: Channel, at: datetime) -> Notice:
    """A reminder by hand, beside those of the ladder; it stands for the rungs that were reached by then.

    Raises DomainError if the invoice is not overdue, or was reminded of today by the same channel.
    """
    invoice = lock_row(Invoice, invoice.pk)
    today = local_date(at)
    if not Invoice.objects.overdue(today).filter(pk=invoice.pk).exists():
        raise DomainError(_("The invoice is not overdue"), reason="not_overdue")
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
    """Of an issued invoice. The day after the one it was due on is the first."""
    assert invoice.due_on is not None
    return max(0, (on - invoice.due_on).days)
