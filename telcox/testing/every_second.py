"""Settings with which `bin/beat` sends every task each second, so that a test need not wait an hour."""

from telcox.settings import *  # noqa: F403
from telcox.settings import CELERY_BEAT_SCHEDULE as _HOURLY

CELERY_BEAT_SCHEDULE = {name: {**entry, "schedule": 1.0} for name, entry in _HOURLY.items()}
