"""Admin pages of usage, and the columns that show a period's usage."""

from datetime import datetime

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _

from customers.models import Subscription
from telcox.common.errors import DomainError
from telcox.common.office.admin import (
    CappedPaginator,
    ReadOnly,
    ReadOnlyInline,
    Step,
    link_to,
    share_used,
)
from telcox.common.phone import searched_number
from usage.models import IngestionAnswer, RejectedUsage, UsageAlert, UsageCounter, UsageEvent
from usage.services import redrive_usage
from usage.vocabulary import DATA_CATEGORIES, Category

NOTHING_USED = UsageCounter()


def counter_of(subscription: Subscription) -> UsageCounter:
    return getattr(subscription, "usage_counter", NOTHING_USED)


def share_of_data(subscription: Subscription) -> str:
    drawn = counter_of(subscription).drawn_bytes(subscription)
    return share_used(drawn, subscription.limit_bytes, of_bytes=True)


class UsedMixin:
    """Columns of a subscription that show its allowances and what is left of them."""

    @admin.display(description=_("data"))
    def data_used(self, subscription: Subscription) -> str:
        return share_of_data(subscription)

    @admin.display(description=_("voice minutes"))
    def minutes_used(self, subscription: Subscription) -> str:
        return share_used(counter_of(subscription).voice_minutes, subscription.minutes_limit)

    @admin.display(description=_("SMS"))
    def sms_used(self, subscription: Subscription) -> str:
        return share_used(counter_of(subscription).used_sms, subscription.sms_limit)


class SubscriptionInline(UsedMixin, ReadOnlyInline):
    model = Subscription
    related = ("line", "usage_counter")
    fields = (
        "sequence",
        "plan_name",
        "start_at",
        "expiration_at",
        "price",
        "data_used",
        "minutes_used",
        "sms_used",
    )
    readonly_fields = fields
    ordering = ("-sequence",)
    verbose_name_plural = _("latest subscriptions")


@admin.register(UsageEvent)
class UsageEventAdmin(ReadOnly):
    list_display = ("occurred_at", "line", "category", "amount", "source", "event_id", "ingested_at")
    list_filter = ("category",)
    list_select_related = ("subscription__line",)
    search_fields = ("event_id",)
    search_help_text = _("Phone number, or source/event id")
    paginator = CappedPaginator

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[UsageEvent], search_term: str
    ) -> tuple[QuerySet[UsageEvent], bool]:
        """Search only by what an index finds, because this is the largest table: the events of a line, or one
        event."""
        if not search_term:
            return queryset, False
        source, slash, event_id = search_term.partition("/")
        if slash:
            return queryset.filter(source=source, event_id=event_id), False
        periods = Subscription.objects.filter(line__phone_number=searched_number(search_term) or "")
        return queryset.filter(subscription__in=list(periods.values_list("pk", flat=True))), False

    @admin.display(description=_("line"))
    def line(self, event: UsageEvent) -> str:
        return link_to(event.subscription.line)

    @admin.display(description=_("quantity"), ordering="quantity")
    def amount(self, event: UsageEvent) -> str:
        return _amount(event)


def _amount(row: UsageEvent | RejectedUsage) -> str:
    if row.category in DATA_CATEGORIES:
        return filesizeformat(row.quantity)
    return f"{row.quantity} s" if row.category == Category.VOICE else str(row.quantity)


@admin.register(UsageCounter)
class UsageCounterAdmin(ReadOnly):
    list_display = ("subscription", "data", "voice_minutes", "used_sms", "version", "purged_before")
    list_select_related = ("subscription__line",)
    search_fields = ("subscription__line__phone_number",)
    search_help_text = _("Phone number")
    paginator = CappedPaginator
    ordering = ("-pk",)

    @admin.display(description=_("data"))
    def data(self, counter: UsageCounter) -> str:
        return filesizeformat(counter.total_bytes)


@admin.register(UsageAlert)
class UsageAlertAdmin(ReadOnly):
    list_display = ("crossed_at", "subscription", "resource", "threshold")
    list_filter = ("resource", "threshold")
    list_select_related = ("subscription__line",)
    search_fields = ("subscription__line__phone_number",)
    search_help_text = _("Phone number")
    paginator = CappedPaginator


def _redrive(rejected: RejectedUsage, at: datetime, by: str) -> None:
    redriven = redrive_usage(rejected=RejectedUsage.objects.filter(pk=rejected.pk), at=at)
    if redriven.rejected:
        rejected.refresh_from_db()
        raise DomainError(str(rejected.get_reason_display()), reason=rejected.reason)


@admin.register(RejectedUsage)
class RejectedUsageAdmin(ReadOnly):
    list_display = (
        "received_at",
        "phone_number",
        "category",
        "amount",
        "reason",
        "resolved_at",
        "source",
        "event_id",
    )
    list_filter = ("reason", ("resolved_at", admin.EmptyFieldListFilter), "category")
    search_fields = ("phone_number", "=event_id")
    search_help_text = _("Phone number or event id")
    paginator = CappedPaginator
    steps = (
        Step(
            "redrive",
            _("Count again"),
            _("%s was counted."),
            "usage.report_usage",
            when=lambda rejected: rejected.unresolved is True,
            run=_redrive,
            confirm=_("Count this usage now? It is charged like any other, and cannot be taken back."),
        ),
    )

    @admin.display(description=_("quantity"), ordering="quantity")
    def amount(self, rejected: RejectedUsage) -> str:
        return _amount(rejected)


@admin.register(IngestionAnswer)
class IngestionAnswerAdmin(ReadOnly):
    list_display = ("answered_at", "owner", "key")
    search_fields = ("=key",)
    exclude = ("body",)
    paginator = CappedPaginator
