"""A run's course: it is started, billed chunk by chunk, stopped, resumed, and done."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import partial

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from billing.invoicing.closing import bill_periods, periods_to_bill
from billing.models import BillingChunk, BillingRun, RunState
from billing.models.runs import PERIOD
from billing.runs.figures import figures_of
from customers.models.subscriptions import SubscriptionQuerySet
from telcox.common.calendar import due_until, local_date, midnight
from telcox.common.database.batches import in_chunks
from telcox.common.database.locking import lock_row, lock_rows
from telcox.common.database.retrying import retry_lost_locks
from telcox.common.errors import DomainError, Unprocessable

# How often it is noted that a run goes on: each time costs all who bill it a moment.
SEEN_EVERY = timedelta(seconds=5)


def periods_of(period: str, *, at: datetime) -> SubscriptionQuerySet:
    """What a run of `2026-11` bills as of `at`: all that has ended by then, or by the end of November, and
    has no invoice; however long ago.

    Raises Unprocessable if that is no period, or it has not begun.
    """
    try:
        PERIOD(period)
        begin = date.fromisoformat(f"{period}-01")
    except (ValidationError, ValueError) as error:
        raise Unprocessable(_("Write the period as year and month: 2026-11"), reason="no_period") from error
    if begin > local_date(at):
        raise Unprocessable(_("The period has not started yet"), reason="not_begun")
    end = midnight((begin + timedelta(days=31)).replace(day=1))
    return periods_to_bill(min(due_until(at), end))


@transaction.atomic
def new_run(*, period: str, at: datetime) -> BillingRun:
    """One that is not started: to be rehearsed first. Raises DomainError if there is one, and if there is no
    such period."""
    periods_of(period, at=at)
    run, is_new = BillingRun.objects.get_or_create(period=period)
    if not is_new:
        raise DomainError(_("This period already has a billing run"), reason="run_exists")
    return run


def start_run(*, period: str, at: datetime, by: str = "") -> BillingRun:
    """Begins, or begins again, to bill what has ended in the period, as of `at`. Who does it then:
    `bill_open_chunks`, in as many places at once as there are.

    Raises DomainError (`run_under_way`) if somebody does it just now, and if there is no such period.
    """
    return retry_lost_locks(partial(_start, period, at, by))


def resume_run(*, period: str, at: datetime, by: str = "") -> BillingRun:
    """The same, and takes the run over from whoever may be at it: two do no more than one. Raises DomainError
    if it was never started."""
    return retry_lost_locks(partial(_resume, period, at, by))


def start_if_due(*, at: datetime) -> BillingRun | None:
    """The run of last month, begun, or begun again where it was left or more has come to bill. None if there
    is nothing to do: it is not BILLING_HOUR yet, or somebody is at it, or has stopped it."""
    first = local_date(at).replace(day=1)
    if settings.BILL_AS_PERIODS_END or at < midnight(first) + timedelta(hours=settings.BILLING_HOUR):
        return None
    period = f"{first - timedelta(days=1):%Y-%m}"
    run = BillingRun.objects.filter(period=period).first()
    if run is not None and (run.state == RunState.STOPPED or is_under_way(run)):
        return None
    left_alone = run is not None and run.state == RunState.RUNNING
    if not (left_alone or periods_of(period, at=at).exists()):
        return None
    try:
        return start_run(period=period, at=at)
    except DomainError:  # somebody was quicker
        return None


@transaction.atomic
def _start(period: str, at: datetime, by: str) -> BillingRun:
    periods = periods_of(period, at=at)
    BillingRun.objects.get_or_create(period=period)
    [run] = lock_rows(BillingRun.objects.filter(period=period))
    if is_under_way(run):
        raise _under_way(run)
    return _set_going(run, periods, at, by)


@transaction.atomic
def _resume(period: str, at: datetime, by: str) -> BillingRun:
    run = _locked(period)
    # One that was run ahead of its time stays there.
    at = max(at, run.at or at)
    return _set_going(run, periods_of(period, at=at), at, by)


@transaction.atomic
def stop_run(*, period: str) -> BillingRun:
    """Lets nobody begin another chunk; those under way are finished. Raises DomainError if the run is not
    under way."""
    run = _locked(period)
    if run.state != RunState.RUNNING:
        raise DomainError(_("The billing run is not in progress"), reason="run_not_under_way")
    run.state = RunState.STOPPED
    run.save(update_fields=["state"])
    return run


def is_under_way(run: BillingRun) -> bool:
    """Return True if the run is in progress: it was seen within the last RUN_SILENT_SECONDS."""
    silent = timedelta(seconds=settings.RUN_SILENT_SECONDS)
    return run.state == RunState.RUNNING and run.seen_at is not None and run.seen_at > timezone.now() - silent


def open_chunks(run: BillingRun) -> QuerySet[BillingChunk]:
    return run.chunks.filter(done_at=None)


def bill_open_chunks(*, run: BillingRun) -> Iterator[BillingChunk]:
    """Bill the open chunks of a run, except those that others work on; yield each one billed here."""
    for key in list(open_chunks(run).order_by("number").values_list("pk", flat=True)):
        if (done := bill_chunk(chunk_id=key)) is not None:
            yield done


def bill_chunk(*, chunk_id: int) -> BillingChunk | None:
    """Bill a chunk, all of it or nothing. Return None if there was nothing to do: it is done, another
    process works on it, or the run is no longer in progress."""
    chunk = retry_lost_locks(partial(_bill, chunk_id))
    if chunk is not None:
        _come_forward(chunk.run_id)
        _finish(chunk.run_id)
    return chunk


@transaction.atomic
def _bill(chunk_id: int) -> BillingChunk | None:
    free = lock_rows(BillingChunk.objects.filter(pk=chunk_id, done_at=None), skip_locked=True)
    if not free:
        return None
    [chunk] = free
    run = BillingRun.objects.get(pk=chunk.run_id)
    if run.state != RunState.RUNNING:
        return None
    assert run.at
    billed = bill_periods(keys=chunk.keys, at=run.at, run=run, by=run.started_by)
    for name, value in billed._asdict().items():
        setattr(chunk, name, value)
    chunk.done_at = timezone.now()
    chunk.save(update_fields=[*billed._fields, "done_at"])
    return chunk


def _set_going(run: BillingRun, periods: SubscriptionQuerySet, at: datetime, by: str) -> BillingRun:
    """Plans what is left anew. A chunk that somebody is at is waited for, and is none of it then."""
    open_chunks(run).delete()
    last = run.chunks.aggregate(last=Max("number"))["last"] or 0
    planned = 0
    for planned, keys in enumerate(in_chunks(periods, "pk"), start=1):
        BillingChunk.objects.create(run=run, number=last + planned, keys=keys, size=len(keys))
    now = timezone.now()
    run.state = RunState.RUNNING if planned else RunState.DONE
    run.at, run.started_at, run.started_by, run.seen_at = at, now, by, now
    run.finished_at = None if planned else now
    run.save(update_fields=["state", "at", "started_at", "started_by", "seen_at", "finished_at"])
    return run


def _locked(period: str) -> BillingRun:
    found = lock_rows(BillingRun.objects.filter(period=period))
    if not found or found[0].state == RunState.NEW:
        raise DomainError(_("The billing run was never started"), reason="run_not_started")
    return found[0]


def _come_forward(run_id: int) -> None:
    now = timezone.now()
    BillingRun.objects.filter(pk=run_id, seen_at__lt=now - SEEN_EVERY).update(seen_at=now)


def _finish(run_id: int) -> None:
    """The run is done when no chunk is open: who does the last one sees that. Looked at twice, since more may
    be planned until the run is locked."""
    of_it = BillingChunk.objects.filter(run=run_id, done_at=None)
    if of_it.exists():
        return
    with transaction.atomic():
        run = lock_row(BillingRun, run_id)
        if run.state == RunState.RUNNING and not of_it.exists():
            run.state, run.finished_at = RunState.DONE, timezone.now()
            run.save(update_fields=["state", "finished_at"])


def _under_way(run: BillingRun) -> DomainError:
    figures = figures_of(run)
    since = date_format(timezone.localtime(run.started_at), "SHORT_DATETIME_FORMAT")
    return DomainError(
        _("%(period)s is already being billed: started by %(by)s on %(since)s, %(done)d of %(all)d done")
        % {
            "period": run.period,
            "by": run.started_by or _("the system"),
            "since": since,
            "done": figures.done,
            "all": figures.size,
        },
        reason="run_under_way",
    )
