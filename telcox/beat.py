"""The scheduler of `bin/beat`."""

from typing import Any

from celery import beat

from telcox.common import heartbeat


class Scheduler(beat.Scheduler):
    """Scheduler that sends each task when it is due, and stores nothing. The schedule is code, and a task
    that was not sent while the scheduler was stopped is made up for by the next one, an hour later at the
    latest. So it needs no file, and two schedulers may run at once."""

    def tick(self, *args: Any, **options: Any) -> float:
        """Send what is due. Called at the latest CELERY_BEAT_MAX_LOOP_INTERVAL seconds after the last
        call."""
        seconds: float = super().tick(*args, **options)
        heartbeat.beat("beat")
        return seconds
