import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.utils import timezone

from billing.sales.renewal import renew_subscriptions
from billing.sales.services import activate_subscription
from customers.models import Line, LineStatus, Plan, Subscription
from telcox.common.errors import DomainError
from telcox.testing.threads import in_threads

JESUS = "0969786985"


def periods(phone_number: str = JESUS) -> list[Subscription]:
    return list(Subscription.objects.filter(line__phone_number=phone_number).order_by("sequence"))


@pytest.mark.django_db
class TestActivating:
    @pytest.fixture
    def line(self, seeded: None) -> Line:
        customer = Line.objects.get(phone_number=JESUS).customer
        return Line.objects.create(customer=customer, phone_number="0955555555", product_type="MOVIL")

    @pytest.fixture
    def plan(self, seeded: None) -> Plan:
        return Plan.objects.get(code="movil-15")

    def test_a_subscription_keeps_a_copy_of_the_plans_terms(
        self, line: Line, plan: Plan, now: datetime
    ) -> None:
        sold = activate_subscription(line=line, plan=plan, at=now)
        Plan.objects.filter(pk=plan.pk).update(name="Other", price=99, data_bytes=1, voice_minutes=1)
        sold.refresh_from_db()
        assert (sold.plan_name, sold.price) == ("Móvil 15 GB", Decimal("16.00"))
        assert (sold.limit_bytes, sold.minutes_limit, sold.sms_limit) == (15 * 2**30, 300, 100)
        assert sold.expiration_at - sold.start_at == timedelta(days=30)

    def test_a_running_period_is_not_sold_over(self, line: Line, plan: Plan, now: datetime) -> None:
        activate_subscription(line=line, plan=plan, at=now)
        line.refresh_from_db()
        with pytest.raises(DomainError) as refused:
            activate_subscription(line=line, plan=plan, at=now + timedelta(days=29))
        assert refused.value.reason == "period_running"
        assert activate_subscription(line=line, plan=plan, at=now + timedelta(days=30)).sequence == 2

    def test_a_line_out_of_service_a_plan_off_sale_and_one_of_another_kind_are_refused(
        self, line: Line, plan: Plan, now: datetime
    ) -> None:
        fixed = Plan.objects.get(code="fijo-200")
        plan_off_sale = Plan.objects.get(code="movil-10-2024")
        for offered, reason in (
            (fixed, "plan_of_other_product_type"),
            (plan_off_sale, "plan_not_on_sale"),
        ):
            with pytest.raises(DomainError) as refused:
                activate_subscription(line=line, plan=offered, at=now)
            assert refused.value.reason == reason
        Line.objects.filter(pk=line.pk).update(status=LineStatus.SUSPENDED)
        with pytest.raises(DomainError) as refused:
            activate_subscription(line=line, plan=plan, at=now)
        assert refused.value.reason == "line_suspended"

    def test_two_current_periods_are_refused_by_the_database_itself(
        self, line: Line, plan: Plan, now: datetime
    ) -> None:
        sold = activate_subscription(line=line, plan=plan, at=now)
        sold.pk = None
        with pytest.raises(IntegrityError), transaction.atomic():
            sold.save(force_insert=True)


@pytest.mark.django_db
class TestRenewing:
    def test_nothing_is_renewed_before_its_period_ends(self, seeded: None, now: datetime) -> None:
        assert renew_subscriptions(at=now) == 0

    def test_the_next_period_begins_where_the_last_one_ended(self, seeded: None) -> None:
        [first] = periods()
        renew_subscriptions(at=first.expiration_at)
        _, second = periods()
        assert second.start_at == first.expiration_at
        assert second.renewed_from == first
        assert second.sequence == 2

    def test_missed_periods_are_made_up_without_gap_or_overlap(self, seeded: None, now: datetime) -> None:
        assert renew_subscriptions(at=now + timedelta(days=365)) > 3
        for phone_number in (JESUS, "0923456789", "0934567890"):
            made = periods(phone_number)
            assert [period.sequence for period in made] == list(range(1, len(made) + 1))
            for earlier, later in itertools.pairwise(made):
                assert later.start_at == earlier.expiration_at
            assert made[-1].start_at <= now + timedelta(days=365) < made[-1].expiration_at

    def test_renewing_twice_begins_nothing_more(self, seeded: None, now: datetime) -> None:
        later = now + timedelta(days=100)
        assert renew_subscriptions(at=later) > 0
        assert renew_subscriptions(at=later) == 0

    def test_a_renewed_period_has_the_plans_present_terms_and_the_old_one_keeps_its_own(
        self, seeded: None, now: datetime
    ) -> None:
        Plan.objects.filter(code="movil-30").update(price=Decimal("23.00"), name="Móvil 30")
        renew_subscriptions(at=now + timedelta(days=30))
        first, second = periods()
        assert (first.price, first.plan_name) == (Decimal("22.00"), "Móvil 30 GB")
        assert (second.price, second.plan_name) == (Decimal("23.00"), "Móvil 30")

    def test_lines_that_do_not_renew_or_are_out_of_service_are_left_alone(
        self, seeded: None, now: datetime
    ) -> None:
        Line.objects.filter(phone_number=JESUS).update(auto_renew=False)
        Line.objects.filter(phone_number="0923456789").update(status=LineStatus.TERMINATED)
        renew_subscriptions(at=now + timedelta(days=30))
        assert (len(periods()), len(periods("0923456789")), len(periods("0934567890"))) == (1, 1, 2)

    def test_the_seed_is_not_loaded_over_what_happened_since(self, seeded: None, now: datetime) -> None:
        renew_subscriptions(at=now + timedelta(days=30))
        before = list(Subscription.objects.order_by("pk").values())
        with pytest.raises(IntegrityError), transaction.atomic():
            call_command("loaddata", "catalogue", "customers", "groups", "invoices", verbosity=0)
        assert list(Subscription.objects.order_by("pk").values()) == before

    @pytest.mark.usefixtures("clock_at_now")
    def test_the_command_renews_as_of_now(self, seeded: None, capsys: pytest.CaptureFixture[str]) -> None:
        now = timezone.now()
        Subscription.objects.update(
            start_at=now - timedelta(days=31),
            expiration_at=now - timedelta(days=1),
            cycle_start_at=now - timedelta(days=31),
        )
        call_command("renew_subscriptions")
        call_command("renew_subscriptions")
        assert capsys.readouterr().out == "3 period(s) started\n0 period(s) started\n"

    def test_a_day_in_which_clocks_change_is_one_day(self, seeded: None, settings) -> None:
        settings.TIME_ZONE = "Europe/Madrid"
        zone = ZoneInfo("Europe/Madrid")
        with timezone.override(zone):
            Subscription.objects.update(
                start_at=datetime(2026, 2, 28, tzinfo=zone),
                expiration_at=datetime(2026, 3, 28, tzinfo=zone),
                cycle_start_at=datetime(2026, 2, 28, tzinfo=zone),
            )
            renew_subscriptions(at=datetime(2026, 3, 28, tzinfo=zone))
            assert periods()[-1].expiration_at == datetime(2026, 4, 26, 22, tzinfo=UTC)


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
def test_renewing_in_many_places_at_once_begins_each_period_once(committed: None, now: datetime) -> None:
    at = now + timedelta(days=200)
    begun = in_threads(lambda _: renew_subscriptions(at=at), range(8), threads=8)
    assert sum(begun) == Subscription.objects.filter(renewed_from__isnull=False).count()
    made = periods()
    assert [period.sequence for period in made] == list(range(1, len(made) + 1))
