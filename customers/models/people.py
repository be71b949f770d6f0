"""Customers and their lines."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from telcox.common.database.constraints import IN_THE_LIST, Rule


class ProductType(models.TextChoices):
    FIJO = "FIJO", _("Fixed")
    MOVIL = "MOVIL", _("Mobile")


class Language(models.TextChoices):
    """The languages of documents."""

    ES = "es", _("Spanish")
    EN = "en", _("English")


class IdentityKind(models.TextChoices):
    """The documents that identify a customer. Which one it is, is printed on invoices."""

    CEDULA = "CEDULA", _("Identity card (cédula)")
    RUC = "RUC", _("RUC")
    PASSPORT = "PASSPORT", _("Passport")


class LineStatus(models.TextChoices):
    ACTIVE = "ACTIVE", _("Active")
    SUSPENDED = "SUSPENDED", _("Suspended")
    TERMINATED = "TERMINATED", _("Terminated")


class CustomerManager(models.Manager["Customer"]):
    def get_by_natural_key(self, dni: str) -> Customer:
        return self.get(dni=dni)


class Customer(models.Model):
    """A person or company with a contract, identified by cédula, RUC or passport: Jesus Jacome, 0929668846.

    The number is stored in its normal form (`telcox.common.identity`). `identity_kind` is empty for a number
    that is not verified: its check digit is wrong, or it was taken over from another system.

    A customer holds one or more lines. `user` is the login for self-service, if there is one.
    """

    dni = models.CharField(
        _("DNI"),
        max_length=13,
        unique=True,
        help_text=_("Number of the identity card (10 digits), RUC (13 digits) or passport"),
    )
    identity_kind = models.CharField(
        _("kind of identity"),
        max_length=8,
        choices=IdentityKind,
        blank=True,
        help_text=_("Empty: the number decides. A passport must be named as one."),
    )
    full_name = models.CharField(_("full name"), max_length=150)
    email = models.EmailField(_("e-mail"), blank=True)
    address = models.CharField(_("address"), max_length=250, blank=True)
    language = models.CharField(
        _("language"),
        max_length=2,
        choices=Language,
        default=Language.ES,
        help_text=_("Language of the customer's documents"),
    )
    due_days = models.PositiveSmallIntegerField(
        _("days to pay"),
        null=True,
        blank=True,
        help_text=_("From the day an invoice is issued. Empty: the plan's days, or else the standard ones"),
    )
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
        constraints = [
            Rule(
                condition=Q(identity_kind__in=("", *IdentityKind.values)),
                name="customer_identity_kind_known",
                sentence=IN_THE_LIST,
                field="identity_kind",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.full_name} ({self.dni})"

    def natural_key(self) -> tuple[str]:
        return (self.dni,)


class LineQuerySet(models.QuerySet["Line"]):
    def visible_to(self, user: Any) -> LineQuerySet:
        """Return the lines that the user holds."""
        return self.filter(customer__user=user.pk) if user and user.pk else self.none()

    def lapsed(self, at: datetime) -> LineQuerySet:
        """Return prepaid lines whose period has ended, and whose next period was to start but is not paid
        yet."""
        return self.filter(
            prepaid=True,
            status=LineStatus.ACTIVE,
            auto_renew=True,
            ends_with_period=False,
            subscriptions__is_last=True,
            subscriptions__expiration_at__lte=at,
        )


class LineManager(models.Manager.from_queryset(LineQuerySet)):  # type: ignore[misc]
    def get_by_natural_key(self, phone_number: str) -> Line:
        return self.get(phone_number=phone_number)


class Line(models.Model):
    """A phone number in service: 0969786985, mobile, held by Jesus Jacome.

    The number is kept in its national form. A line is changed by the steps of customers/lifecycle.py, and
    `version` counts the steps, so that of two callers who decide on the same state only one acts. Usage is
    rejected if it happened while the line was suspended, or after it was terminated.
    """

    customer = models.ForeignKey(
        Customer, verbose_name=_("customer"), on_delete=models.PROTECT, related_name="lines"
    )
    phone_number = models.CharField(_("phone number"), max_length=15, unique=True)
    product_type = models.CharField(_("product type"), max_length=5, choices=ProductType)
    prepaid = models.BooleanField(
        _("prepaid"),
        default=False,
        help_text=_("Plans and packs are paid from the wallet when they are bought, and not by invoice."),
    )
    status = models.CharField(_("status"), max_length=10, choices=LineStatus, default=LineStatus.ACTIVE)
    auto_renew = models.BooleanField(
        _("auto-renewing"),
        default=True,
        help_text=_("The next period starts automatically when the current one has ended."),
    )
    ends_with_period = models.BooleanField(
        _("ends with its period"),
        default=False,
        help_text=_("The line is terminated when its period has ended."),
    )
    version = models.PositiveIntegerField(_("version"), default=0, editable=False)
    resumed_at = models.DateTimeField(_("last resumed"), null=True, blank=True, editable=False)
    terminated_at = models.DateTimeField(_("terminated"), null=True, blank=True, editable=False)

    objects: ClassVar[LineManager] = LineManager()

    class Meta:
        verbose_name = _("line")
        verbose_name_plural = _("lines")
        ordering = ("phone_number",)
        constraints = [
            Rule(
                condition=Q(product_type__in=ProductType.values),
                name="line_product_type_known",
                sentence=IN_THE_LIST,
                field="product_type",
            ),
            Rule(
                condition=Q(status__in=LineStatus.values),
                name="line_status_known",
                sentence=IN_THE_LIST,
                field="status",
            ),
        ]

    def __str__(self) -> str:
        return self.phone_number

    def natural_key(self) -> tuple[str]:
        return (self.phone_number,)

    natural_key.dependencies = ["customers.customer"]  # type: ignore[attr-defined]
