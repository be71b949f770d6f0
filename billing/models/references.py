"""References of money that came by bank transfer, in one form of writing."""

from __future__ import annotations

import re
import unicodedata
from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.models.payments import BankTransfer, Payment
from billing.models.wallets import WalletEntry
from telcox.common.fields import KeyField

# What banks, spreadsheets and programs write where there is no reference.
_NOTHING = frozenset(
    {
        *("NA", "SN", "ND", "SD", "SR", "NULL", "NONE", "NIL", "NAN", "UNDEFINED", "BLANK", "TRUE", "FALSE"),
        *("VERDADERO", "FALSO", "VACIO", "LOTE", "VARIOS", "NINGUNO", "NINGUNA", "SINREFERENCIA"),
        *("SINDOCUMENTO", "SINNUMERO", "SINCOMPROBANTE", "NOTPROVIDED", "NOREF", "NONREF", "UNKNOWN"),
        *("DESCONOCIDO", "TRANSFERENCIA", "DEPOSITO", "PAGO"),
    }
)


def reference_key(reference: str) -> str:
    """Return `TR4711` for `TR-4711`, `tr 4711` and `Tr.4711`, and `123` for `000123`, `="000123"` and
    `123.0`: capitals, no blanks, no signs but between digits, and a number without zeros in front or
    decimals.

    Return nothing for what names no movement: `0`, `-`, `N/A`, `S/N`. Banks write that for many.
    """
    text = unicodedata.normalize("NFKC", reference).upper()
    text = "".join(each for each in text if not each.isspace() and unicodedata.category(each) != "Cf")
    if re.fullmatch(r"[0-9]+[.,]0+", text):
        text = re.split("[.,]", text)[0]
    key = re.sub(r"(?<=[0-9])[^0-9A-Z]+(?=[0-9])", "-", text)
    key = "".join(each for each in key if each.isalnum() or each == "-")
    key = re.sub(r"(?<![0-9])-+|-+(?![0-9])", "", key)
    if key.isdecimal():
        key = key.lstrip("0")
    return "" if key in _NOTHING or not key.strip("0-") else key[:64]


class MoneyReferenceManager(models.Manager["MoneyReference"]):
    def of(self, reference: str) -> MoneyReference | None:
        """Return what is recorded under a reference, however it is spelled."""
        key = reference_key(reference)
        related = self.select_related("payment", "entry__wallet", "transfer")
        return related.filter(key=key).first() if key else None

    def claim(self, reference: str, **movement: models.Model) -> None:
        """Record that this is the movement of the reference. It is the transaction's last step, so that a
        process that waits for it here holds all other locks that it needs. Raise IntegrityError if another
        process has recorded one."""
        if key := reference_key(reference):
            self.create(key=key, **movement)


class MoneyReference(models.Model):
    """A bank transfer is one movement in the world, whichever way it came in: by a statement (`transfer`), as
    a payment by hand (`payment`), or as a top-up by hand (`entry`). Each way records the reference here,
    where it is unique in one form of writing, so that the second way finds the first."""

    key = KeyField(_("reference"), max_length=64, unique=True)
    transfer = models.ForeignKey(
        BankTransfer, on_delete=models.PROTECT, null=True, blank=True, related_name="references"
    )
    payment = models.ForeignKey(
        Payment, on_delete=models.PROTECT, null=True, blank=True, related_name="references"
    )
    entry = models.ForeignKey(
        WalletEntry, on_delete=models.PROTECT, null=True, blank=True, related_name="references"
    )

    objects: ClassVar[MoneyReferenceManager] = MoneyReferenceManager()

    class Meta:
        verbose_name = _("reference of money")
        verbose_name_plural = _("references of money")

    def __str__(self) -> str:
        return self.key
