"""What was sold: periods of plans on lines, and their packs."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from customers.models.catalogue import Allowances, Pack, Plan, Terms, terms_are_sound
from customers.models.people import Customer, Line, LineStatus
from telcox.common.database.constraints import Rule, at_least_zero
from telcox.common.fields import KeyField


class SubscriptionQuerySet(models.QuerySet["Subscription"]):
    def current(self) -> SubscriptionQuerySet:
        """Return the last period of each line. Present usage is counted to it, even after it has expired."""
        return self.filter(is_last=True)

    def ended(self, at: datetime) -> SubscriptionQuerySet:
        return self.filter(expiration_at__lte=at)

    def renewing(self) -> SubscriptionQuerySet:
        """Return periods of lines that are to get their next period. A prepaid line pays for it first, so it
        gets none while it is suspended; a post-paid line's contract continues."""
        going_on = Q(line__status=LineStatus.ACTIVE) | Q(
            line__status=LineStatus.SUSPENDED, line__prepaid=False
        )
        return self.filter(going_on, line__auto_renew=True, line__ends_with_period=False)

    def to_bill(self) -> SubscriptionQuerySet:
        """Return periods without an invoice."""
        return self.filter(unbilled=True)


class SubscriptionManager(models.Manager.from_queryset(SubscriptionQuerySet)):  # type: ignore[misc]
    def get_by_natural_key(self, phone_number: str, sequence: int) -> Subscription:
        return self.get(line__phone_number=phone_number, sequence=sequence)


class Subscription(Terms):
    """One validity period of a plan on a line, from `start_at` up to and not including `expiration_at`.

    A line's periods are numbered from 1 without gaps (`sequence`); the last one is the current one
    (`is_last`), and each has one holder (`customer`). The terms are a copy of the plan's when the period was
    sold. The period is a part, usually the whole, of a full period of the plan (`cycle_start_at` to
    `cycle_end_at`). A part, such as the first month of a line that started on the 24th, or the rest after a
    plan change, has its share of price and allowances (proration). The limits (`limit_bytes`,
    `minutes_limit`, `sms_limit`) are that share, what was carried in from the period before (rollover), and
    packs.
    """

    line = models.ForeignKey(
        Line, verbose_name=_("line"), on_delete=models.PROTECT, related_name="subscriptions"
    )
    # Who holds the line in this period. The line's own customer is who holds it now.
    customer = models.ForeignKey(
        Customer, verbose_name=_("customer"), on_delete=models.PROTECT, related_name="subscriptions"
    )
    sequence = models.PositiveIntegerField(_("period no."))
    plan = models.ForeignKey(
        Plan, verbose_name=_("plan"), on_delete=models.PROTECT, related_name="subscriptions"
    )
    plan_name = models.CharField(_("plan name"), max_length=100)
    prepaid = models.BooleanField(_("prepaid"), default=False)
    start_at = models.DateTimeField(_("start"))
    expiration_at = models.DateTimeField(_("expiration"))
    cycle_start_at = models.DateTimeField(_("full period from"))
    cycle_end_at = models.DateTimeField(_("full period until"))
    limit_bytes = models.PositiveBigIntegerField(_("data"), default=0, help_text=_("In bytes"))
    minutes_limit = models.PositiveIntegerField(_("voice minutes"), default=0)
    sms_limit = models.PositiveIntegerField(_("SMS"), default=0)
    carried_in_bytes = models.PositiveBigIntegerField(_("data carried over"), default=0)
    carried_in_minutes = models.PositiveIntegerField(_("minutes carried over"), default=0)
    carried_in_sms = models.PositiveIntegerField(_("SMS carried over"), default=0)
    # Copy of the billing.Discounts at the time of sale: [{"name": …, "percent": "10", "amount": "0"}].
    discounts = models.JSONField(_("discounts"), default=list, blank=True)
    # Copy of the wallet's limit as of the end of the period, or as it is now.
    spend_limit = models.DecimalField(
        _("spending limit"),
        max_digits=12,
        decimal_places=2,
        default=0,
        help_text=_("In dollars, for packs and overage together; 0: none"),
    )
    # Number of times that the limits grew since the sale; part of a snapshot's version.
    changes = models.PositiveIntegerField(_("changes"), default=0, editable=False)
    renewed_from = models.OneToOneField(
        "self",
        verbose_name=_("follows"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="renewed_by",
    )
    # Markers, True or null: the daily queries find them by an index and do not read the whole past.
    is_last = models.BooleanField(_("current period of the line"), null=True, default=True)
    unbilled = models.BooleanField(_("to be billed"), null=True, default=True)

    objects: ClassVar[SubscriptionManager] = SubscriptionManager()

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
        ordering = ("line", "-sequence")
        constraints = [
            models.UniqueConstraint(fields=("line", "sequence"), name="subscription_one_per_line_and_period"),
            models.UniqueConstraint(fields=("line", "is_last"), name="subscription_one_last_per_line"),
            Rule(
                condition=Q(start_at__lt=F("expiration_at")),
                name="subscription_ends_after_it_starts",
                sentence=_("A period must end after it starts."),
            ),
            Rule(
                condition=Q(cycle_start_at__lte=F("start_at")) & Q(expiration_at__lte=F("cycle_end_at")),
                name="subscription_within_its_full_period",
                sentence=_("A period must lie within its full period."),
            ),
            *at_least_zero("subscription", "spend_limit"),
            *terms_are_sound("subscription"),
        ]
        indexes = [
            models.Index(fields=("is_last", "expiration_at"), name="subscription_to_renew"),
            models.Index(fields=("unbilled", "expiration_at"), name="subscription_to_bill"),
            # Covering index: all that usage/ingestion/places.py reads to find the period of usage.
            models.Index(
                fields=(
                    "line",
                    "expiration_at",
                    "start_at",
                    "limit_bytes",
                    "minutes_limit",
                    "sms_limit",
                    "zero_rated_social",
                    "zero_rated_entertainment",
                    "zero_rated_system_updates",
                    "zero_rated_navigation_search",
                ),
                name="subscription_of_usage",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.line} · {self.plan_name} · {self.sequence}"

    def natural_key(self) -> tuple[str, int]:
        return (self.line.phone_number, self.sequence)

    natural_key.dependencies = ["customers.line", "customers.plan"]  # type: ignore[attr-defined]

    def is_expired(self, at: datetime) -> bool:
        return self.expiration_at <= at


class SoldPack(Allowances):
    """A pack that was bought for a period, with a copy of its terms; or what was left of a period's packs at
    a plan change (`carried_from`), which costs nothing."""

    subscription = models.ForeignKey(
        Subscription, verbose_name=_("subscription"), on_delete=models.PROTECT, related_name="packs"
    )
    pack = models.ForeignKey(
        Pack, verbose_name=_("pack"), on_delete=models.PROTECT, null=True, blank=True, related_name="sold"
    )
    carried_from = models.OneToOneField(
        Subscription,
        verbose_name=_("left over from"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="packs_carried_on",
    )
    name = models.CharField(_("name"), max_length=100)
    price = models.DecimalField(_("price"), max_digits=12, decimal_places=2)
    bought_at = models.DateTimeField(_("bought"))
    reference = KeyField(
        _("reference"),
        max_length=64,
        unique=True,
        help_text=_("Identifies the purchase: a second purchase with the same reference has no effect."),
    )

    class Meta:
        verbose_name = _("sold pack")
        verbose_name_plural = _("sold packs")
        ordering = ("-id",)
        constraints = [
            *at_least_zero("sold_pack", "price"),
            Rule(
                condition=Q(pack__isnull=False, carried_from=None)
                | Q(pack=None, carried_from__isnull=False, price=0),
                name="sold_pack_bought_or_left",
                sentence=_("A pack is either bought, or left over from another period."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subscription.line} · {self.name}"
