"""The clock of `bin/beat`."""

from typing import Any

from celery import beat

from telcox.common import heartbeat


class Scheduler(beat.Scheduler):
    """Sends each task when its time has come, and remembers nothing: the schedule is code, and what was not
    sent while it was stopped is done by the same task an hour later. So it has no file, and there may be two.
    """

    def tick(self, *args: Any, **options: Any) -> float:
        """Called at the latest CELERY_BEAT_MAX_LOOP_INTERVAL seconds after the last time."""
        seconds: float = super().tick(*args, **options)
        heartbeat.beat("beat")
        return seconds
