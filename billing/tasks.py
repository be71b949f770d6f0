"""What is done at its hour, without anybody asking (CELERY_BEAT_SCHEDULE says when), and what is done by
workers so that nobody waits for it."""

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from billing import daily, notices
from billing.models import BillingRun
from billing.runs import rehearsing, running
from telcox.common.database.retrying import DATABASE_UNAVAILABLE

# A round of notices, in seconds: a worker is for other tasks, too, and the next round comes in a minute.
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
    """Begins the run of last month where nobody did, goes on with it where it was left, and bills what has
    come since; one that a person has stopped stays so."""
    run = running.start_if_due(at=timezone.now())
    if run is not None:
        bill_run.delay(run.pk)


@shared_task
def bill_run(run_id: int) -> None:
    """Queue the open chunks of a run for billing: each is a task, for as many workers as there are. Without a
    broker they are billed here."""
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
