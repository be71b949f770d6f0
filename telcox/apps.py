from django.apps import AppConfig


class TelcoxConfig(AppConfig):
    """Set-up of every process, however it was started."""

    name = "telcox"

    def ready(self) -> None:
        # Every process that sends a task needs the broker's settings.
        import telcox.celery  # noqa: F401
