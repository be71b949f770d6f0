"""The catalogue: plans, their former terms, and packs."""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from customers.models.people import ProductType
from telcox.common.calendar import local_date
from telcox.common.database.constraints import IN_THE_LIST, Rule, at_least_zero


class Allowances(models.Model):
    """An amount of each service that is sold."""

    data_bytes = models.PositiveBigIntegerField(_("data"), default=0, help_text=_("In bytes"))
    voice_minutes = models.PositiveIntegerField(_("voice minutes"), default=0)
    sms = models.PositiveIntegerField(_("SMS"), default=0)

    class Meta:
        abstract = True


class Terms(Allowances):
    """What is sold, at what price. A plan offers these terms, and a subscription keeps the copy it was sold
    with. docs/rating.md says how a bill is calculated from them.

    Prices are in dollars before tax; price and allowances are for a full period. Overage is usage beyond the
    allowance; a GB is 2**30 bytes.
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
    overage_per_started_gb = models.BooleanField(
        _("each started GB"), default=False, help_text=_("Otherwise to the millionth of a GB")
    )
    overage_per_started_minute = models.BooleanField(
        _("each started minute"), default=True, help_text=_("Otherwise by the second")
    )
    data_stops = models.BooleanField(
        _("data stops"), default=False, help_text=_("Nothing is charged beyond the allowance.")
    )
    voice_stops = models.BooleanField(
        _("voice stops"), default=False, help_text=_("Nothing is charged beyond the allowance.")
    )
    sms_stops = models.BooleanField(
        _("SMS stop"), default=False, help_text=_("Nothing is charged beyond the allowance.")
    )
    overage_beyond_spend_limit = models.BooleanField(
        _("overage beyond the spending limit"),
        default=False,
        help_text=_("Otherwise overage stops where the line's spending limit is reached."),
    )
    rollover_share = models.DecimalField(
        _("rollover"),
        max_digits=5,
        decimal_places=4,
        default=0,
        help_text=_("The share of the unused allowance that goes to the next period: 0.5 for half"),
    )
    rollover_cap = models.DecimalField(
        _("rollover at most"),
        max_digits=7,
        decimal_places=4,
        default=1,
        help_text=_("As a share of the plan's allowance: 1 for as much as one full period has"),
    )
    zero_rated_social = models.BooleanField(_("social networks free"), default=False)
    zero_rated_entertainment = models.BooleanField(_("entertainment free"), default=False)
    zero_rated_system_updates = models.BooleanField(_("system updates free"), default=False)
    zero_rated_navigation_search = models.BooleanField(_("browsing and search free"), default=False)

    class Meta:
        abstract = True


TERMS = tuple(field.name for field in Terms._meta.fields)
PRICES = tuple(name for name in TERMS if "price" in name)


def terms_are_sound(model: str) -> list[models.CheckConstraint]:
    return [
        *at_least_zero(model, *PRICES, "rollover_cap"),
        Rule(
            condition=Q(rollover_share__gte=0) & Q(rollover_share__lte=1),
            name=f"{model}_rollover_is_a_share",
            sentence=_("This is a share: enter a number from 0 to 1, such as 0.5 for half."),
            field="rollover_share",
        ),
    ]


class Offer(models.Model):
    """Name and dates of sale of a plan or pack."""

    code = models.SlugField(_("code"), max_length=50, unique=True)
    name = models.CharField(_("name"), max_length=100)
    product_type = models.CharField(_("product type"), max_length=5, choices=ProductType)
    on_sale = models.BooleanField(_("on sale"), default=True)
    on_sale_from = models.DateField(_("on sale from"), null=True, blank=True)
    on_sale_until = models.DateField(
        _("on sale until"), null=True, blank=True, help_text=_("The last day, included")
    )

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name

    def natural_key(self) -> tuple[str]:
        return (self.code,)

    def clean(self) -> None:
        if self.on_sale_from and self.on_sale_until and self.on_sale_until < self.on_sale_from:
            raise ValidationError({"on_sale_until": _("The end must not be before the start.")})

    def is_on_sale(self, on: date) -> bool:
        return (
            self.on_sale
            and (self.on_sale_from is None or self.on_sale_from <= on)
            and (self.on_sale_until is None or on <= self.on_sale_until)
        )


def _sold_on(on: date) -> Q:
    return (
        Q(on_sale=True)
        & (Q(on_sale_from=None) | Q(on_sale_from__lte=on))
        & (Q(on_sale_until=None) | Q(on_sale_until__gte=on))
    )


class PlanQuerySet(models.QuerySet["Plan"]):
    def on_sale(self, on: date) -> PlanQuerySet:
        return self.filter(_sold_on(on))


class PlanManager(models.Manager.from_queryset(PlanQuerySet)):  # type: ignore[misc]
    def get_by_natural_key(self, code: str) -> Plan:
        return self.get(code=code)


class Validity(models.Model):
    """The length of a period: a number of days, or the calendar month (0)."""

    validity_days = models.PositiveSmallIntegerField(
        _("validity"),
        default=30,
        validators=[MaxValueValidator(3660)],
        help_text=_("In days; 0 for the calendar month"),
    )

    class Meta:
        abstract = True


class Plan(Terms, Validity, Offer):
    """An offer of the catalogue: "Móvil 30 GB", 25.00 for 30 days, 30 GB and 600 minutes.

    Staff may edit it at any time (customers/catalogue.py): periods already sold keep their own terms, and the
    former terms are kept as a PlanRevision.
    """

    due_days = models.PositiveSmallIntegerField(
        _("days to pay"),
        null=True,
        blank=True,
        help_text=_("From the day an invoice is issued, unless the customer has a different number of days"),
    )

    objects: ClassVar[PlanManager] = PlanManager()

    class Meta:
        verbose_name = _("plan")
        verbose_name_plural = _("plans")
        ordering = ("product_type", "price", "code")
        constraints = [
            *terms_are_sound("plan"),
            Rule(
                condition=Q(product_type__in=ProductType.values),
                name="plan_product_type_known",
                sentence=IN_THE_LIST,
                field="product_type",
            ),
        ]


class PlanRevision(Terms, Validity):
    """What a plan offered until `replaced_at`, when `replaced_by` edited it. It is never changed."""

    plan = models.ForeignKey(Plan, verbose_name=_("plan"), on_delete=models.PROTECT, related_name="revisions")
    name = models.CharField(_("name"), max_length=100)
    replaced_at = models.DateTimeField(_("until"))
    replaced_by = models.CharField(_("changed by"), max_length=150, blank=True)

    class Meta:
        verbose_name = _("former terms of a plan")
        verbose_name_plural = _("former terms of plans")
        ordering = ("-id",)
        indexes = [models.Index(fields=("plan", "replaced_at"), name="plan_revision_until")]

    def __str__(self) -> str:
        return f"{self.name} ({local_date(self.replaced_at):%d/%m/%Y})"


class PackQuerySet(models.QuerySet["Pack"]):
    def on_sale(self, on: date) -> PackQuerySet:
        return self.filter(_sold_on(on))


class PackManager(models.Manager.from_queryset(PackQuerySet)):  # type: ignore[misc]
    def get_by_natural_key(self, code: str) -> Pack:
        return self.get(code=code)


class Pack(Allowances, Offer):
    """Additional allowance for the rest of a period: "5 GB más", 4.00."""

    price = models.DecimalField(
        _("price"), max_digits=12, decimal_places=2, help_text=_("In dollars, before tax")
    )

    objects: ClassVar[PackManager] = PackManager()

    class Meta:
        verbose_name = _("pack")
        verbose_name_plural = _("packs")
        ordering = ("product_type", "price", "code")
        constraints = [
            *at_least_zero("pack", "price"),
            Rule(
                condition=Q(product_type__in=ProductType.values),
                name="pack_product_type_known",
                sentence=IN_THE_LIST,
                field="product_type",
            ),
            Rule(
                condition=Q(data_bytes__gt=0) | Q(voice_minutes__gt=0) | Q(sms__gt=0),
                name="pack_has_something_in_it",
                sentence=_("A pack must contain data, minutes or messages."),
                field="data_bytes",
            ),
        ]

    def clean(self) -> None:
        super().clean()
        if not (self.data_bytes or self.voice_minutes or self.sms):
            raise ValidationError({"data_bytes": _("Enter data, minutes or SMS.")})
