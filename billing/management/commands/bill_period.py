import getpass
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime
from functools import partial
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import translation

from billing.management import clock, workers
from billing.management.progress import Bars
from billing.management.workers import run_shared, wait_for_processes, worker_count
from billing.models import BillingRun, RunState
from billing.runs.figures import Figures, figures_of
from billing.runs.rehearsing import Rehearsal, rehearse_period
from billing.runs.running import bill_open_chunks, resume_run, start_run, stop_run
from billing.tasks import bill_run
from telcox.common.database.batches import Share
from telcox.common.errors import DomainError

# Seconds between two looks at the workers' progress.
LOOKED_EVERY = 0.5


class Command(BaseCommand):
    help = (
        "Bill every period that has ended by the end of a month and has no invoice. The run can be stopped, "
        "killed and resumed: each period is billed once. Celery workers do the work if there is a broker; "
        "otherwise this process does it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "period", metavar="PERIOD", help="2026-11: periods that ended by the end of November"
        )
        what = parser.add_mutually_exclusive_group()
        what.add_argument(
            "--dry-run", action="store_true", help="show the totals and what is suspicious; write nothing"
        )
        what.add_argument(
            "--resume", action="store_true", help="continue the run; takes it over if another process has it"
        )
        what.add_argument("--stop", action="store_true", help="stop the run: no further chunk is started")
        clock.add_arguments(parser)
        workers.add_arguments(parser)

    def handle(
        self, *args: Any, period: str, date: date | None, ahead: bool, workers: int | None, **options: Any
    ) -> None:
        at = clock.moment_for(date, ahead=ahead)
        try:
            if options["dry_run"]:
                self._rehearse(period, at)
            elif options["stop"]:
                self._tell(stop_run(period=period))
            else:
                begin = resume_run if options["resume"] else start_run
                self._bill(begin(period=period, at=at, by=_who()), workers)
        except DomainError as refusal:
            raise CommandError(refusal.detail) from refusal

    def _bill(self, run: BillingRun, workers: int | None) -> None:
        figures = figures_of(run)
        here = workers or not settings.CELERY_BROKER_URL
        try:
            with Bars({"invoices": figures.size - figures.done}) as bars:
                for done in (
                    run_shared(partial(_share, run), worker_count(workers)) if here else _by_workers(run)
                ):
                    bars.update("invoices", done)
        except KeyboardInterrupt:
            with suppress(DomainError):  # the run has just been finished or stopped
                stop_run(period=run.period)
            wait_for_processes()
        run.refresh_from_db()
        self._tell(run)
        if run.state != RunState.DONE:
            raise CommandError(f"Not finished: `bill_period {run.period} --resume` continues the run")
        if aside := run.parked.waiting().count():
            raise CommandError(f"{aside} quarantined bill(s): see the reasons in the back-office")

    def _tell(self, run: BillingRun) -> None:
        figures = figures_of(run)
        self.stdout.write(
            f"{run.period}, {run.state.lower()}: {figures.done} of {figures.size} done, "
            f"{_amounts(figures)}, {figures.parked} quarantined; {figures.rate:,.0f} a second"
        )

    def _rehearse(self, period: str, at: datetime) -> None:
        steps = rehearse_period(period=period, at=at)
        found, done = next(steps), 0
        with Bars({"examined": found.size}) as bars:
            for found in steps:
                bars.update("examined", found.done - done)
                done = found.done
        with translation.override("en"):  # as everything else that a command says
            self.stdout.write("\n".join(_told(found)))


def _share(run: BillingRun, share: Share) -> Iterator[int]:
    """Bill the open chunks. The share is not used: each process skips the chunks that others work on."""
    if share.of > 1:
        # Ctrl-C is handled by the parent process, which stops the run.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    for chunk in bill_open_chunks(run=run):
        yield chunk.size


def _by_workers(run: BillingRun) -> Iterator[int]:
    """Yield the workers' progress until the run ends. Raise CommandError if no worker makes progress."""
    bill_run.delay(run.pk)
    done, heard = figures_of(run).done, time.monotonic()
    while run.state == RunState.RUNNING:
        time.sleep(LOOKED_EVERY)
        run.refresh_from_db()
        before, done = done, figures_of(run).done
        if done > before:
            heard = time.monotonic()
            yield done - before
        elif time.monotonic() - heard > settings.RUN_SILENT_SECONDS:
            raise CommandError(
                f"No worker has made progress for {settings.RUN_SILENT_SECONDS:g} seconds. Start one "
                "(bin/worker), or bill in this process with --workers"
            )


def _told(rehearsal: Rehearsal) -> Iterator[str]:
    yield (
        f"{rehearsal.period} as of {rehearsal.at.isoformat()}, dry run, nothing is written: "
        f"{_amounts(rehearsal)}, {rehearsal.parked} quarantined"
    )
    for oddity, count in rehearsal.counts.items():
        yield f"{oddity.label}: {count}"
        for each in rehearsal.named.get(oddity, []):
            yield f"  {each.phone_number}, period no. {each.subscription}: {each.total} {each.detail}"
    for sample in rehearsal.samples:
        yield f"Sample: {sample.phone_number}, period no. {sample.subscription}: {sample.total}"
        for line in sample.lines:
            charged = f"{line.amount} less {line.discount}, tax {line.tax}"
            yield f"  {line.description}: {line.quantity} {line.unit}, {charged}"


def _amounts(of: Figures | Rehearsal) -> str:
    return f"{of.invoices} invoice(s) over {of.total} ({of.subtotal} less {of.discount}, tax {of.tax})"


def _who() -> str:
    """Return the name of the machine's user; a blank in it tells it from users of the back-office."""
    try:
        return f"{getpass.getuser()} (manage.py)"
    except (KeyError, OSError):  # in a container the user may have no name
        return "manage.py"
