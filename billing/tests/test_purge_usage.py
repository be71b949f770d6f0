"""What operators purge: only what is billed, in any number of attempts."""

import io
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from billing.invoicing.closing import invoiced_periods
from billing.invoicing.drafting import draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.models import Invoice
from customers.models import Subscription
from telcox.common.calendar import local_date
from telcox.testing.databases import fresh_database, manage, manage_and_kill, migrate, rows
from usage.ingestion.reports import UsageReport
from usage.models import IngestionAnswer, RejectedUsage, UsageCounter, UsageDay, UsageEvent
from usage.services import record_usage, take_usage
from usage.verification import find_differences
from usage.vocabulary import Category

JESUS, CARLA = "0969786985", "0934567890"


def use_long_ago(events_of_each: int) -> None:
    """Moves the fixtures' periods, and what was used of them, seventy days back; and uses more of them."""
    begun = timezone.now() - timedelta(days=70)
    Subscription.objects.update(
        start_at=begun,
        expiration_at=begun + timedelta(days=30),
        cycle_start_at=begun,
        cycle_end_at=begun + timedelta(days=30),
    )
    UsageEvent.objects.update(occurred_at=begun)
    UsageDay.objects.update(day=local_date(begun))
    for number in Subscription.objects.values_list("line__phone_number", flat=True):
        moments = [begun + timedelta(hours=each % 500) for each in range(events_of_each)]
        take_usage(
            reported=[
                UsageReport(number, "SMS", 1, "smsc", f"{number}-{index}", moment)
                for index, moment in enumerate(moments)
            ],
            at=timezone.now(),
        )


def invoice(phone_number: str = JESUS) -> Invoice:
    """Issued, while its period is long over."""
    at = timezone.now()
    subscription = Subscription.objects.get(line__phone_number=phone_number)
    return issue_invoice(invoice=draft_invoice(subscription=subscription, at=at), at=at)


@pytest.fixture
def long_ago(seeded: None) -> None:
    use_long_ago(40)


def latest() -> date:
    return local_date(timezone.now()) - timedelta(days=31)


def purged(*arguments: str, before: date | None = None) -> list[str]:
    out = io.StringIO()
    call_command("purge_usage", f"--before={before or latest()}", *arguments, stdout=out)
    return out.getvalue().splitlines()


def events_of(phone_number: str) -> int:
    return UsageEvent.objects.filter(subscription__line__phone_number=phone_number).count()


@pytest.mark.django_db
@pytest.mark.usefixtures("long_ago")
class TestPurging:
    def test_invoiced_periods_go_and_the_others_are_kept_whole(self) -> None:
        invoice()
        assert purged("--chunk=7") == [
            f"Before {latest()}: 44 events of 1 periods, 0 answers to an Idempotency-Key and 0 rejected "
            "reports deleted",
            "82 events of 2 periods kept: the periods are not invoiced",
        ]
        assert (events_of(JESUS), events_of(CARLA)) == (0, 41)
        assert not list(find_differences())
        assert "0 events of 0 periods" in purged()[0]

    def test_a_dry_run_says_the_same_and_deletes_nothing(self) -> None:
        invoice()
        said = purged("--dry-run")
        assert events_of(JESUS) == 44
        assert UsageCounter.objects.filter(purged_before__isnull=False).count() == 0
        assert [line.replace("would be deleted", "deleted") for line in said] == purged()

    def test_a_draft_keeps_its_period_and_paid_or_not_makes_no_difference(self) -> None:
        at = timezone.now()
        draft = draft_invoice(subscription=Subscription.objects.get(line__phone_number=JESUS), at=at)
        issued = invoice(CARLA)
        assert [period.pk for period in invoiced_periods()] == [issued.subscription_id]
        Invoice.objects.filter(pk=issued.pk).update(status="PAID")
        purged()
        assert (events_of(JESUS), events_of(CARLA)) == (44, 0)
        # Billed again: as after a correction, of which there are none yet.
        Invoice.objects.filter(pk=issued.pk).update(in_force=None)
        issue_invoice(invoice=draft, at=at)
        Invoice.objects.filter(pk=draft.pk).update(in_force=None)
        assert not invoiced_periods().exists()

    def test_what_happened_after_the_last_period_ran_out_is_kept_and_said(self) -> None:
        invoice()
        gap = timezone.now() - timedelta(days=35)
        record_usage(
            phone_number=JESUS, category=Category.SMS, quantity=1, source="t", occurred_at=gap,
            at=timezone.now(),
        )  # fmt: skip
        for said in (purged("--dry-run"), purged()):
            assert "44 events of 1 periods" in said[0]
            assert said[2].startswith("1 events kept: they happened after their period had expired")
        assert events_of(JESUS) == 1

    def test_answers_and_settled_rejections_go_too(self) -> None:
        old = timezone.now() - timedelta(days=40)
        IngestionAnswer.objects.create(owner="", key="k", body=b"x", answered_at=old)
        take_usage(reported=[UsageReport("0999999999", "SMS", 1, "smsc", str(n)) for n in range(3)], at=old)
        RejectedUsage.objects.filter(event_id="1").update(unresolved=None, resolved_at=old)
        for option, deleted in (["--dry-run"], "would be deleted"), ([], "deleted"):
            assert purged(*option)[0].endswith(
                f"1 answers to an Idempotency-Key and 1 rejected reports {deleted}"
            )
        assert [row.event_id for row in RejectedUsage.objects.order_by("pk")] == ["0", "2"]

    @pytest.mark.parametrize("arguments", [["--before=soon"], ["--before=2026-02-30"], [], ["--chunk=0"]])
    def test_what_makes_no_sense_is_refused(self, arguments: list[str]) -> None:
        with pytest.raises(CommandError):
            call_command("purge_usage", *arguments)

    @pytest.mark.parametrize("days_ago", [30, 0, -1])
    def test_a_day_too_recent_is_refused_by_name_of_the_latest_there_is(self, days_ago: int) -> None:
        invoice()
        with pytest.raises(CommandError, match=f"the latest day that can be given is {latest()}"):
            purged(before=local_date(timezone.now()) - timedelta(days=days_ago))
        assert events_of(JESUS) == 44


PREPARE = """
from billing.tests.test_purge_usage import *
use_long_ago(12_000)
invoice(JESUS)
invoice(CARLA)
"""
LEFT = """
from billing.tests.test_purge_usage import *
print(events_of(JESUS) + events_of(CARLA), UsageEvent.objects.count())
"""


@contextmanager
def two_billed_lines(folder: Path) -> Iterator[dict[str, str]]:
    with fresh_database(folder) as url:
        env = {"DATABASE_URL": url, "REDIS_URL": "", "DEBUG": "1"}
        migrate(env)
        manage(env, "loaddata", "--verbosity=0", "catalogue", "customers", "invoices")
        manage(env, "shell", "--verbosity=0", "-c", PREPARE)
        yield env


def events_in(env: dict[str, str]) -> int:
    return int(rows(env["DATABASE_URL"], "SELECT COUNT(*) FROM usage_usageevent")[0][0])


@pytest.mark.mariadb
@pytest.mark.django_db
@pytest.mark.timeout(600)
@pytest.mark.processes
def test_killed_at_any_moment_and_run_again_it_ends_in_the_same_state(tmp_path: Path) -> None:
    """kill -9 in the middle of its work, again and again; then once undisturbed."""
    chosen = random.Random(4)
    with two_billed_lines(tmp_path) as env:
        command = ["purge_usage", f"--before={latest()}"]
        left = [24_005]

        def are_left(enough: int) -> bool:
            return events_in(env) <= enough

        for _ in range(5):
            enough = events_in(env) - chosen.randint(1, 2_000)
            manage_and_kill(env, *command, "--chunk=10", when=partial(are_left, enough))
            left.append(int(manage(env, "shell", "--verbosity=0", "-c", LEFT).split()[0]))
            assert (
                manage(env, "verify_usage")
                == "Counters and daily sums are equal to the sums of their events.\n"
            )
        assert len({count for count in left if 0 < count < 24_005}) >= 2  # it was killed half-way
        assert "deleted" in manage(env, *command)
        assert ": 0 events of 0 periods" in manage(env, *command)
        assert manage(env, "shell", "--verbosity=0", "-c", LEFT).split() == ["0", "12001"]
        assert (
            manage(env, "verify_usage") == "Counters and daily sums are equal to the sums of their events.\n"
        )
