from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from usage.models import RejectedUsage
from usage.services import redrive_usage
from usage.vocabulary import RejectionReason


class Command(BaseCommand):
    help = (
        "Tries to count again what was rejected and is waiting; whatever was counted meanwhile is resolved."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--reason", choices=RejectionReason.values, help="only what was rejected for this"
        )

    def handle(self, *args: Any, reason: str | None, **options: Any) -> None:
        waiting = RejectedUsage.objects.unresolved()
        if reason:
            waiting = waiting.filter(reason=reason)
        done = redrive_usage(rejected=waiting, at=timezone.now())
        self.stdout.write(
            f"{done.applied} counted, {done.duplicates} counted before, {done.rejected} still waiting"
        )
