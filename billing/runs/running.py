"""Billing runs: start, bill chunk by chunk, stop, resume, finish."""

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

# Time between two updates of `seen_at`. Each update briefly locks the run for every process that bills it.
SEEN_EVERY = timedelta(seconds=5)


def periods_of(period: str, *, at: datetime) -> SubscriptionQuerySet:
    """Return the periods that a run of `2026-11` bills as of `at`: those that have ended by `at` and by the
    end of November, however long ago, have no invoice, and are not quarantined.

    Raise Unprocessable if `period` is not a month or has not started.
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
    """Create a run without starting it, for a dry run first. Raise DomainError if the period has a run, is
    invalid or has not started."""
    periods_of(period, at=at)
    run, is_new = BillingRun.objects.get_or_create(period=period)
    if not is_new:
        raise DomainError(_("This period already has a billing run"), reason="run_exists")
    return run


def start_run(*, period: str, at: datetime, by: str = "") -> BillingRun:
    """Start the period's run, or start it again, as of `at`: plan its chunks. `bill_open_chunks` then bills
    them, in any number of processes at once.

    Raise DomainError (`run_under_way`) if the run is in progress, or if the period is invalid or has not
    started.
    """
    return retry_lost_locks(partial(_start, period, at, by))


def resume_run(*, period: str, at: datetime, by: str = "") -> BillingRun:
    """Start the run again even if another process works on it: a chunk is billed once, however many processes
    take it. Raise DomainError if the run was never started."""
    return retry_lost_locks(partial(_resume, period, at, by))


def start_if_due(*, at: datetime) -> BillingRun | None:
    """Start last month's run, or start it again if it was abandoned or more periods have become billable.
    Return None if there is nothing to do: periods are billed as they end (BILL_AS_PERIODS_END), it is before
    BILLING_HOUR of the first of the month, the run is in progress or was stopped, or all is billed."""
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
    except DomainError:  # another process started it meanwhile
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
    # A run that was started for a future moment keeps that moment.
    at = max(at, run.at or at)
    return _set_going(run, periods_of(period, at=at), at, by)


@transaction.atomic
def stop_run(*, period: str) -> BillingRun:
    """Stop a run: no further chunk is begun; chunks in progress are finished. Raise DomainError if the run is
    not in progress."""
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
    """Bill the open chunks of a run, except those that other processes work on. Yield each chunk billed
    here."""
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
    """Plan the open periods anew. Deleting the open chunks waits for those that another process bills; their
    periods are then billed and not planned again."""
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
    """Set the run to DONE if no chunk is open. This is checked again under the run's lock, since chunks may
    be planned until then."""
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
