from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from usage.models import RejectedUsage
from usage.services import redrive_usage
from usage.vocabulary import RejectionReason


class Command(BaseCommand):
    help = "Try again to count rejected usage (redrive). Reports that were counted meanwhile are resolved."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--reason", choices=RejectionReason.values, help="only usage that was rejected for this reason"
        )

    def handle(self, *args: Any, reason: str | None, **options: Any) -> None:
        waiting = RejectedUsage.objects.unresolved()
        if reason:
            waiting = waiting.filter(reason=reason)
        done = redrive_usage(rejected=waiting, at=timezone.now())
        self.stdout.write(
            f"{done.applied} counted, {done.duplicates} already counted, {done.rejected} still waiting"
        )
