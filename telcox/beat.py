"""The scheduler of `bin/beat`."""

from typing import Any

from celery import beat

from telcox.common import heartbeat


class Scheduler(beat.Scheduler):
    """Sends each task when it is due, and stores nothing. The schedule is code, and a task that was not sent
    while the scheduler was stopped is done by the same task an hour later. So it needs no file, and two may
    run at once."""

    def tick(self, *args: Any, **options: Any) -> float:
        """Send what is due. Called at the latest CELERY_BEAT_MAX_LOOP_INTERVAL seconds after the last
        call."""
        seconds: float = super().tick(*args, **options)
        heartbeat.beat("beat")
        return seconds
