"""Payments received for invoices, and bank transfers as the bank reports them."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing.models.invoices import Invoice
from billing.models.wallets import VISIBLE, WalletEntry
from telcox.common.database.constraints import IN_THE_LIST, Rule
from telcox.common.database.frozen import Frozen, FrozenQuerySet
from telcox.common.fields import KeyField

# Prefixes of the references of payments made by a wallet, in advance and by set-off. References from outside
# contain no spaces.
BY_WALLET = "wallet "
BY_SET_OFF = "set-off "


class PaymentMethod(models.TextChoices):
    TRANSFERENCIA = "TRANSFERENCIA", _("Bank transfer")
    TARJETA = "TARJETA", _("Card")
    EFECTIVO = "EFECTIVO", _("Cash")
    MONEDEROS_DIGITALES = "MONEDEROS DIGITALES", _("Digital wallet")
    # Set-off: the money came earlier, and was on the line's wallet.
    SALDO_A_FAVOR = "SALDO A FAVOR", _("Credit balance")


# How money comes in from outside, or goes out.
MONEY_METHODS = tuple(method for method in PaymentMethod if method != PaymentMethod.SALDO_A_FAVOR)


class PaymentManager(models.Manager.from_queryset(FrozenQuerySet)):  # type: ignore[misc]
    def get_by_natural_key(self, reference: str) -> Payment:
        return self.get(reference=reference)


class Payment(Frozen):
    """Payment received for an invoice: 30.00 by bank transfer on 2025-06-28, the bank's reference TR-4711.

    What was paid beyond the amount owed went to the line's wallet (`to_wallet`). A payment never changes. A
    wrong one is taken back by another payment, its reversal, whose amounts are negative.
    """

    invoice = models.ForeignKey(
        Invoice, verbose_name=_("invoice"), on_delete=models.PROTECT, related_name="payments"
    )
    amount = models.DecimalField(_("amount"), max_digits=12, decimal_places=2)
    to_wallet = models.DecimalField(_("to the wallet"), max_digits=12, decimal_places=2, default=0)
    payment_method = models.CharField(_("payment method"), max_length=20, choices=PaymentMethod)
    paid_at = models.DateTimeField(_("paid"))
    reference = KeyField(_("reference"), max_length=64, unique=True, validators=[VISIBLE])
    reverses = models.OneToOneField(
        "self",
        verbose_name=_("reverses"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="reversal",
    )
    by = models.CharField(_("by"), max_length=150, blank=True, help_text=_("Empty: the system itself"))
    why = models.CharField(_("why"), max_length=200, blank=True)

    objects: ClassVar[PaymentManager] = PaymentManager()

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        ordering = ("-paid_at", "-id")
        constraints = [
            Rule(
                condition=Q(reverses=None, amount__gte=0, to_wallet__gte=0)
                | Q(reverses__isnull=False, amount__lte=0, to_wallet__lte=0),
                name="payment_or_reversal",
                sentence=_("A payment is positive. Only a reversal is negative."),
                field="amount",
            ),
            Rule(
                condition=~Q(amount=0) | ~Q(to_wallet=0),
                name="payment_more_than_nothing",
                sentence=_("The amount must be greater than zero"),
                field="amount",
            ),
            Rule(
                condition=Q(payment_method__in=PaymentMethod.values),
                name="payment_method_known",
                sentence=IN_THE_LIST,
                field="payment_method",
            ),
        ]
        indexes = [models.Index(fields=("paid_at",), name="payment_paid_at")]

    def __str__(self) -> str:
        return self.reference

    def natural_key(self) -> tuple[str]:
        return (self.reference,)

    natural_key.dependencies = ["billing.invoice"]  # type: ignore[attr-defined]

    @property
    def received(self) -> Decimal:
        return self.amount + self.to_wallet

    @property
    def is_wallets(self) -> bool:
        """Return whether the line's wallet made the payment, in advance (billing/invoicing/issuing.py), and
        not a customer."""
        return self.reference.startswith(BY_WALLET)

    @property
    def is_set_off(self) -> bool:
        """Return whether credit on the line's wallet made the payment (billing/wallets/setting_off.py), or
        this is the reversal of such a payment."""
        return self.payment_method == PaymentMethod.SALDO_A_FAVOR


class ReversalManager(PaymentManager):
    def get_queryset(self) -> models.QuerySet[Payment]:
        return super().get_queryset().filter(reverses__isnull=False)


class Reversal(Payment):
    """Reversals of payments, as a model of their own, so that making them has its own permission."""

    objects: ClassVar[ReversalManager] = ReversalManager()

    class Meta:
        proxy = True
        verbose_name = _("reversal")
        verbose_name_plural = _("reversals")


class BankProblem(models.TextChoices):
    """Why a bank transfer was not matched to an invoice automatically."""

    NO_INVOICE = "NO_INVOICE", _("No invoice found")
    SEVERAL = "SEVERAL", _("Matches more than one invoice")
    NOTHING_OWED = "NOTHING_OWED", _("Nothing is owed on the invoice")
    REFUSED = "REFUSED", _("The payment was refused")
    RECORDED = "RECORDED", _("A payment or a top-up with this reference is recorded already")
    REVERSED = "REVERSED", _("The payment with this reference was reversed")
    SPELLED = "SPELLED", _("Another transfer has this reference, spelled differently")


class Closing(models.TextChoices):
    """Why a bank transfer became neither a payment nor a top-up."""

    RETURNED = "RETURNED", _("Returned to the payer")
    RECORDED = "RECORDED", _("Recorded already, as another movement")


class BankTransfer(models.Model):
    """Bank transfer, one line of a bank statement: 30.00 received on 2025-06-28, the bank's reference
    TR-4711. It became a payment, several payments (`parts`; `payment` is the first), or a top-up (`entry`),
    or it was closed without either. Until then, `problem` says why not and it waits for a clerk."""

    reference = KeyField(_("reference"), max_length=64, unique=True)
    amount = models.DecimalField(_("amount"), max_digits=12, decimal_places=2)
    paid_on = models.DateField(_("day"))
    concept = models.CharField(_("concept"), max_length=250, blank=True)
    payer = models.CharField(_("payer"), max_length=150, blank=True)
    problem = models.CharField(_("problem"), max_length=12, choices=BankProblem, blank=True)
    payment = models.OneToOneField(
        Payment,
        verbose_name=_("payment"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="transfer",
    )
    entry = models.OneToOneField(
        WalletEntry,
        verbose_name=_("top-up"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="transfer",
    )
    closed = models.CharField(_("closed"), max_length=10, choices=Closing, blank=True)
    closed_why = models.CharField(_("why"), max_length=200, blank=True)
    closed_at = models.DateTimeField(_("closed on"), null=True, blank=True)
    closed_by = models.CharField(_("closed by"), max_length=150, blank=True)
    source = models.CharField(_("file"), max_length=150, blank=True)
    imported_at = models.DateTimeField(_("imported"))
    imported_by = models.CharField(_("by"), max_length=150, blank=True)

    class Meta:
        verbose_name = _("bank transfer")
        verbose_name_plural = _("bank transfers")
        ordering = ("-id",)
        constraints = [
            Rule(
                condition=Q(amount__gt=0),
                name="bank_transfer_amount_positive",
                sentence=_("The amount must be greater than zero"),
                field="amount",
            ),
            Rule(
                condition=Q(problem="", payment__isnull=False, entry=None, closed="")
                | Q(problem="", payment=None, entry__isnull=False, closed="")
                | (Q(problem="", payment=None, entry=None) & ~Q(closed=""))
                | (~Q(problem="") & Q(payment=None, entry=None, closed="")),
                name="bank_transfer_settled_or_says_why",
                sentence=_("A transfer is settled in one way, or has a problem that says why it is not."),
            ),
        ]
        indexes = [models.Index(fields=("problem", "paid_on"), name="bank_transfer_by_problem")]

    def __str__(self) -> str:
        return self.reference

    @property
    def waits(self) -> bool:
        return bool(self.problem)

    def live_payments(self) -> list[Payment]:
        """Return the payments that were made of it and not reversed."""
        keys = {*self.parts.values_list("payment", flat=True), self.payment_id} - {None}
        return list(Payment.objects.filter(pk__in=keys, reversal=None).order_by("pk")) if keys else []

    @property
    def rest(self) -> Decimal:
        """Return what no payment has of it, in dollars. A top-up or closing takes all of it."""
        if self.entry_id or self.closed:
            return Decimal(0)
        return self.amount - sum((payment.received for payment in self.live_payments()), Decimal(0))


class TransferPart(models.Model):
    """One of the payments of a bank transfer that pays several invoices."""

    transfer = models.ForeignKey(BankTransfer, on_delete=models.PROTECT, related_name="parts")
    payment = models.OneToOneField(Payment, on_delete=models.PROTECT, related_name="transfer_part")

    class Meta:
        verbose_name = _("part of a bank transfer")
        verbose_name_plural = _("parts of bank transfers")

    def __str__(self) -> str:
        return str(self.payment)
