"""Wallets of lines, and their entries."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from customers.models import Line, Subscription
from telcox.common.database.constraints import IN_THE_LIST, Rule, at_least_zero
from telcox.common.database.frozen import Frozen, FrozenQuerySet
from telcox.common.fields import KeyField

# Visible ASCII characters only: no two references look the same, on paper or in any database.
VISIBLE = RegexValidator(r"\A[!-~]+\Z", _("Use visible characters only, without spaces."))


class WalletManager(models.Manager["Wallet"]):
    def get_by_natural_key(self, phone_number: str) -> Wallet:
        return self.get(line__phone_number=phone_number)


class Wallet(models.Model):
    """Wallet of a line: a balance of 12.75 dollars, and a spending limit of 30.00 dollars a period.

    The balance equals `balance_after` of the last entry. Only a new entry changes it.
    """

    line = models.OneToOneField(Line, verbose_name=_("line"), on_delete=models.PROTECT, related_name="wallet")
    balance_usd = models.DecimalField(_("balance"), max_digits=12, decimal_places=2, default=0)
    balance_limit_usd = models.DecimalField(_("spending limit"), max_digits=12, decimal_places=2, default=0)

    objects: ClassVar[WalletManager] = WalletManager()

    class Meta:
        verbose_name = _("wallet")
        verbose_name_plural = _("wallets")
        ordering = ("line",)
        constraints = [*at_least_zero("wallet", "balance_limit_usd")]

    def __str__(self) -> str:
        return str(self.line)

    def natural_key(self) -> tuple[str]:
        return (self.line.phone_number,)

    natural_key.dependencies = ["customers.line"]  # type: ignore[attr-defined]

    def floor(self, *, prepaid: bool) -> Decimal:
        """Return the lowest balance allowed, in dollars: 0 for a prepaid line, the spending limit below zero
        for others."""
        return Decimal(0) if prepaid else -self.balance_limit_usd


class EntryKind(models.TextChoices):
    TOP_UP = "TOP_UP", _("Top-up")
    CHARGE = "CHARGE", _("Charge")
    REFUND = "REFUND", _("Refund")
    ADJUSTMENT = "ADJUSTMENT", _("Adjustment")
    SET_OFF = "SET_OFF", _("Set-off")
    PAY_OUT = "PAY_OUT", _("Pay-out")


# Kinds that take money from the wallet. An adjustment does either.
TAKING = (EntryKind.CHARGE, EntryKind.SET_OFF, EntryKind.PAY_OUT)


class WalletEntryQuerySet(FrozenQuerySet):
    def newest_first(self) -> WalletEntryQuerySet:
        return self.order_by("-position")


class WalletEntryManager(models.Manager.from_queryset(WalletEntryQuerySet)):  # type: ignore[misc]
    def get_by_natural_key(self, reference: str) -> WalletEntry:
        return self.get(reference=reference)


class WalletEntry(Frozen):
    """One entry of a wallet's ledger: entry 17, a top-up of 10.00, the bank's reference TR-4711, balance
    22.75 after it. An entry is never changed or deleted: another entry corrects a wrong one.

    The entries of a wallet are numbered from 1 without a gap (`position`), and each has the balance after it.
    The reference is the movement's idempotency key, unique over all wallets. An entry that a payment, a
    reversal or a credit note made refers to it (`payment`, `credit_note`).
    """

    wallet = models.ForeignKey(
        Wallet,
        verbose_name=_("wallet"),
        on_delete=models.PROTECT,
        related_name="entries",
        db_index=False,  # the constraint below begins with it
    )
    position = models.PositiveIntegerField(_("entry no."))
    kind = models.CharField(_("kind"), max_length=10, choices=EntryKind)
    amount = models.DecimalField(
        _("amount"),
        max_digits=12,
        decimal_places=2,
        help_text=_("In dollars; a negative amount takes money away."),
    )
    balance_after = models.DecimalField(_("balance after"), max_digits=12, decimal_places=2)
    reference = KeyField(_("reference"), max_length=64, unique=True, validators=[VISIBLE])
    description = models.CharField(_("description"), max_length=200, blank=True)
    at = models.DateTimeField(_("when"))
    by = models.CharField(_("by"), max_length=150, blank=True, help_text=_("Empty: the system itself"))
    subscription = models.ForeignKey(
        Subscription,
        verbose_name=_("paid for"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="wallet_entries",
    )
    payment = models.ForeignKey(
        "billing.Payment",
        verbose_name=_("payment"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="wallet_entries",
    )
    credit_note = models.ForeignKey(
        "billing.Invoice",
        verbose_name=_("credit note"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="wallet_entries",
    )

    objects: ClassVar[WalletEntryManager] = WalletEntryManager()

    class Meta:
        verbose_name = _("wallet entry")
        verbose_name_plural = _("wallet entries")
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(fields=("wallet", "position"), name="wallet_entry_position_once"),
            Rule(
                condition=Q(position__gte=1),
                name="wallet_entry_position_from_1",
                sentence=_("Positions begin with 1."),
                field="position",
            ),
            Rule(
                condition=Q(kind__in=EntryKind.values),
                name="wallet_entry_kind_known",
                sentence=IN_THE_LIST,
                field="kind",
            ),
            Rule(
                condition=Q(kind__in=(EntryKind.TOP_UP, EntryKind.REFUND), amount__gt=0)
                | Q(kind__in=TAKING, amount__lt=0)
                | (Q(kind=EntryKind.ADJUSTMENT) & ~Q(amount=0)),
                name="wallet_entry_amount_is_of_its_kind",
                sentence=_(
                    "A top-up or a refund must be positive; a charge, a set-off or a pay-out must be "
                    "negative; and an adjustment must not be zero."
                ),
                field="amount",
            ),
            Rule(
                condition=~Q(kind=EntryKind.SET_OFF) | Q(payment__isnull=False),
                name="wallet_entry_set_off_names_payment",
                sentence=_("A set-off names the payment of the invoice that it made."),
                field="payment",
            ),
            Rule(
                condition=Q(payment=None) | Q(credit_note=None),
                name="wallet_entry_of_one_document",
                sentence=_("An entry belongs to a payment or to a credit note, not to both."),
            ),
        ]

    def __str__(self) -> str:
        return self.reference

    def natural_key(self) -> tuple[str]:
        return (self.reference,)

    natural_key.dependencies = [  # type: ignore[attr-defined]
        "billing.invoice",
        "billing.payment",
        "billing.wallet",
        "customers.subscription",
    ]


class PayOutManager(WalletEntryManager):
    def get_queryset(self) -> WalletEntryQuerySet:
        return super().get_queryset().filter(kind=EntryKind.PAY_OUT)


class PayOut(WalletEntry):
    """Pay-outs, as a model of their own, so that making them has its own permission."""

    objects: ClassVar[PayOutManager] = PayOutManager()

    class Meta:
        proxy = True
        verbose_name = _("pay-out")
        verbose_name_plural = _("pay-outs")
