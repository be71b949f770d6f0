"""What is done at its hour, without anybody asking (CELERY_BEAT_SCHEDULE says when)."""

from celery import shared_task
from django.utils import timezone

from billing import daily


@shared_task
def run_day() -> None:
    """Everything that is due by now. As often as one likes, and in several places at once."""
    daily.run_day(at=timezone.now())
