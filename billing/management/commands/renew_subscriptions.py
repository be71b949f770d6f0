from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from billing.sales.renewal import renew_subscriptions


class Command(BaseCommand):
    help = "Begins the next period of every auto-renewing line whose period has ended, missed ones included."

    def handle(self, *args: Any, **options: Any) -> None:
        begun = renew_subscriptions(at=timezone.now())
        self.stdout.write(f"{begun} period(s) begun")
