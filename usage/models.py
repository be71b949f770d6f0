"""Usage: events, counters, daily sums, alerts, rejected reports."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from customers.models import Subscription
from telcox.common.database.constraints import IN_THE_LIST, Rule
from telcox.common.fields import KeyField
from usage.vocabulary import (
    COUNTER_FIELDS,
    COUNTER_MAX,
    DATA_FIELDS,
    QUANTITY_MAX,
    ZERO_RATED,
    Category,
    RejectionReason,
    Resource,
    started_minutes,
)


class UsageEventManager(models.Manager["UsageEvent"]):
    def get_by_natural_key(self, source: str, event_id: str) -> UsageEvent:
        return self.get(source=source, event_id=event_id)


class UsageEvent(models.Model):
    """One report by the network: 1 MiB of SOCIAL by 0969786985, event 17 of source pgw-1. It is never
    changed.

    (source, event_id) is the idempotency key: a repeated report counts once.
    """

    source = KeyField(_("source"), max_length=64)
    event_id = KeyField(_("event id"), max_length=128)
    subscription = models.ForeignKey(
        Subscription,
        verbose_name=_("subscription"),
        on_delete=models.PROTECT,
        related_name="usage_events",
        db_index=False,  # covered by the index below, which starts with it
        # The counter, which the same transaction creates or adds to, has this constraint. Checking it for
        # each event, too, costs as much as writing the event.
        db_constraint=False,
    )
    category = models.CharField(_("category"), max_length=20, choices=Category)
    quantity = models.PositiveBigIntegerField(
        _("quantity"), help_text=_("In bytes; VOICE in seconds, SMS in messages")
    )
    occurred_at = models.DateTimeField(_("occurred"))
    ingested_at = models.DateTimeField(_("received"))

    objects: ClassVar[UsageEventManager] = UsageEventManager()

    class Meta:
        verbose_name = _("usage event")
        verbose_name_plural = _("usage events")
        ordering = ("-id",)
        permissions = [("report_usage", "Can report usage as the network does")]
        constraints = [
            models.UniqueConstraint(fields=("source", "event_id"), name="usage_event_once"),
            Rule(
                condition=Q(quantity__gte=1) & Q(quantity__lte=QUANTITY_MAX),
                name="usage_event_quantity_in_range",
                sentence=_("The quantity is out of range."),
                field="quantity",
            ),
            Rule(
                condition=Q(category__in=Category.values),
                name="usage_event_category_known",
                sentence=IN_THE_LIST,
                field="category",
            ),
        ]
        indexes = [models.Index(fields=("subscription", "occurred_at"), name="usage_event_of_subscription")]

    def __str__(self) -> str:
        return f"{self.source}/{self.event_id}"

    def natural_key(self) -> tuple[str, str]:
        return (self.source, self.event_id)

    natural_key.dependencies = ["customers.subscription"]  # type: ignore[attr-defined]


class UsageTotals(models.Model):
    """Sums of events by category."""

    used_social_bytes = models.PositiveBigIntegerField(_("social networks"), default=0, db_default=0)
    used_entertainment_bytes = models.PositiveBigIntegerField(_("entertainment"), default=0, db_default=0)
    used_system_updates_bytes = models.PositiveBigIntegerField(_("system updates"), default=0, db_default=0)
    used_navigation_search_bytes = models.PositiveBigIntegerField(
        _("browsing and search"), default=0, db_default=0
    )
    used_voice_seconds = models.PositiveBigIntegerField(
        _("voice"), default=0, db_default=0, help_text=_("In seconds")
    )
    used_sms = models.PositiveBigIntegerField(_("SMS"), default=0, db_default=0)

    class Meta:
        abstract = True

    @property
    def total_bytes(self) -> int:
        return sum(getattr(self, field) for field in DATA_FIELDS)

    def drawn_bytes(self, subscription: Subscription) -> int:
        """Return the bytes of the categories that are not zero-rated in the subscription."""
        return sum(
            getattr(self, used) for used, free in ZERO_RATED.items() if not getattr(subscription, free)
        )

    @property
    def voice_minutes(self) -> int:
        return started_minutes(self.used_voice_seconds)


class UsageCounterManager(models.Manager["UsageCounter"]):
    def get_by_natural_key(self, phone_number: str, sequence: int) -> UsageCounter:
        return self.get(subscription__line__phone_number=phone_number, subscription__sequence=sequence)


class UsageCounter(UsageTotals):
    """Usage of a subscription so far. A subscription has a counter once usage was counted for it, or once the
    line's next period has begun.

    `version` counts the changes: one for each event that was counted, and one for each that was taken out
    again (`moved_events` of them), because it belongs to the next period or happened after the line had ended
    (usage/replacing.py). No usage from `closed_at` on is counted here.

    Events from before `purged_before` are being deleted or have been, `purged_events` of them so far. The
    counter and the days stand for them, and no further event is counted there, because it is unknown whether
    it was counted before.
    """

    subscription = models.OneToOneField(
        Subscription,
        verbose_name=_("subscription"),
        on_delete=models.PROTECT,
        primary_key=True,
        related_name="usage_counter",
    )
    version = models.PositiveBigIntegerField(_("version"), default=0, db_default=0)
    purged_before = models.DateField(_("events purged before"), null=True, blank=True)
    # A database default, because the hand-written SQL for counters (ingestion/sql.py) only names the columns
    # to which it adds.
    purged_events = models.PositiveBigIntegerField(_("events purged"), default=0, db_default=0)
    closed_at = models.DateTimeField(_("usage until"), null=True, blank=True)
    moved_events = models.PositiveBigIntegerField(_("events taken out again"), default=0, db_default=0)

    objects: ClassVar[UsageCounterManager] = UsageCounterManager()

    class Meta:
        verbose_name = _("usage counter")
        verbose_name_plural = _("usage counters")
        constraints = [
            # One constraint for all columns: each constraint is checked whenever a counter changes.
            Rule(
                condition=Q(**{f"{field}__lte": COUNTER_MAX for field in COUNTER_FIELDS.values()}),
                name="usage_counter_in_range",
                sentence=_("The counter cannot hold so much usage."),
            ),
            Rule(
                condition=Q(purged_before__isnull=False) | Q(purged_events=0),
                name="usage_counter_purged_before_a_day",
                sentence=_("Purged events need the day before which they were purged."),
            ),
        ]

    def __str__(self) -> str:
        return str(self.subscription)

    def natural_key(self) -> tuple[str, int]:
        return self.subscription.natural_key()

    natural_key.dependencies = ["customers.subscription"]  # type: ignore[attr-defined]


class UsageDay(UsageTotals):
    """Usage of a subscription on one day in the operator's time zone."""

    # The primary key is the order of the table itself, so that adding to a day takes one look-up in one
    # B-tree.
    pk = models.CompositePrimaryKey("subscription_id", "day")
    subscription = models.ForeignKey(
        Subscription,
        verbose_name=_("subscription"),
        on_delete=models.PROTECT,
        related_name="usage_days",
        db_index=False,  # covered by the primary key, which starts with it
        db_constraint=False,  # as in UsageEvent
    )
    day = models.DateField(_("day"))

    class Meta:
        verbose_name = _("usage of a day")
        verbose_name_plural = _("usage by day")
        ordering = ("subscription", "day")

    def __str__(self) -> str:
        return f"{self.subscription} · {self.day}"


class UsageAlert(models.Model):
    """An allowance was used up to a threshold: 80 % of the data of a subscription, last at `crossed_at`.

    Raised once, and again if the allowance has grown and usage has reached the threshold again.
    """

    subscription = models.ForeignKey(
        Subscription,
        verbose_name=_("subscription"),
        on_delete=models.PROTECT,
        related_name="usage_alerts",
        db_index=False,  # covered by the unique constraint, which starts with it
    )
    resource = models.CharField(_("resource"), max_length=5, choices=Resource)
    threshold = models.PositiveSmallIntegerField(_("threshold"), help_text=_("In percent"))
    crossed_at = models.DateTimeField(_("crossed"))

    class Meta:
        verbose_name = _("usage alert")
        verbose_name_plural = _("usage alerts")
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(
                fields=("subscription", "resource", "threshold"), name="usage_alert_said_once"
            ),
            Rule(
                condition=Q(resource__in=Resource.values),
                name="usage_alert_resource_known",
                sentence=IN_THE_LIST,
                field="resource",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subscription} · {self.get_resource_display()} {self.threshold} %"


class RejectedUsageQuerySet(models.QuerySet["RejectedUsage"]):
    def unresolved(self) -> RejectedUsageQuerySet:
        return self.filter(unresolved=True)

    def settled(self) -> RejectedUsageQuerySet:
        """Return reports that another attempt cannot change: counted meanwhile, or too late."""
        return self.filter(Q(unresolved=None) | Q(reason=RejectionReason.TOO_LATE))


class RejectedUsage(models.Model):
    """A report that could not be counted, as it was received. It can be counted later (redrive), once its
    reason is gone.

    `unresolved` is null once it was counted: a unique constraint allows one waiting report for each key, and
    any number of resolved ones.
    """

    source = KeyField(_("source"), max_length=64)
    event_id = KeyField(_("event id"), max_length=128)
    phone_number = models.CharField(_("phone number"), max_length=15)
    category = models.CharField(_("category"), max_length=20, choices=Category)
    quantity = models.PositiveBigIntegerField(
        _("quantity"), help_text=_("In bytes; VOICE in seconds, SMS in messages")
    )
    occurred_at = models.DateTimeField(_("occurred"))
    reason = models.CharField(_("reason"), max_length=20, choices=RejectionReason)
    received_at = models.DateTimeField(_("received"))
    resolved_at = models.DateTimeField(_("resolved"), null=True, blank=True)
    unresolved = models.BooleanField(_("waiting"), null=True, default=True)

    objects: ClassVar[models.Manager[RejectedUsage]] = models.Manager.from_queryset(RejectedUsageQuerySet)()

    class Meta:
        verbose_name = _("rejected usage")
        verbose_name_plural = _("rejected usage")
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(
                fields=("source", "event_id", "unresolved"), name="rejected_usage_waits_once"
            ),
            Rule(
                condition=Q(unresolved=True, resolved_at=None)
                | Q(unresolved=None, resolved_at__isnull=False),
                name="rejected_usage_resolved_or_waiting",
                sentence=_("Rejected usage is waiting, or it is resolved."),
            ),
        ]
        indexes = [models.Index(fields=("phone_number",), name="rejected_usage_of_number")]

    def __str__(self) -> str:
        return f"{self.source}/{self.event_id}"


class IngestionAnswer(models.Model):
    """The answer to a request with an Idempotency-Key, to be sent again byte for byte."""

    owner = models.CharField(_("sender"), max_length=40)
    key = KeyField(_("key"), max_length=200)
    request_digest = models.CharField(_("digest of the request"), max_length=64)
    body = models.BinaryField(_("answer"))
    answered_at = models.DateTimeField(_("answered"), db_index=True)

    class Meta:
        verbose_name = _("ingestion answer")
        verbose_name_plural = _("ingestion answers")
        ordering = ("-id",)
        constraints = [models.UniqueConstraint(fields=("owner", "key"), name="ingestion_answer_one_per_key")]

    def __str__(self) -> str:
        return f"{self.owner}/{self.key}"
