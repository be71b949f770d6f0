from collections.abc import Iterable
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

from billing.invoicing.closing import invoiced_periods
from billing.management.arguments import at_least_one, parse_day
from telcox.common.errors import DomainError
from usage.purging import (
    CHUNK,
    OldEvents,
    answers_to_purge,
    old_events,
    purge_answers,
    purge_events,
    purge_rejected,
    rejected_to_purge,
    require_old_enough,
)


class Command(BaseCommand):
    help = (
        "Delete the usage events of invoiced periods before a day, with the stored answers and rejected "
        "reports from before that day. Counters, daily sums and alerts are kept. It can be killed and run "
        "again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--before",
            type=parse_day,
            required=True,
            metavar="DATE",
            help="2026-07-01: the first day that is kept",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="show what would be deleted; delete nothing"
        )
        parser.add_argument(
            "--chunk", type=at_least_one, default=CHUNK, help=f"rows deleted per transaction ({CHUNK})"
        )

    def handle(self, *args: Any, before: date, dry_run: bool, chunk: int, **options: Any) -> None:
        at = timezone.now()
        try:
            require_old_enough(before=before, at=at)
        except DomainError as error:
            raise CommandError(error.detail) from error
        going = old_events(of=invoiced_periods(), before=before)
        answers = answers_to_purge(before=before).count()
        rejected = rejected_to_purge(before=before).count()
        if not dry_run:
            events = purge_events(of=invoiced_periods(), before=before, at=at, chunk=chunk)
            going.events = _carried_out((deleted for _, deleted in events), going.events, "events")
            answers = _carried_out(purge_answers(before=before, at=at, chunk=chunk), answers, "answers")
            rejected = _carried_out(purge_rejected(before=before, at=at, chunk=chunk), rejected, "rejected")
        self._tell(before, dry_run, going, answers, rejected)

    def _tell(self, before: date, dry_run: bool, going: OldEvents, answers: int, rejected: int) -> None:
        self.stdout.write(
            f"Before {before}: {going.events} events of {going.periods} periods, {answers} answers to an "
            f"Idempotency-Key and {rejected} rejected reports {'would be deleted' if dry_run else 'deleted'}"
        )
        if going.kept_events:
            self.stdout.write(
                f"{going.kept_events} events of {going.kept_periods} periods kept: the "
                "periods are not invoiced"
            )
        if going.unsettled:
            self.stdout.write(
                f"{going.unsettled} events kept: they happened after their period had expired, and the next "
                "period has not started or is not invoiced"
            )


def _carried_out(steps: Iterable[int], total: int, unit: str) -> int:
    deleted = 0
    with tqdm(total=total, unit=f" {unit}", desc=unit, disable=None) as progress:
        for step in steps:
            deleted += step
            progress.update(step)
    return deleted
