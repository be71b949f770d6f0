from django.apps import AppConfig


class TelcoxConfig(AppConfig):
    """What every process of ours has, whatever started it."""

    name = "telcox"

    def ready(self) -> None:
        # Whoever sends a task has to know the broker.
        import telcox.celery  # noqa: F401
