"""The money on lines."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from customers.models import Line
from telcox.common.constraints import at_least_zero


class WalletManager(models.Manager["Wallet"]):
    def get_by_natural_key(self, phone_number: str) -> Wallet:
        return self.get(line__phone_number=phone_number)


class Wallet(models.Model):
    """The money on a line, in dollars: 12.75 there, and 30.00 that may be spent at the most in a period."""

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
