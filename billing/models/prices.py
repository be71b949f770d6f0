"""Taxes and discounts."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from customers.models import Customer, Plan
from telcox.common.database.constraints import Rule, at_least_zero


class TaxRateQuerySet(models.QuerySet["TaxRate"]):
    def valid_on(self, day: date) -> TaxRateQuerySet:
        """Return the rates that are valid on `day`. The one in force comes first."""
        return self.filter(valid_from__lte=day).order_by("-valid_from")


def same_tax(name: str) -> str:
    """Return a tax's name without case and blanks around it: "IVA" and "iva " are one tax."""
    return name.strip().casefold()


class TaxRateManager(models.Manager.from_queryset(TaxRateQuerySet)):  # type: ignore[misc]
    def get_by_natural_key(self, name: str, valid_from: str) -> TaxRate:
        return self.get(name=name, valid_from=valid_from)


class TaxRate(models.Model):
    """Rate of the tax on sales, and the day from which it applies: IVA, 0.15 from 2024-04-01 (Decreto
    Ejecutivo 198).

    There is one tax: a bill cannot be charged a second one beside it, so all rates have the same name, and
    each begins on a day of its own. Forms refuse others, and rating does, however they were entered.
    """

    name = models.CharField(_("name"), max_length=30)
    rate = models.DecimalField(_("rate"), max_digits=5, decimal_places=4, help_text=_("0.15 for 15 %"))
    valid_from = models.DateField(_("valid from"))

    objects: ClassVar[TaxRateManager] = TaxRateManager()

    class Meta:
        verbose_name = _("tax rate")
        verbose_name_plural = _("tax rates")
        ordering = ("-valid_from",)
        constraints = [
            models.UniqueConstraint(fields=("name", "valid_from"), name="tax_rate_one_from_a_day"),
            Rule(
                condition=Q(rate__gte=0) & Q(rate__lt=1),
                name="tax_rate_is_a_share",
                sentence=_("A rate is a share of 1: enter 0.15 for 15 %."),
                field="rate",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.rate:.2%}"

    def natural_key(self) -> tuple[str, date]:
        return (self.name, self.valid_from)

    def clean(self) -> None:
        others = TaxRate.objects.exclude(pk=self.pk)
        taxes = {same_tax(name): name for name in others.values_list("name", flat=True)}
        if taxes and same_tax(self.name) not in taxes:
            entered = ", ".join(sorted(taxes.values()))
            refused = _("%s is entered, and only one tax can be charged. A rate of that tax has its name.")
            raise ValidationError({"name": refused % entered})
        if self.valid_from and others.filter(valid_from=self.valid_from).exists():
            raise ValidationError({"valid_from": _("A rate from this day is entered: correct that one")})


class DiscountQuerySet(models.QuerySet["Discount"]):
    def for_customers(self, customer_ids: Collection[int]) -> DiscountQuerySet:
        """Return the discounts of these customers and those of plans, which apply to all customers."""
        return self.filter(Q(customer=None) | Q(customer__in=customer_ids))

    def valid_on(self, day: date) -> DiscountQuerySet:
        return self.filter(Q(valid_until=None) | Q(valid_until__gte=day), valid_from__lte=day)


class Discount(models.Model):
    """Discount on the periods that begin while it is valid: 10 % of "Móvil 30 GB" until the end of the year,
    or 5.00 a period for Jesus Jacome, or the same only as long as he has that plan.

    A period keeps the discounts that it was sold with. Editing or ending a discount affects later periods
    only.
    """

    name = models.CharField(_("name"), max_length=100)
    percent = models.DecimalField(
        _("percent"), max_digits=5, decimal_places=2, default=0, help_text=_("10 for 10 %")
    )
    amount = models.DecimalField(
        _("amount"),
        max_digits=12,
        decimal_places=2,
        default=0,
        help_text=_("In dollars, before tax, for a full period; part of a period gets a proportional share."),
    )
    plan = models.ForeignKey(
        Plan, verbose_name=_("plan"), on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    customer = models.ForeignKey(
        Customer,
        verbose_name=_("customer"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="discounts",
    )
    valid_from = models.DateField(_("valid from"))
    valid_until = models.DateField(
        _("valid until"), null=True, blank=True, help_text=_("The last day, included")
    )

    objects: ClassVar[models.Manager[Discount]] = models.Manager.from_queryset(DiscountQuerySet)()

    class Meta:
        verbose_name = _("discount")
        verbose_name_plural = _("discounts")
        ordering = ("-valid_from", "-id")
        constraints = [
            *at_least_zero("discount", "amount"),
            Rule(
                condition=Q(percent__gte=0) & Q(percent__lte=100),
                name="discount_percent_is_a_share",
                sentence=_("Enter a percentage from 0 to 100."),
            ),
            Rule(
                condition=Q(percent__gt=0) | Q(amount__gt=0),
                name="discount_takes_something_off",
                sentence=_("Enter a percentage or an amount greater than zero."),
                field="percent",
            ),
            Rule(
                condition=Q(plan__isnull=False) | Q(customer__isnull=False),
                name="discount_is_for_somebody",
                sentence=_("Choose a plan, a customer, or both."),
                field="plan",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.valid_until and self.valid_from and self.valid_until < self.valid_from:
            raise ValidationError({"valid_until": _("The end must not be before the start.")})
        if not (self.percent or self.amount):
            raise ValidationError({"percent": _("Enter a percentage or an amount greater than zero.")})
        if not (self.plan_id or self.customer_id):
            raise ValidationError({"plan": _("Choose a plan, a customer, or both.")})
