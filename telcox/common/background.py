"""Work that nobody waits for, whether there are workers or not."""

import logging
from threading import Thread
from typing import Any

from celery import Task
from django.conf import settings
from django.db import connections

logger = logging.getLogger(__name__)


def in_background(task: Task, *arguments: Any) -> None:
    """Has a task done by a worker; without a broker, by a thread of this process: an embedded server answers
    meanwhile. The thread ends with the process, as a worker may, so the task must be safe to kill."""
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
