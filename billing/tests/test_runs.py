"""Billing runs: begun, stopped, resumed, told of each other; and the bills that are set aside."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Sum
from django.utils import timezone

from billing.daily import run_day
from billing.invoicing.closing import periods_to_bill
from billing.invoicing.releasing import bill_parked, release_parked
from billing.models import (
    BillingChunk,
    BillingRun,
    Invoice,
    InvoiceEvent,
    InvoiceSeries,
    ParkedBill,
    ParkReason,
    RunState,
)
from billing.runs import running
from billing.runs.figures import figures_of
from billing.runs.rehearsing import Oddity, Rehearsal, rehearse_period, rehearse_run, stored_rehearsal
from billing.runs.running import bill_chunk, bill_open_chunks, resume_run, start_if_due, start_run, stop_run
from billing.sales.services import activate_subscription
from billing.tests.builders import MakePlan, moment, refusal, use
from customers.models import Line, Subscription
from telcox.common.database.batches import in_chunks

D = Decimal
AT = moment("2026-12-01 04:00")

pytestmark = pytest.mark.django_db

Lines = list[Line]


@pytest.fixture(autouse=True)
def two_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of two periods."""
    chunks = in_chunks
    monkeypatch.setattr(running, "in_chunks", lambda found, key: chunks(found, key, 2))


@pytest.fixture
def lines(seeded: None, make_plan: MakePlan) -> Lines:
    """Five, each of whom has had November for 30.00; nobody else has anything to be billed."""
    Subscription.objects.update(unbilled=None)
    plan = make_plan("monthly", validity_days=0, data_bytes=2**30, overage_price_per_gb="2.00")
    customer = Line.objects.get(phone_number="0969786985").customer
    made = []
    for number in range(5):
        line = Line.objects.create(
            customer=customer, phone_number=f"09500000{number:02d}", product_type="MOVIL", auto_renew=False
        )
        activate_subscription(line=line, plan=plan, at=moment("2026-11-01"))
        made.append(line)
    return made


def period_of(line: Line) -> Subscription:
    return Subscription.objects.get(line=line)


def run_through(at: datetime = AT) -> BillingRun:
    run = start_run(period="2026-11", at=at, by="ana")
    for _ in bill_open_chunks(run=run):
        pass
    run.refresh_from_db()
    return run


def break_discounts(line: Line) -> None:
    Subscription.objects.filter(line=line).update(discounts=[{"name": "broken"}])


class TestARun:
    def test_each_period_is_billed_once_and_the_run_knows_what_it_came_to(self, lines: Lines) -> None:
        before = InvoiceSeries.objects.get(prefix="001-001").last_number
        run = run_through()
        invoices = Invoice.objects.filter(subscription__line__in=lines)
        assert sorted(invoices.values_list("number", flat=True)) == [before + n for n in range(1, 6)]
        assert set(invoices.values_list("issued_at", flat=True)) == {AT}
        assert set(InvoiceEvent.objects.filter(invoice__in=invoices).values_list("by", flat=True)) == {"ana"}
        figures = figures_of(run)
        assert (run.state, figures.size, figures.done, figures.invoices) == (RunState.DONE, 5, 5, 5)
        assert run.finished_at
        assert figures.total == D("172.50") == invoices.aggregate(Sum("total"))["total__sum"]
        assert figures.total == figures.subtotal - figures.discount + figures.tax
        assert [chunk.size for chunk in run.chunks.order_by("number")] == [2, 2, 1]

    def test_what_ends_after_the_period_is_left_to_the_next_one(self, lines: Lines) -> None:
        Subscription.objects.filter(line=lines[0]).update(
            expiration_at=moment("2026-12-01 00:01"), cycle_end_at=moment("2026-12-02")
        )
        assert figures_of(run_through()).invoices == 4

    def test_what_is_over_but_older_than_the_period_is_billed_with_it(self, lines: Lines) -> None:
        assert start_run(period="2026-12", at=AT).state == RunState.RUNNING
        assert BillingChunk.objects.count() == 3

    def test_run_again_it_bills_what_has_come_since(self, lines: Lines) -> None:
        Subscription.objects.filter(line=lines[0]).update(unbilled=None)
        run_through()
        Subscription.objects.filter(line=lines[0]).update(unbilled=True)
        again = run_through(AT + timedelta(days=1))
        assert (figures_of(again).size, figures_of(again).invoices) == (5, 5)
        assert Invoice.objects.filter(subscription__line__in=lines).count() == 5
        assert run_through().state == RunState.DONE

    def test_a_chunk_is_done_once(self, lines: Lines) -> None:
        run = start_run(period="2026-11", at=AT)
        [first, *_rest] = running.open_chunks(run).values_list("pk", flat=True)
        assert bill_chunk(chunk_id=first)
        assert bill_chunk(chunk_id=first) is None
        assert bill_chunk(chunk_id=0) is None
        assert Invoice.objects.filter(subscription__line__in=lines).count() == 2

    def test_what_somebody_else_has_billed_meanwhile_is_not_the_runs(self, lines: Lines) -> None:
        run = start_run(period="2026-11", at=AT)
        run_day(at=AT)
        for _ in bill_open_chunks(run=run):
            pass
        run.refresh_from_db()
        assert (run.state, figures_of(run).invoices, figures_of(run).total) == (RunState.DONE, 0, 0)

    @pytest.mark.parametrize(("period", "reason"), [("2026-13", "no_period"), ("2027-01", "not_begun")])
    def test_a_period_that_is_none_is_refused(self, db: Any, period: str, reason: str) -> None:
        assert refusal(lambda: start_run(period=period, at=AT)) == reason
        assert not BillingRun.objects.exists()


class TestStoppedAndResumed:
    def test_nobody_goes_on_until_it_is_resumed(self, lines: Lines) -> None:
        run = start_run(period="2026-11", at=AT)
        going = bill_open_chunks(run=run)
        next(going)
        stop_run(period="2026-11")
        assert list(going) == []
        assert Invoice.objects.filter(subscription__line__in=lines).count() == 2
        assert refusal(lambda: stop_run(period="2026-11")) == "run_not_under_way"
        run = resume_run(period="2026-11", at=AT)
        assert len(list(bill_open_chunks(run=run))) == 2
        run.refresh_from_db()
        assert (run.state, figures_of(run).invoices) == (RunState.DONE, 5)

    def test_one_that_is_under_way_is_not_begun_a_second_time(self, lines: Lines) -> None:
        run = start_run(period="2026-11", at=AT, by="ana")
        next(bill_open_chunks(run=run))
        with pytest.raises(CommandError, match=r"2026-11 .* ana .* 2 .* 5"):
            call_command("bill_period", "2026-11", "--date=2026-12-01", "--ahead")

    def test_one_that_was_left_goes_on_with_whoever_asks_next(self, lines: Lines, settings: Any) -> None:
        run = start_run(period="2026-11", at=AT, by="ana")
        next(bill_open_chunks(run=run))
        long_ago = timezone.now() - timedelta(seconds=settings.RUN_SILENT_SECONDS + 1)
        BillingRun.objects.update(seen_at=long_ago)
        run = start_run(period="2026-11", at=AT, by="eva")
        assert [chunk.size for chunk in bill_open_chunks(run=run)] == [2, 1]

    def test_resumed_it_goes_on_at_once(self, lines: Lines) -> None:
        assert refusal(lambda: resume_run(period="2026-11", at=AT)) == "run_not_started"
        start_run(period="2026-11", at=AT)
        later = AT + timedelta(days=1)
        assert resume_run(period="2026-11", at=later).at == later
        # Ahead of its time it stays.
        assert resume_run(period="2026-11", at=AT).at == later


class TestByTheClock:
    @pytest.fixture(autouse=True)
    def by_runs(self, settings: Any) -> None:
        settings.BILL_AS_PERIODS_END = False

    def test_the_day_leaves_billing_to_the_run_of_the_month(self, lines: Lines) -> None:
        assert run_day(at=AT).invoices == 0
        assert start_if_due(at=moment("2026-12-01 02:59")) is None
        run = start_if_due(at=moment("2026-12-01 03:00"))
        assert run
        assert run.period == "2026-11"
        assert start_if_due(at=AT) is None  # it is under way
        assert len(list(bill_open_chunks(run=run))) == 3
        assert start_if_due(at=AT) is None

    def test_one_that_was_left_is_begun_again_and_one_that_was_stopped_is_not(self, lines: Lines) -> None:
        assert start_if_due(at=AT)
        BillingRun.objects.update(seen_at=AT - timedelta(days=365))
        assert start_if_due(at=AT)
        stop_run(period="2026-11")
        assert start_if_due(at=AT) is None

    def test_where_periods_are_billed_as_they_end_there_is_none(self, lines: Lines, settings: Any) -> None:
        settings.BILL_AS_PERIODS_END = True
        assert start_if_due(at=AT) is None


class TestSetAside:
    def test_what_is_broken_or_suspicious_waits_and_the_others_go_on(
        self, lines: Lines, caplog: pytest.LogCaptureFixture
    ) -> None:
        break_discounts(lines[0])
        use(lines[1], 301, moment("2026-11-02"))
        run = run_through()
        assert (figures_of(run).invoices, figures_of(run).parked, run.state) == (3, 2, RunState.DONE)
        broken, suspicious = run.parked.order_by("reason")
        assert (broken.subscription.line, broken.reason, broken.total) == (
            lines[0], ParkReason.BROKEN, None,
        )  # fmt: skip
        assert broken.detail == "KeyError: 'percent'"
        assert (suspicious.subscription.line, suspicious.reason) == (lines[1], ParkReason.SUSPICIOUS)
        assert suspicious.total == D("724.50")
        assert lines[0].phone_number not in caplog.text

    def test_it_is_left_out_until_it_is_released(self, lines: Lines) -> None:
        break_discounts(lines[0])
        assert run_day(at=AT).parked == 1
        assert run_day(at=AT).parked == 0
        assert run_through().state == RunState.DONE
        assert not periods_to_bill(AT).exists()
        Subscription.objects.filter(line=lines[0]).update(discounts=[])
        release_parked(parked=ParkedBill.objects.get(), approved=False, at=AT, by="eva")
        assert run_day(at=AT).invoices == 1

    def test_released_but_broken_still_it_is_set_aside_again(self, lines: Lines) -> None:
        break_discounts(lines[0])
        run_day(at=AT)
        parked = ParkedBill.objects.get()
        assert refusal(lambda: bill_parked(parked=parked, approved=True, at=AT, by="eva")) == "parked_again"
        assert ParkedBill.objects.get().is_open  # nothing has changed
        release_parked(parked=parked, approved=False, at=AT, by="eva")
        assert refusal(lambda: bill_parked(parked=parked, approved=True, at=AT, by="eva")) == (
            "already_released"
        )
        run_day(at=AT)
        assert ParkedBill.objects.count() == 2

    def test_an_amount_that_is_right_is_billed_however_large(self, lines: Lines) -> None:
        use(lines[0], 301, moment("2026-11-02"))
        run_day(at=AT)
        parked = ParkedBill.objects.get()
        assert refusal(lambda: bill_parked(parked=parked, approved=False, at=AT, by="eva")) == "parked_again"
        invoice = bill_parked(parked=parked, approved=True, at=AT, by="eva")
        assert (invoice.total, invoice.subscription) == (D("724.50"), period_of(lines[0]))
        assert [event.by for event in invoice.events.all()] == ["eva"]

    @pytest.mark.parametrize(("limit", "parked"), [("724.50", 0), ("724.49", 1)])
    def test_exactly_the_limit_is_not_suspicious_a_cent_more_is(
        self, lines: Lines, settings: Any, limit: str, parked: int
    ) -> None:
        settings.BILLING_SUSPICIOUS_USD = D(limit)
        use(lines[0], 301, moment("2026-11-02"))
        assert run_day(at=AT).parked == parked

    def test_without_a_limit_nothing_is_suspicious(self, lines: Lines, settings: Any) -> None:
        settings.BILLING_SUSPICIOUS_USD = D(0)
        use(lines[0], 301, moment("2026-11-02"))
        assert run_day(at=AT).parked == 0

    def test_where_there_is_no_series_nothing_is_set_aside(self, lines: Lines, settings: Any) -> None:
        settings.INVOICE_SERIES = "009-009"
        assert refusal(lambda: run_day(at=AT)) == "no_series"
        assert not ParkedBill.objects.exists()


class TestRehearsed:
    def rehearsed(self) -> Rehearsal:
        *_, last = rehearse_period(period="2026-11", at=AT)
        return last

    def test_it_comes_to_what_the_run_comes_to_and_writes_nothing(self, lines: Lines) -> None:
        use(lines[0], 11.5, moment("2026-11-02"))
        use(lines[1], 301, moment("2026-11-02"))
        break_discounts(lines[2])
        rehearsed = self.rehearsed()
        assert not Invoice.objects.filter(subscription__line__in=lines).exists()
        assert not ParkedBill.objects.exists()
        figures = figures_of(run_through())
        for name in ("invoices", "parked", "subtotal", "discount", "tax", "total"):
            assert getattr(rehearsed, name) == getattr(figures, name), name
        assert (rehearsed.size, rehearsed.done, rehearsed.finished) == (5, 5, True)

    def test_it_names_what_is_odd(self, lines: Lines, make_plan: MakePlan) -> None:
        use(lines[0], 301, moment("2026-11-02"))
        break_discounts(lines[1])
        Subscription.objects.filter(line=lines[2]).update(price=0)
        found = self.rehearsed()
        assert {kind: [each.phone_number for each in named] for kind, named in found.named.items()} == {
            Oddity.SUSPICIOUS: [lines[0].phone_number],
            Oddity.BROKEN: [lines[1].phone_number],
            Oddity.NOTHING: [lines[2].phone_number],
        }

    def test_a_bill_much_higher_or_lower_than_the_one_before_is_odd_day_for_day(
        self, lines: Lines, make_plan: MakePlan
    ) -> None:
        """The first bill was for three days, which is no reason to wonder about the second."""
        plan = make_plan("renewing", validity_days=0, data_bytes=2**30, overage_price_per_gb="2.00")
        for number, used in (("0960000000", 0), ("0960000001", 100)):
            line = Line.objects.create(customer=lines[0].customer, phone_number=number, product_type="MOVIL")
            activate_subscription(line=line, plan=plan, at=moment("2026-10-29"))
            run_day(at=moment("2026-11-02"))
            if used:
                use(line, used, moment("2026-11-03"))
        found = self.rehearsed()
        assert [each.phone_number for each in found.named[Oddity.HIGHER]] == ["0960000001"]
        assert Oddity.LOWER not in found.counts

    def test_ten_bills_are_shown_line_by_line(self, lines: Lines) -> None:
        use(lines[0], 2.5, moment("2026-11-02"))
        found = self.rehearsed()
        assert len(found.samples) == 5
        [sample] = [each for each in found.samples if each.phone_number == lines[0].phone_number]
        run_through()
        invoice = Invoice.objects.get(subscription__line=lines[0])
        assert [(each.description, each.amount) for each in sample.lines] == list(
            invoice.lines.order_by("position").values_list("description", "amount")
        )
        assert len(sample.lines) == 2
        assert sample.total == invoice.total

    def test_it_is_kept_with_the_run(self, lines: Lines) -> None:
        break_discounts(lines[1])
        run = BillingRun.objects.create(period="2026-11")
        rehearse_run(run=run, at=AT)
        run.refresh_from_db()
        assert stored_rehearsal(run) == self.rehearsed()


class TestTheCommand:
    ARGUMENTS = ("bill_period", "2026-11", "--date=2026-12-01", "--ahead", "--workers=1")

    def test_it_bills_and_says_what_it_did(self, lines: Lines, capsys: pytest.CaptureFixture[str]) -> None:
        call_command(*self.ARGUMENTS)
        said = capsys.readouterr().out
        assert "5 of 5 done, 5 invoice(s) over 172.50 (150.00 less 0.00, tax 22.50), 0 quarantined" in said

    def test_it_fails_where_a_bill_was_set_aside(self, lines: Lines) -> None:
        break_discounts(lines[1])
        with pytest.raises(CommandError, match=r"1 quarantined bill\(s\)"):
            call_command(*self.ARGUMENTS)

    def test_a_dry_run_says_what_would_come(self, lines: Lines, capsys: pytest.CaptureFixture[str]) -> None:
        break_discounts(lines[1])
        call_command("bill_period", "2026-11", "--date=2026-12-01", "--ahead", "--dry-run")
        said = capsys.readouterr().out
        assert "nothing is written: 4 invoice(s) over 138.00" in said
        assert f"{lines[1].phone_number}, period no. {period_of(lines[1]).pk}" in said
        assert said.count("Sample:") == 4
        assert not BillingRun.objects.exists()

    def test_interrupted_it_stops_and_says_how_to_go_on(
        self, lines: Lines, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupted(**_: Any) -> Any:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr("billing.management.commands.bill_period.bill_open_chunks", interrupted)
            with pytest.raises(CommandError, match="--resume"):
                call_command(*self.ARGUMENTS)
        assert BillingRun.objects.get().state == RunState.STOPPED
        call_command(*self.ARGUMENTS, "--resume")
        assert BillingRun.objects.get().state == RunState.DONE
