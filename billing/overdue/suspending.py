"""Suspension of a line whose invoice has been unpaid for SUSPEND_AFTER_DAYS, and its resumption after
payment."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from billing.models import (
    Channel,
    Invoice,
    InvoiceEvent,
    InvoiceStatus,
    Notice,
    NoticeKind,
    NoticeState,
)
from billing.models.invoices import OPEN
from billing.overdue.reminding import days_overdue, is_beside_credit, lock_invoices
from customers.lifecycle import lock_line
from customers.models import Line, LineStatus, Suspension, SuspensionReason
from customers.services import resume_line, suspend_line
from telcox.common.calendar import local_date
from telcox.common.database.batches import ALL, Share, in_chunks, in_pieces
from telcox.common.database.locking import lock_rows

# Lines suspended in one transaction: each takes some statements of its own.
LINES_AT_ONCE = 50


def _owed_by_holders() -> QuerySet[Invoice]:
    """Return open invoices whose customer still holds the line: a line is not suspended for the debt of a
    previous holder."""
    return Invoice.objects.bills().filter(status__in=OPEN, customer=F("subscription__line__customer"))


def _reached_by(on: date) -> date:
    """Return the day by which an invoice must have been due to have reached the limit. Without a limit, any
    overdue invoice has."""
    return on - timedelta(max(settings.SUSPEND_AFTER_DAYS, 1))


def invoices_to_suspend_for(on: date) -> QuerySet[Invoice]:
    """Return invoices that have reached the limit and have not been processed yet, of post-paid lines that
    are in service or already suspended for non-payment.

    An invoice suspends its line once: a line that staff resume by hand is not suspended again the day after.
    It does so again only if it was paid since, and the payment was reversed. Invoices beside credit are set
    off first.
    """
    if not settings.SUSPEND_AFTER_DAYS:
        return Invoice.objects.none()
    paid_since = InvoiceEvent.objects.filter(
        invoice=OuterRef("invoice"), from_status=InvoiceStatus.PAID, at__gt=OuterRef("created_at")
    )
    noted = Notice.objects.filter(~Exists(paid_since), invoice=OuterRef("pk"), kind=NoticeKind.SUSPENSION)
    suspended = Suspension.objects.filter(
        line=OuterRef("subscription__line"), is_open=True, reason=SuspensionReason.NON_PAYMENT
    )
    return _owed_by_holders().filter(
        ~Exists(noted),
        ~is_beside_credit(),
        Q(subscription__line__status=LineStatus.ACTIVE) | Exists(suspended),
        due_on__lte=_reached_by(on),
        subscription__line__prepaid=False,
    )


def suspend_overdue_lines(*, at: datetime, share: Share = ALL) -> Iterator[int]:
    """Suspend the lines of invoices that have reached the limit on the local day of `at`. Each step is one
    committed transaction: it yields the number of lines that it suspended.

    It is safe to run this twice, late, or in several processes at once, and to kill it.
    """
    due = share.among(invoices_to_suspend_for(local_date(at)), "subscription__line_id")
    for line_ids in in_chunks(due, "subscription__line_id", LINES_AT_ONCE, by="due_on"):
        pieces = in_pieces(partial(_suspend, at=at), sorted(set(line_ids)), "suspended")
        yield sum(done or 0 for done in pieces)


@transaction.atomic
def _suspend(line_ids: Sequence[int], at: datetime) -> int:
    on = local_date(at)
    due = invoices_to_suspend_for(on).filter(subscription__line__in=line_ids)
    keys = list(due.values_list("pk", flat=True))
    lock_invoices(keys)
    lines = lock_rows(Line.objects.filter(pk__in=line_ids))
    found: dict[int, list[Invoice]] = {line.pk: [] for line in lines}
    for invoice in (
        due.filter(pk__in=keys).annotate(line_id=F("subscription__line_id")).order_by("due_on", "pk")
    ):
        found[invoice.line_id].append(invoice)
    notices: list[Notice] = []
    suspended = 0
    for line in lines:
        invoices = found[line.pk]
        if invoices and line.status == LineStatus.ACTIVE:
            suspend_line(line=line, reason=SuspensionReason.NON_PAYMENT, at=at)
            suspended += 1
            oldest = invoices.pop(0)
            notices += [_notice(oldest, channel, at) for channel in Channel]
        # The customer is notified about one invoice, but all of them count as processed.
        notices += [_already(invoice, at) for invoice in invoices]
    # A notice of today exists if the invoice was paid and is owed again within the day.
    Notice.objects.bulk_create(notices, ignore_conflicts=True)
    return suspended


def _notice(invoice: Invoice, channel: Channel, at: datetime) -> Notice:
    return Notice(
        invoice=invoice,
        kind=NoticeKind.SUSPENSION,
        days=days_overdue(invoice, local_date(at)),
        channel=channel,
        created_at=at,
    )


def _already(invoice: Invoice, at: datetime) -> Notice:
    notice = _notice(invoice, Channel.MAIL, at)
    notice.state, notice.problem = NoticeState.DROPPED, _("The line was suspended for another invoice")
    return notice


@transaction.atomic
def resume_if_paid_up(*, invoice: Invoice, at: datetime, by: str = "") -> None:
    """Resume the invoice's line if it is suspended for non-payment, and its holder owes nothing on invoices
    that have reached the limit or suspended the line.

    Call it when something was paid or credited, in the same transaction. Lines are locked before wallets
    (telcox/common/database/locking.py): call it before a wallet is locked, or lock the line before that.
    """
    unpaid = {"suspensions__is_open": True, "suspensions__reason": SuspensionReason.NON_PAYMENT}
    held = Line.objects.filter(subscriptions__invoices=invoice.pk, **unpaid).first()
    if held is None:
        return
    # Under this lock, if two payments each pay one of the last two invoices, the later one sees both paid.
    line = lock_line(held)
    suspension = line.suspensions.filter(is_open=True, reason=SuspensionReason.NON_PAYMENT).first()
    if suspension and not _still_owed(line, local_date(at)):
        resume_line(line=line, at=max(at, suspension.start_at), by=by)


def _still_owed(line: Line, on: date) -> bool:
    suspends = Notice.objects.filter(invoice=OuterRef("pk"), kind=NoticeKind.SUSPENSION)
    owed = _owed_by_holders().filter(subscription__line=line)
    return owed.filter(Q(due_on__lte=_reached_by(on)) | Exists(suspends)).exists()
