"""Run a task in the background, with or without workers."""

import logging
from threading import Thread
from typing import Any

from celery import Task
from django.conf import settings
from django.db import connections

logger = logging.getLogger(__name__)


def in_background(task: Task, *arguments: Any) -> None:
    """Run a task in a worker or, without a broker, in a thread of this process, so that an embedded server
    can answer meanwhile. The thread ends with the process, and a worker may be killed, so the task must be
    safe to interrupt."""
    if not settings.CELERY_TASK_ALWAYS_EAGER:
        task.delay(*arguments)
        return
    Thread(target=_done_here, args=(task, arguments), name=task.name, daemon=True).start()


def _done_here(task: Task, arguments: tuple[Any, ...]) -> None:
    try:
        task(*arguments)
    except Exception:
        logger.exception("%s failed", task.name)
    finally:
        connections.close_all()
