from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from billing.notices import send_notices


class Command(BaseCommand):
    help = "Send the notices in the outbox: documents by e-mail, reminders by e-mail and SMS."

    def handle(self, *args: Any, **options: Any) -> None:
        sent = send_notices(clock=timezone.now)
        self.stdout.write(
            f"{sent.sent} sent, {sent.failed} failed, {sent.unsure} unknown (may have been sent)"
        )
