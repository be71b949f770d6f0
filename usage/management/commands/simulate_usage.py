import os
import random
import secrets
import threading
import time
from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from customers.models import Line, LineStatus, Subscription
from usage.simulation.delivery import Door
from usage.simulation.run import Pace, Run
from usage.simulation.traffic import Element, Subscriber, Traffic
from usage.vocabulary import Category

# Most of the traffic is data, little of it calls.
MIX = "SOCIAL=40,ENTERTAINMENT=20,SYSTEM_UPDATES=5,NAVIGATION_SEARCH=20,VOICE=10,SMS=5"
# Number of lines if --lines is absent.
LINES = 1_000
# Number of phone numbers without a line, for reports with a wrong number.
UNKNOWN_NUMBERS = 20


class Command(BaseCommand):
    help = (
        "Report simulated usage of active lines over HTTP, as network elements do, and compare the receipts "
        "with what was sent. The usage is counted and charged: never use it on a production system."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add(
            "--url",
            type=_url,
            default="http://127.0.0.1:8000",
            help="address of the server (http://127.0.0.1:8000)",
        )
        add("--token", default=os.environ.get("TELCOX_TOKEN"), help="API token of a sender ($TELCOX_TOKEN)")
        add("--connections", type=_whole, default=4, help="concurrent requests (4)")
        add(
            "--lines",
            type=_whole,
            help=f"number of active lines with a plan to use ({LINES}, or all there are)",
        )
        add(
            "--rate",
            type=_number(least=0),
            default=100.0,
            help="events per second; 0: as fast as possible (100)",
        )
        add("--duration", type=_number(least=0.001), default=10.0, help="duration in seconds (10)")
        add("--batch", type=_whole, default=100, help="events per request (100)")
        add(
            "--mix",
            type=_mix,
            default=MIX,
            metavar="CATEGORY=WEIGHT,…",
            help=f"categories and their weights ({MIX})",
        )
        add(
            "--duplicates",
            type=_share,
            default=0.0,
            help="share of items that repeat an earlier one, 0 to 1 (0)",
        )
        add("--bad", type=_share, default=0.0, help="share of items that cannot be counted, 0 to 1 (0)")
        add(
            "--late",
            type=_share,
            default=0.0,
            help="share of events that are up to three days old, 0 to 1 (0)",
        )
        add("--seed", type=int, help="seed of the random choices")
        add(
            "--patience",
            type=_number(least=0),
            default=60.0,
            help="seconds for which a batch is retried (60)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        _require_sense(options)
        at = timezone.now()
        source = f"sim-{at:%Y%m%d%H%M%S}-{secrets.token_hex(4)}"
        traffic = Traffic(
            source=source,
            lines=_lines(options["lines"], at),
            unknown=_unknown_numbers() if options["bad"] else (),
            weights=options["mix"],
            duplicates=options["duplicates"],
            bad=options["bad"],
            late=options["late"],
        )
        expected = int(options["rate"] * options["duration"]) or None
        begun = time.monotonic()
        with tqdm(total=expected, unit=" events", desc=source, disable=None) as progress:
            run = _run(traffic, options, progress.update)
            run.carry_out()
        self._summarize(run, source, time.monotonic() - begun)
        if run.error is not None:
            raise CommandError(str(run.error)) from run.error
        if wrong := run.tally.disagreements():
            raise CommandError("\n".join(["The receipts do not add up to what was sent:", *wrong]))

    def _summarize(self, run: Run, source: str, seconds: float) -> None:
        tally = run.tally
        reasons = ", ".join(f"{reason} {number}" for reason, number in sorted(tally.rejected.items()))
        self.stdout.write(
            f"{source}{', interrupted' if run.interrupted else ''}: {tally.sent} items sent in "
            f"{tally.requests} requests, {tally.retries} retries\n"
            f"{tally.applied} applied, {tally.duplicates} duplicates, {tally.rejected.total()} rejected"
            f"{f' ({reasons})' if reasons else ''}\n"
            f"{tally.sent / seconds:,.0f} events/s; a request took {tally.latency(0.5) * 1000:.1f} ms (p50), "
            f"{tally.latency(0.99) * 1000:.1f} ms (p99)"
        )
        if run.unanswered:
            self.stdout.write(f"{run.unanswered} requests had no answer when the command was stopped")


def _run(traffic: Traffic, options: dict[str, Any], tell: Callable[[int], object]) -> Run:
    stopped = threading.Event()
    door = Door(
        options["url"],
        token=options["token"],
        connections=options["connections"],
        patience=options["patience"],
        stopped=stopped,
    )
    pace = Pace(rate=options["rate"], duration=options["duration"], batch=options["batch"], stopped=stopped)
    elements = [
        Element(traffic, number=number, seed=options["seed"])
        for number in range(1, options["connections"] + 1)
    ]
    return Run(elements, door, pace, stopped=stopped, tell=tell)


def _require_sense(options: dict[str, Any]) -> None:
    if options["duplicates"] + options["bad"] >= 1:
        raise CommandError("--duplicates and --bad leave no good events")
    if options["batch"] > settings.USAGE_BATCH_MAX:
        raise CommandError(f"--batch: a request may hold at most {settings.USAGE_BATCH_MAX} events")
    if 0 < options["rate"] * options["duration"] < 1:
        raise CommandError("--rate and --duration: no event would be sent; increase one of them")


def _lines(wanted: int | None, at: datetime) -> list[Subscriber]:
    begun = Subscription.objects.current().filter(line__status=LineStatus.ACTIVE, start_at__lte=at)
    rows = begun.order_by("line_id").values_list("line__phone_number", "start_at", "line__resumed_at")
    lines = [
        Subscriber(number, max(start_at, resumed_at or start_at))
        for number, start_at, resumed_at in rows[: wanted or LINES]
    ]
    if not lines:
        raise CommandError("No active line has a plan")
    if wanted and len(lines) < wanted:
        raise CommandError(f"--lines: only {len(lines)} active lines have a plan")
    return lines


def _unknown_numbers() -> list[str]:
    made = {f"09{random.randrange(10**8):08d}" for _ in range(UNKNOWN_NUMBERS)}  # noqa: S311
    return sorted(
        made - set(Line.objects.filter(phone_number__in=made).values_list("phone_number", flat=True))
    )


def _url(text: str) -> str:
    try:
        url = parse_url(text)
    except LocationParseError as error:
        raise ArgumentTypeError(f"{text} is not a web address") from error
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment:
        raise ArgumentTypeError("write the address as http://host:port")
    return text


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not int(text):
        raise ArgumentTypeError("must be a whole number of at least 1")
    return int(text)


def _number(*, least: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError as error:
            raise ArgumentTypeError(f"{text} is not a number") from error
        if not least <= number < 1e9:
            raise ArgumentTypeError(f"must be a number of at least {least:g}")
        return number

    return parse


def _share(text: str) -> float:
    share = _number(least=0)(text)
    if share > 1:
        raise ArgumentTypeError("a share must be between 0 and 1")
    return share


def _mix(text: str) -> dict[Category, int]:
    weights: dict[Category, int] = {}
    for part in text.split(","):
        name, _, weight = part.strip().partition("=")
        if name not in Category.values or not weight.isascii() or not weight.isdigit():
            raise ArgumentTypeError(
                f"write CATEGORY=WEIGHT, where CATEGORY is one of {', '.join(Category.values)}"
            )
        if Category(name) in weights:
            raise ArgumentTypeError(f"{name} is given twice")
        weights[Category(name)] = int(weight)
    if not sum(weights.values()):
        raise ArgumentTypeError("at least one category must have a weight greater than zero")
    return weights
