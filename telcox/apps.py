from django.apps import AppConfig


class TelcoxConfig(AppConfig):
    """Set-up of every process, however it was started."""

    name = "telcox"

    def ready(self) -> None:
        # Whoever sends a task has to know the broker.
        import telcox.celery  # noqa: F401
