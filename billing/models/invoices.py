"""Invoices, credit notes and their lines."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Round
from django.utils.translation import gettext_lazy as _

from billing.models.outstanding import outstanding_of
from billing.models.series import InvoiceSeries, Issuer
from customers.models import Customer, IdentityKind, Language, Subscription
from telcox.common.database.constraints import IN_THE_LIST, Rule, at_least_zero
from telcox.common.database.frozen import Frozen, FrozenQuerySet


class InvoiceKind(models.TextChoices):
    INVOICE = "INVOICE", _("Invoice")
    CREDIT_NOTE = "CREDIT_NOTE", _("Credit note")


class InvoiceStatus(models.TextChoices):
    DRAFT = "DRAFT", _("Draft")
    ISSUED = "ISSUED", _("Issued")
    PARTLY_PAID = "PARTLY_PAID", _("Partly paid")
    PAID = "PAID", _("Paid")
    VOID = "VOID", _("Void")

    def may_become(self, status: InvoiceStatus) -> bool:
        return status in _TRANSITIONS[self]


# A payment may be reversed, and credit notes may void any issued invoice.
_TRANSITIONS = {
    InvoiceStatus.DRAFT: {InvoiceStatus.ISSUED},
    InvoiceStatus.ISSUED: {InvoiceStatus.PARTLY_PAID, InvoiceStatus.PAID, InvoiceStatus.VOID},
    InvoiceStatus.PARTLY_PAID: {
        InvoiceStatus.ISSUED,
        InvoiceStatus.PARTLY_PAID,
        InvoiceStatus.PAID,
        InvoiceStatus.VOID,
    },
    InvoiceStatus.PAID: {InvoiceStatus.ISSUED, InvoiceStatus.PARTLY_PAID, InvoiceStatus.VOID},
    InvoiceStatus.VOID: set(),
}

# Statuses in which something is still owed.
OPEN = (InvoiceStatus.ISSUED, InvoiceStatus.PARTLY_PAID)


def standing_of(*, total: Decimal, credited: Decimal, paid: Decimal, void: bool) -> InvoiceStatus:
    """Return the status of an issued invoice. `void`: credit notes have taken back all of its lines."""
    if void:
        return InvoiceStatus.VOID
    if credited + paid >= total:
        return InvoiceStatus.PAID
    return InvoiceStatus.PARTLY_PAID if paid else InvoiceStatus.ISSUED


class InvoiceQuerySet(FrozenQuerySet):
    def drafts(self) -> InvoiceQuerySet:
        return self.filter(status=InvoiceStatus.DRAFT)

    def issued(self) -> InvoiceQuerySet:
        """Return all documents, paid, void and credit notes included, but no drafts."""
        return self.exclude(status=InvoiceStatus.DRAFT)

    def bills(self) -> InvoiceQuerySet:
        """Return invoices without credit notes."""
        return self.filter(kind=InvoiceKind.INVOICE)

    def in_force(self) -> InvoiceQuerySet:
        """Return invoices in force, drafts included. A period has at most one."""
        return self.filter(in_force=True)

    def overdue(self, on: date) -> InvoiceQuerySet:
        """Return invoices that are issued, not paid in full, and were due before the day `on`."""
        return self.bills().filter(status__in=OPEN, due_on__lt=on)

    def of_number(self, phone_number: str) -> InvoiceQuerySet:
        return self.filter(phone_number=phone_number)

    def of_user(self, user_id: int) -> InvoiceQuerySet:
        """Return the invoices of the user's customer, even if the number belongs to another customer now."""
        return self.filter(customer__user=user_id)


class InvoiceManager(models.Manager.from_queryset(InvoiceQuerySet)):  # type: ignore[misc]
    def get_by_natural_key(self, series: str, number: int) -> Invoice:
        return self.get(series__prefix=series, number=number)


class Invoice(Frozen):
    """Invoice for one period of one line: 001-001-000000017, 2025-06, 30.00 to Jesus Jacome for 0969786985.
    Or a credit note, which takes back another document (`corrects`), whole or in part.

    An issued invoice is a document. It never changes again: the models and the database's triggers refuse
    changes (billing/guards). So it keeps copies of the customer's name and identity, the phone number and
    the tax rate, which may change later. The fields in MUTABLE may change after issuing: they are not part
    of the document.
    """

    FROZEN = ~Q(status=InvoiceStatus.DRAFT)
    MUTABLE = frozenset({"status", "in_force", "usage_version"})

    kind = models.CharField(_("kind"), max_length=12, choices=InvoiceKind, default=InvoiceKind.INVOICE)
    status = models.CharField(_("status"), max_length=12, choices=InvoiceStatus, default=InvoiceStatus.DRAFT)
    series = models.ForeignKey(
        InvoiceSeries,
        verbose_name=_("series"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="invoices",
    )
    number = models.PositiveBigIntegerField(_("number"), null=True, blank=True)
    corrects = models.ForeignKey(
        "self",
        verbose_name=_("corrects"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="corrections",
    )
    customer = models.ForeignKey(
        Customer,
        verbose_name=_("customer"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="invoices",
        help_text=_(
            "Empty for a document that was imported from the previous system and whose customer is unknown"
        ),
    )
    subscription = models.ForeignKey(
        Subscription,
        verbose_name=_("subscription"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="invoices",
    )
    in_force = models.BooleanField(
        _("in force"),
        null=True,
        default=True,
        help_text=_("Yes or empty: a period has at most one invoice in force"),
    )
    period = models.CharField(_("period"), max_length=7, help_text="2025-06")
    customer_dni = models.CharField(_("DNI"), max_length=13)
    customer_identity_kind = models.CharField(
        _("kind of identity"), max_length=8, choices=IdentityKind, blank=True
    )
    customer_name = models.CharField(_("customer name"), max_length=150)
    customer_address = models.CharField(_("address"), max_length=250, blank=True)
    language = models.CharField(_("language"), max_length=2, choices=Language, default=Language.ES)
    phone_number = models.CharField(_("phone number"), max_length=15)
    subtotal = models.DecimalField(_("subtotal"), max_digits=12, decimal_places=2)
    discount = models.DecimalField(_("discount"), max_digits=12, decimal_places=2, default=0)
    tax = models.DecimalField(_("tax"), max_digits=12, decimal_places=2)
    tax_rate = models.DecimalField(_("tax rate"), max_digits=5, decimal_places=4)
    total = models.DecimalField(_("total"), max_digits=12, decimal_places=2)
    # The inputs that the lines were calculated from (billing.rating.RatingInputs), so that the calculation
    # can be repeated. Credit notes, and documents imported from the previous system, have none.
    rated_from = models.JSONField(_("calculated from"), null=True, blank=True, editable=False)
    issued_at = models.DateTimeField(_("issued"), null=True, blank=True)
    due_on = models.DateField(_("due"), null=True, blank=True)
    issuer = models.ForeignKey(
        Issuer, verbose_name=_("issuer"), on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    # Number of lines of the document. The database refuses lines beyond it.
    line_count = models.PositiveSmallIntegerField(_("lines"), null=True, blank=True, editable=False)
    # Hash chain: the seal of the document's content and of the previous seal in its series
    # (billing/invoicing/sealing.py).
    content_hash = models.CharField(_("seal"), max_length=64, null=True, blank=True, editable=False)
    previous_hash = models.CharField(_("previous seal"), max_length=64, blank=True, editable=False)
    # Version of the period's counter up to which usage was billed, by this invoice or later as late usage.
    usage_version = models.PositiveBigIntegerField(_("usage billed"), default=0, editable=False)

    objects: ClassVar[InvoiceManager] = InvoiceManager()

    class Meta:
        verbose_name = _("invoice")
        verbose_name_plural = _("invoices")
        ordering = ("-period", "-id")
        constraints = [
            models.UniqueConstraint(fields=("series", "number"), name="invoice_number_once"),
            models.UniqueConstraint(
                fields=("subscription", "in_force"), name="invoice_one_in_force_per_period"
            ),
            Rule(
                condition=Q(in_force__isnull=True) | Q(in_force=True),
                name="invoice_in_force_or_nothing",
                sentence=_("“In force” is yes or empty."),
                field="in_force",
            ),
            Rule(
                condition=Q(kind__in=InvoiceKind.values),
                name="invoice_kind_known",
                sentence=IN_THE_LIST,
                field="kind",
            ),
            Rule(
                condition=Q(status__in=InvoiceStatus.values),
                name="invoice_status_known",
                sentence=IN_THE_LIST,
                field="status",
            ),
            Rule(
                condition=Q(status=InvoiceStatus.DRAFT, series__isnull=True, number__isnull=True)
                | Q(
                    ~Q(status=InvoiceStatus.DRAFT),
                    series__isnull=False,
                    number__isnull=False,
                    issued_at__isnull=False,
                    due_on__isnull=False,
                    line_count__isnull=False,
                    content_hash__isnull=False,
                ),
                name="invoice_numbered_when_issued",
                sentence=_("An issued document has a number, a day and a seal, and a draft has no number."),
            ),
            # Rounded because SQLite adds decimals as binary fractions.
            Rule(
                condition=Q(total=Round(F("subtotal") - F("discount") + F("tax"), 2)),
                name="invoice_adds_up",
                sentence=_("The total must be the subtotal less the discount plus the tax."),
                field="total",
            ),
            Rule(
                condition=Q(kind=InvoiceKind.INVOICE, corrects=None)
                | Q(kind=InvoiceKind.CREDIT_NOTE, corrects__isnull=False, in_force=None),
                name="invoice_credit_note_corrects",
                sentence=_("A credit note corrects an invoice, and an invoice corrects nothing."),
                field="corrects",
            ),
            *at_least_zero("invoice", "subtotal", "discount", "tax", "tax_rate", "total"),
        ]
        indexes = [
            models.Index(fields=("phone_number", "period"), name="invoice_of_number"),
            models.Index(fields=("status", "due_on"), name="invoice_status_and_due"),
            models.Index(fields=("period",), name="invoice_of_period"),
            models.Index(fields=("issued_at",), name="invoice_issued_at"),
        ]

    def __str__(self) -> str:
        return self.full_number or f"{self.get_status_display()} {self.phone_number} {self.period}"

    def natural_key(self) -> tuple[str | None, int | None]:
        return (self.series.prefix if self.series else None, self.number)

    natural_key.dependencies = [  # type: ignore[attr-defined]
        "billing.invoiceseries",
        "billing.issuer",
        "customers.customer",
        "customers.subscription",
    ]

    @property
    def is_draft(self) -> bool:
        return self.status == InvoiceStatus.DRAFT

    @property
    def full_number(self) -> str | None:
        """Return the number as it is printed (`001-001-000000017`), or None for a draft."""
        return self.series.written(self.number) if self.series and self.number else None

    @property
    def paid(self) -> Decimal:
        """Return the sum of the payments in dollars, less reversals."""
        return sum((payment.amount for payment in self.payments.all()), Decimal(0))

    @property
    def credited(self) -> Decimal:
        """Return the sum of the invoice's credit notes in dollars."""
        return sum((note.total for note in self.corrections.all()), Decimal(0))

    @property
    def outstanding(self) -> Decimal:
        """Return what is still to be paid, in dollars; 0 for a credit note."""
        return outstanding_of(
            total=self.total, credited=self.credited, paid=self.paid, is_note=bool(self.corrects_id)
        )

    @property
    def refunded(self) -> Decimal:
        """Return the credited amount that had been paid already, in dollars. It went to the line's wallet."""
        return max(Decimal(0), self.credited + self.paid - self.total)

    @property
    def standing(self) -> InvoiceStatus:
        """Return the status that an issued invoice has by its payments and credit notes."""
        notes = list(self.corrections.all())
        return standing_of(
            total=self.total,
            credited=sum((note.total for note in notes), Decimal(0)),
            paid=self.paid,
            void=bool(notes) and sum(note.subtotal for note in notes) == self.subtotal,
        )


class CreditNoteManager(InvoiceManager):
    def get_queryset(self) -> InvoiceQuerySet:
        return super().get_queryset().filter(kind=InvoiceKind.CREDIT_NOTE)


class CreditNote(Invoice):
    """Credit notes, as a model of their own, so that issuing them has its own permission."""

    objects: ClassVar[CreditNoteManager] = CreditNoteManager()

    class Meta:
        proxy = True
        verbose_name = _("credit note")
        verbose_name_plural = _("credit notes")


class Unit(models.TextChoices):
    """Unit of a line's quantity."""

    PERIOD = "PERIOD", _("period")
    PACK = "PACK", _("pack")
    GB = "GB", _("GB")
    MINUTE = "MINUTE", _("minute")
    SMS = "SMS", _("SMS")


class InvoiceLineManager(models.Manager.from_queryset(FrozenQuerySet)):  # type: ignore[misc]
    def get_by_natural_key(self, series: str, number: int, position: int) -> InvoiceLine:
        return self.get(invoice__series__prefix=series, invoice__number=number, position=position)


class InvoiceLine(Frozen):
    """One thing charged for: 1 period of "Móvil 30 GB" at 25.00, or 2.5 GB of overage at 1.20.

    Discount and tax are calculated line by line (docs/rating.md). The invoice's are their sums.
    """

    FROZEN = ~Q(invoice__status=InvoiceStatus.DRAFT)

    invoice = models.ForeignKey(
        Invoice, verbose_name=_("invoice"), on_delete=models.CASCADE, related_name="lines"
    )
    position = models.PositiveSmallIntegerField(_("position"))
    description = models.CharField(_("description"), max_length=200)
    quantity = models.DecimalField(_("quantity"), max_digits=18, decimal_places=6)
    unit = models.CharField(_("unit"), max_length=10, choices=Unit)
    unit_price = models.DecimalField(_("unit price"), max_digits=18, decimal_places=6)
    amount = models.DecimalField(_("amount"), max_digits=12, decimal_places=2)
    discount = models.DecimalField(_("discount"), max_digits=12, decimal_places=2, default=0)
    tax = models.DecimalField(_("tax"), max_digits=12, decimal_places=2, default=0)
    # Tax rate of this line, if it is not the document's: what was paid or supplied on another day.
    tax_rate = models.DecimalField(_("tax rate"), max_digits=5, decimal_places=4, null=True, blank=True)
    # Late usage: the earlier period that it belongs to. Rows are found by their invoice, so this column has
    # no index.
    late_for = models.ForeignKey(
        Subscription,
        verbose_name=_("late usage of"),
        on_delete=models.DO_NOTHING,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    # Credit note: the position of the invoice's line that this line takes back, whole or in part.
    credits = models.PositiveSmallIntegerField(_("credits line"), null=True, blank=True)

    objects: ClassVar[InvoiceLineManager] = InvoiceLineManager()

    class Meta:
        verbose_name = _("invoice line")
        verbose_name_plural = _("invoice lines")
        ordering = ("invoice", "position")
        constraints = [
            models.UniqueConstraint(fields=("invoice", "position"), name="invoice_line_position_once"),
            Rule(
                condition=Q(position__gte=1),
                name="invoice_line_position_from_1",
                sentence=_("Positions begin with 1."),
                field="position",
            ),
            *at_least_zero("invoice_line", "quantity", "unit_price", "amount", "discount", "tax"),
        ]

    def __str__(self) -> str:
        return self.description

    def natural_key(self) -> tuple[str | None, int | None, int]:
        return (*self.invoice.natural_key(), self.position)

    natural_key.dependencies = ["billing.invoice", "customers.subscription"]  # type: ignore[attr-defined]
