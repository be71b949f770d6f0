"""The Celery app of `bin/worker`, of `bin/beat`, and of every process that sends a task."""

import os
import signal
import threading
from typing import Any

from billiard import active_children
from billiard.util import get_logger
from celery import Celery
from celery.signals import beat_init, heartbeat_sent, setup_logging, worker_init, worker_shutting_down
from django.conf import settings

from telcox.common import heartbeat

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "telcox.settings")

app = Celery("telcox")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Keep the project's log handlers. While this signal has a receiver, Celery adds no handlers of its own,
    which would not mask phone numbers. The output of its process pool is logged like everything else."""
    get_logger().propagate = True


@worker_init.connect
def worker_begins(**_: Any) -> None:
    heartbeat.clear("worker")


@heartbeat_sent.connect
def worker_works(**_: Any) -> None:
    """Touch the heartbeat file, every few seconds while the worker is connected to Redis (`bin/worker` has
    the interval)."""
    heartbeat.beat("worker")


@beat_init.connect
def beat_begins(**_: Any) -> None:
    heartbeat.clear("beat")  # touched by telcox/beat.py


@worker_shutting_down.connect
def lose_patience(how: str, **_: Any) -> None:
    """Limit the wait for a running task on stop. Celery waits without a limit; after WORKER_STOP_SECONDS the
    task is killed here, and so goes back into the queue."""
    if how == "Warm":
        timer = threading.Timer(settings.WORKER_STOP_SECONDS, _kill_tasks)
        timer.daemon = True
        timer.start()


def _kill_tasks() -> None:
    """Kill the tasks' processes by SIGKILL: one that waits for the database does not react to other
    signals."""
    for process in active_children():
        if process.pid:
            os.kill(process.pid, signal.SIGKILL)
