"""One reference of a bank transfer, one movement: found whichever way it came in, and however it is
spelled."""

from decimal import Decimal

from django.utils.translation import gettext as _

from billing.models import (
    MONEY_METHODS,
    BankTransfer,
    MoneyReference,
    Payment,
    PaymentMethod,
    WalletEntry,
)
from telcox.common.database.locking import lock_row
from telcox.common.errors import DomainError, Unprocessable


def require_money(method: PaymentMethod | str) -> None:
    """Raise Unprocessable if no money comes in or goes out by this method: set-off only moves what a wallet
    has."""
    if method not in MONEY_METHODS:
        raise Unprocessable(
            _("No money moves by this payment method: choose another one"), reason="payment_method"
        )


def lock_waiting_transfer(
    *, reference: str, amount: Decimal, method: PaymentMethod | str, staff: bool = True
) -> BankTransfer | None:
    """Return the bank's transfer that money recorded by hand is, locked: it waits, under this reference and
    with this amount in dollars. Return None if nothing is recorded under the reference, or the very payment
    or top-up that is asked for again.

    Only staff settle a transfer: a customer who names its reference may have paid another way. Raise
    DomainError (`reference_used`) if another movement is. Money that did not come by bank transfer may have
    any reference, but not that of a transfer over the same amount.
    """
    found = MoneyReference.objects.of(reference)
    if found is None:
        return None
    transfer = lock_row(BankTransfer, found.transfer_id) if found.transfer_id else None
    by_transfer = method == PaymentMethod.TRANSFERENCIA
    recorded = found.payment or found.entry
    if recorded and recorded.reference == reference:
        return None
    if staff and by_transfer and transfer and transfer.waits and transfer.rest == amount and recorded is None:
        return transfer
    if by_transfer or (transfer and transfer.amount == amount):
        raise reference_used(transfer)
    return None


def settle_by_hand(
    *,
    reference: str,
    transfer: BankTransfer | None,
    payment: Payment | None = None,
    entry: WalletEntry | None = None,
) -> None:
    """Record what a reference is: the payment or the top-up, and that the locked transfer became it. Raise
    IntegrityError if another process has used the reference."""
    if transfer is None:
        movement = {"payment": payment} if payment else {"entry": entry}
        MoneyReference.objects.claim(reference, **movement)
        return
    transfer.payment, transfer.entry, transfer.problem = payment, entry, ""
    transfer.save(update_fields=["payment", "entry", "problem"])
    MoneyReference.objects.filter(transfer=transfer).update(payment=payment, entry=entry)


def reference_used(transfer: BankTransfer | None = None) -> DomainError:
    if transfer is not None and transfer.waits:
        return DomainError(
            _(
                "The bank reported a transfer with this reference, over %(amount)s dollars, and it waits: "
                "settle it on its page"
            )
            % {"amount": f"{transfer.amount:.2f}"},
            reason="reference_used",
        )
    return DomainError(
        _("A bank transfer with this reference is recorded already: check whether it is this one"),
        reason="reference_used",
    )
