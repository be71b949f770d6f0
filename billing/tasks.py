"""Celery tasks: scheduled work (the times are in CELERY_BEAT_SCHEDULE), and work that is too long for a
request."""

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from billing import daily, notices
from billing.models import BillingRun
from billing.runs import rehearsing, running
from telcox.common.database.retrying import DATABASE_UNAVAILABLE

# Longest round of notices, in seconds. A worker has other tasks, too, and the next round comes in a minute.
ROUND = 45.0


@shared_task
def run_day() -> None:
    """Do everything that is due by now. Safe to run often, and in several processes at once."""
    daily.run_day(at=timezone.now())


@shared_task
def send_notices() -> None:
    """Send waiting notices. Safe to run often, and in several processes at once."""
    notices.send_notices(clock=timezone.now, seconds=ROUND)


@shared_task
def bill_last_month() -> None:
    """Start last month's billing run, resume it if it was abandoned, and bill periods that became billable
    since. A run that a clerk has stopped stays stopped."""
    run = running.start_if_due(at=timezone.now())
    if run is not None:
        bill_run.delay(run.pk)


@shared_task
def bill_run(run_id: int) -> None:
    """Queue the open chunks of a run for billing, one task each, for all workers. Without a broker, bill them
    in this process."""
    run = BillingRun.objects.get(pk=run_id)
    if settings.CELERY_TASK_ALWAYS_EAGER:
        for _ in running.bill_open_chunks(run=run):
            pass
        return
    for chunk_id in running.open_chunks(run).order_by("number").values_list("pk", flat=True):
        bill_chunk.delay(chunk_id)


@shared_task(autoretry_for=DATABASE_UNAVAILABLE, max_retries=20, retry_backoff=True, retry_backoff_max=30)
def bill_chunk(chunk_id: int) -> None:
    """Bill a chunk. A chunk whose task runs twice is billed once."""
    running.bill_chunk(chunk_id=chunk_id)


@shared_task
def rehearse_run(run_id: int) -> None:
    rehearsing.rehearse_run(run=BillingRun.objects.get(pk=run_id), at=timezone.now())
