"""What is done at its hour, without anybody asking (CELERY_BEAT_SCHEDULE says when)."""

from celery import shared_task
from django.utils import timezone

from billing import daily, notices

# A round of notices, in seconds: a worker is for other tasks, too, and the next round comes in a minute.
ROUND = 45.0


@shared_task
def run_day() -> None:
    """Everything that is due by now. As often as one likes, and in several places at once."""
    daily.run_day(at=timezone.now())


@shared_task
def send_notices() -> None:
    """What customers are to be told. As often as one likes, and in several places at once."""
    notices.send_notices(clock=timezone.now, seconds=ROUND)
