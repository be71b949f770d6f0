"""Money received for invoices."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing.models.invoices import Invoice


class PaymentMethod(models.TextChoices):
    TRANSFERENCIA = "TRANSFERENCIA", _("Bank transfer")
    TARJETA = "TARJETA", _("Card")
    EFECTIVO = "EFECTIVO", _("Cash")
    MONEDEROS_DIGITALES = "MONEDEROS DIGITALES", _("Digital wallet")


class PaymentManager(models.Manager["Payment"]):
    def get_by_natural_key(self, reference: str) -> Payment:
        return self.get(reference=reference)


class Payment(models.Model):
    """Money received for an invoice: 30.00 by bank transfer on 2025-06-28, the bank's reference TR-4711."""

    invoice = models.ForeignKey(
        Invoice, verbose_name=_("invoice"), on_delete=models.PROTECT, related_name="payments"
    )
    amount = models.DecimalField(_("amount"), max_digits=12, decimal_places=2)
    payment_method = models.CharField(_("payment method"), max_length=20, choices=PaymentMethod)
    paid_at = models.DateTimeField(_("paid"))
    reference = models.CharField(_("reference"), max_length=64, unique=True)

    objects: ClassVar[PaymentManager] = PaymentManager()

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        ordering = ("-paid_at", "-id")
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="payment_amount_positive"),
            models.CheckConstraint(
                condition=Q(payment_method__in=PaymentMethod.values), name="payment_method_known"
            ),
        ]

    def __str__(self) -> str:
        return self.reference

    def natural_key(self) -> tuple[str]:
        return (self.reference,)

    natural_key.dependencies = ["billing.invoice"]  # type: ignore[attr-defined]
