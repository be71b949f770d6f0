"""Issuers of documents, and the series that number them."""

from __future__ import annotations

import string
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator, URLValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from telcox.common.database.frozen import Frozen, FrozenQuerySet

NUMBER_PATTERN = "{prefix}-{number:09d}"
# The last number of a series. The "secuencial" of Ecuador's documents has nine digits; after that, another
# series is used. Source: SRI, "Ficha técnica: emisión de comprobantes electrónicos", 5.2, table 1.
LAST_NUMBER = 999_999_999


def validate_pattern(pattern: str) -> None:
    """Raise ValidationError if the pattern does not write a different number for every document of every
    series, or writes more than 40 characters."""
    try:
        fields = {name for _text, name, *_rest in string.Formatter().parse(pattern) if name is not None}
        written = {pattern.format(prefix="001-001", number=number) for number in (1, 2, 10**12)}
    except (ValueError, LookupError, AttributeError):
        fields, written = set(), set()
    if fields != {"prefix", "number"} or len(written) != 3 or max(map(len, written)) > 40:
        raise ValidationError(_("The pattern must contain the prefix and the number: %s") % NUMBER_PATTERN)


class InvoiceSeriesManager(models.Manager.from_queryset(FrozenQuerySet)):  # type: ignore[misc]
    def get_by_natural_key(self, prefix: str) -> InvoiceSeries:
        return self.get(prefix=prefix)


class InvoiceSeries(Frozen):
    """Series of documents, a gapless sequence of numbers: 001-001, the pattern of its numbers, the last
    number.

    The row is locked while a number is assigned, in the transaction that issues the document. If that is
    rolled back, the number is free again. Prefix and pattern cannot change once a number was assigned: a
    different prefix or pattern needs a new series. So do numbers after LAST_NUMBER.
    """

    FROZEN = Q(last_number__gt=0)
    MUTABLE = frozenset({"last_number", "last_hash"})

    prefix = models.CharField(_("prefix"), max_length=20, unique=True)
    pattern = models.CharField(
        _("pattern"),
        max_length=40,
        default=NUMBER_PATTERN,
        validators=[validate_pattern],
        help_text=_("How a number is written: {prefix}-{number:09d} gives 001-001-000000017"),
    )
    last_number = models.PositiveBigIntegerField(_("last number"), default=0)
    # Seal of the last document. The next seal includes it: a hash chain (billing/invoicing/sealing.py).
    last_hash = models.CharField(_("last seal"), max_length=64, blank=True, editable=False)

    objects: ClassVar[InvoiceSeriesManager] = InvoiceSeriesManager()

    class Meta:
        verbose_name = _("invoice series")
        verbose_name_plural = _("invoice series")
        ordering = ("prefix",)

    def __str__(self) -> str:
        return self.prefix

    def natural_key(self) -> tuple[str]:
        return (self.prefix,)

    @property
    def numbers_left(self) -> int:
        return max(0, LAST_NUMBER - self.last_number)

    def written(self, number: int) -> str:
        return written_number(self.prefix, self.pattern, number)


def written_number(prefix: str, pattern: str, number: int) -> str:
    """Return a document's number as it is printed: 001-001-000000017."""
    return pattern.format(prefix=prefix, number=number)


class IssuerManager(models.Manager.from_queryset(FrozenQuerySet)):  # type: ignore[misc]
    def get_by_natural_key(self, tax_id: str, name: str) -> Issuer:
        """Return the first issuer entered with this tax id and name. Raise DoesNotExist if there is none."""
        found = self.filter(tax_id=tax_id, name=name).order_by("pk").first()
        if found is None:
            raise self.model.DoesNotExist(f"{name} ({tax_id})")
        return found

    def present(self) -> Issuer | None:
        """Return the present issuer, which is the last one entered, or None."""
        return self.order_by("-pk").first()

    def first_entered(self) -> Issuer | None:
        """Return the issuer printed on documents from before issuers were recorded: the first one entered, or
        None."""
        return self.order_by("pk").first()


class Issuer(Frozen):
    """Issuer: the operator as it is printed on its documents. A row never changes: a new address is a new
    row, and documents keep the issuer they were issued with."""

    name = models.CharField(_("name"), max_length=150)
    tax_id = models.CharField(
        _("RUC"), max_length=13, validators=[RegexValidator(r"\A[0-9A-Za-z-]+\Z")], help_text="1790012345001"
    )
    address = models.CharField(_("address"), max_length=250, blank=True)
    contact = models.CharField(
        _("contact"), max_length=150, blank=True, help_text=_("Telephone, e-mail or web site")
    )
    logo = models.TextField(_("logo"), blank=True, help_text=_("An SVG document"))
    verification_url = models.CharField(
        _("verification address"),
        max_length=200,
        blank=True,
        validators=[URLValidator(["http", "https"])],
        help_text=_("Web address where a document can be checked; its access key is appended"),
    )

    objects: ClassVar[IssuerManager] = IssuerManager()

    class Meta:
        verbose_name = _("issuer")
        verbose_name_plural = _("issuers")
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.name} ({self.tax_id})"

    def natural_key(self) -> tuple[Any, ...]:
        return (self.tax_id, self.name)
