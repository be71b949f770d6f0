"""Who the customers are and what they hold."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class ProductType(models.TextChoices):
    FIJO = "FIJO", _("Fixed")
    MOVIL = "MOVIL", _("Mobile")


class LineStatus(models.TextChoices):
    ACTIVE = "ACTIVE", _("Active")
    SUSPENDED = "SUSPENDED", _("Suspended")
    TERMINATED = "TERMINATED", _("Terminated")


def at_least_zero(model: str, *fields: str) -> list[models.CheckConstraint]:
    """One constraint a field, so that a violation names the field."""
    return [
        models.CheckConstraint(condition=Q(**{f"{field}__gte": 0}), name=f"{model}_{field}_not_negative")
        for field in fields
    ]


class CustomerManager(models.Manager["Customer"]):
    def get_by_natural_key(self, dni: str) -> Customer:
        return self.get(dni=dni)


class Customer(models.Model):
    """Somebody the operator has a contract with, known by their identity card: Jesus Jacome, 0929668846.

    A customer holds one line or more. `user` is their login, where they have one.
    """

    dni = models.CharField(_("DNI"), max_length=13, unique=True, help_text=_("Identity card or RUC number"))
    full_name = models.CharField(_("full name"), max_length=150)
    email = models.EmailField(_("e-mail"), blank=True)
    address = models.CharField(_("address"), max_length=250, blank=True)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        verbose_name=_("login"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="customer",
    )

    objects: ClassVar[CustomerManager] = CustomerManager()

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        ordering = ("full_name", "id")

    def __str__(self) -> str:
        return f"{self.full_name} ({self.dni})"

    def natural_key(self) -> tuple[str]:
        return (self.dni,)


class LineQuerySet(models.QuerySet["Line"]):
    def visible_to(self, user: Any) -> LineQuerySet:
        """The user's own lines."""
        return self.filter(customer__user=user.pk) if user and user.pk else self.none()


class LineManager(models.Manager.from_queryset(LineQuerySet)):  # type: ignore[misc]
    def get_by_natural_key(self, phone_number: str) -> Line:
        return self.get(phone_number=phone_number)


class Line(models.Model):
    """A phone number in service: 0969786985, mobile, held by Jesus Jacome.

    The number is kept in its national form. Usage of a line that is not active is refused.
    """

    customer = models.ForeignKey(
        Customer, verbose_name=_("customer"), on_delete=models.PROTECT, related_name="lines"
    )
    phone_number = models.CharField(_("phone number"), max_length=15, unique=True)
    product_type = models.CharField(_("product type"), max_length=5, choices=ProductType)
    status = models.CharField(_("status"), max_length=10, choices=LineStatus, default=LineStatus.ACTIVE)
    auto_renew = models.BooleanField(
        _("renews itself"),
        default=True,
        help_text=_("The next period begins by itself when the present one has ended."),
    )

    objects: ClassVar[LineManager] = LineManager()

    class Meta:
        verbose_name = _("line")
        verbose_name_plural = _("lines")
        ordering = ("phone_number",)
        constraints = [
            models.CheckConstraint(
                condition=Q(product_type__in=ProductType.values), name="line_product_type_known"
            ),
            models.CheckConstraint(condition=Q(status__in=LineStatus.values), name="line_status_known"),
        ]

    def __str__(self) -> str:
        return self.phone_number

    def natural_key(self) -> tuple[str]:
        return (self.phone_number,)

    natural_key.dependencies = ["customers.customer"]  # type: ignore[attr-defined]


class Terms(models.Model):
    """What is sold, at what price: a plan offers these terms, and a subscription keeps the copy it was sold
    with.

    Prices in dollars before tax. Overage is what is used beyond the allowance; a GB is 2**30 bytes.
    """

    price = models.DecimalField(_("price"), max_digits=12, decimal_places=2)
    overage_price_per_gb = models.DecimalField(
        _("overage price per GB"), max_digits=18, decimal_places=6, default=0
    )
    overage_price_per_minute = models.DecimalField(
        _("overage price per minute"), max_digits=18, decimal_places=6, default=0
    )
    overage_price_per_sms = models.DecimalField(
        _("overage price per SMS"), max_digits=18, decimal_places=6, default=0
    )

    class Meta:
        abstract = True


PRICES = ("price", "overage_price_per_gb", "overage_price_per_minute", "overage_price_per_sms")


class PlanQuerySet(models.QuerySet["Plan"]):
    def on_sale(self) -> PlanQuerySet:
        return self.filter(on_sale=True)


class PlanManager(models.Manager.from_queryset(PlanQuerySet)):  # type: ignore[misc]
    def get_by_natural_key(self, code: str) -> Plan:
        return self.get(code=code)


class Plan(Terms):
    """An offer in the catalogue: "Móvil 30 GB", 25.00 for 30 days, 30 GB and 600 minutes.

    Staff edit it freely: what was sold from it keeps its own terms.
    """

    code = models.SlugField(_("code"), max_length=50, unique=True)
    name = models.CharField(_("name"), max_length=100)
    product_type = models.CharField(_("product type"), max_length=5, choices=ProductType)
    data_bytes = models.PositiveBigIntegerField(_("data"), default=0, help_text=_("In bytes"))
    voice_minutes = models.PositiveIntegerField(_("voice minutes"), default=0)
    sms = models.PositiveIntegerField(_("SMS"), default=0)
    validity_days = models.PositiveSmallIntegerField(_("validity"), default=30, help_text=_("In days"))
    on_sale = models.BooleanField(_("on sale"), default=True)

    objects: ClassVar[PlanManager] = PlanManager()

    class Meta:
        verbose_name = _("plan")
        verbose_name_plural = _("plans")
        ordering = ("product_type", "price", "code")
        constraints = [
            *at_least_zero("plan", *PRICES),
            models.CheckConstraint(
                condition=Q(product_type__in=ProductType.values), name="plan_product_type_known"
            ),
            models.CheckConstraint(condition=Q(validity_days__gte=1), name="plan_valid_for_a_day_or_more"),
        ]

    def __str__(self) -> str:
        return self.name

    def natural_key(self) -> tuple[str]:
        return (self.code,)


class SubscriptionQuerySet(models.QuerySet["Subscription"]):
    def current(self) -> SubscriptionQuerySet:
        """The last period of each line: the one usage of now is counted to, even when it has run out."""
        later = Subscription.objects.filter(
            line=models.OuterRef("line"), sequence__gt=models.OuterRef("sequence")
        )
        return self.filter(~models.Exists(later))

    def ended(self, at: datetime) -> SubscriptionQuerySet:
        return self.filter(expiration_at__lte=at)

    def renewing(self) -> SubscriptionQuerySet:
        """Of lines that are in service and want their next period."""
        return self.filter(line__auto_renew=True, line__status=LineStatus.ACTIVE)


class SubscriptionManager(models.Manager.from_queryset(SubscriptionQuerySet)):  # type: ignore[misc]
    def get_by_natural_key(self, phone_number: str, sequence: int) -> Subscription:
        return self.get(line__phone_number=phone_number, sequence=sequence)


class Subscription(Terms):
    """One validity period of a plan on a line, from `start_at` up to and not including `expiration_at`.

    A line's periods are numbered from 1 without a gap (`sequence`); the last is the current one. That a
    line has one current period at most follows from the numbers being unique, so there is no flag that
    could disagree. The terms are the plan's as they were when the period was sold.
    """

    line = models.ForeignKey(
        Line, verbose_name=_("line"), on_delete=models.PROTECT, related_name="subscriptions"
    )
    sequence = models.PositiveIntegerField(_("period no."))
    plan = models.ForeignKey(
        Plan, verbose_name=_("plan"), on_delete=models.PROTECT, related_name="subscriptions"
    )
    plan_name = models.CharField(_("plan name"), max_length=100)
    start_at = models.DateTimeField(_("start"))
    expiration_at = models.DateTimeField(_("expiration"))
    limit_bytes = models.PositiveBigIntegerField(_("data"), default=0, help_text=_("In bytes"))
    minutes_limit = models.PositiveIntegerField(_("voice minutes"), default=0)
    sms_limit = models.PositiveIntegerField(_("SMS"), default=0)
    renewed_from = models.OneToOneField(
        "self",
        verbose_name=_("renewed from"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="renewed_by",
    )

    objects: ClassVar[SubscriptionManager] = SubscriptionManager()

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
        ordering = ("line", "-sequence")
        constraints = [
            models.UniqueConstraint(fields=("line", "sequence"), name="subscription_one_per_line_and_period"),
            models.CheckConstraint(
                condition=Q(start_at__lt=F("expiration_at")), name="subscription_ends_after_it_starts"
            ),
            *at_least_zero("subscription", *PRICES),
        ]
        indexes = [
            models.Index(fields=("expiration_at",), name="subscription_expiration"),
            # All that usage needs to know to find its period (usage/ingestion/places.py), without the rows.
            models.Index(
                fields=("line", "expiration_at", "start_at", "limit_bytes", "minutes_limit", "sms_limit"),
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
