"""Settings for a `bin/beat` that a test need not wait an hour for: every task is sent each second."""

from telcox.settings import *  # noqa: F403
from telcox.settings import CELERY_BEAT_SCHEDULE as _HOURLY

CELERY_BEAT_SCHEDULE = {name: {**entry, "schedule": 1.0} for name, entry in _HOURLY.items()}
