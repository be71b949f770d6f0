from django.apps import AppConfig
from django.conf import settings

from telcox.common.phone import use_numbering_plan


class TelcoxConfig(AppConfig):
    """Set-up of every process, however it was started."""

    name = "telcox"

    def ready(self) -> None:
        if settings.NUMBERING_PLAN:
            use_numbering_plan(settings.NUMBERING_PLAN)
        # Every process that sends a task needs the broker's settings.
        import telcox.celery  # noqa: F401
