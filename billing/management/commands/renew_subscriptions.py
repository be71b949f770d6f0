from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from billing.management.progress import Bars
from billing.sales.renewal import lines_due, renewals


class Command(BaseCommand):
    help = "Begins the next period of every auto-renewing line whose period has ended, missed ones included."

    def handle(self, *args: Any, **options: Any) -> None:
        at, begun = timezone.now(), 0
        with Bars({"begun": lines_due(at).count()}) as bars:
            for step in renewals(at=at):
                begun += step
                bars.update("begun", step)
        self.stdout.write(f"{begun} period(s) begun")
