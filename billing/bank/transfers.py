"""Settle a bank transfer: as payments of invoices, as a top-up of a wallet, or by closing it
(docs/finance.md)."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from billing.bank.values import REFERENCE_MAX
from billing.models import (
    BankTransfer,
    Closing,
    EntryKind,
    Invoice,
    Payment,
    PaymentMethod,
    TransferPart,
    Wallet,
    WalletEntry,
)
from billing.sales.renewal import renew_topped_up
from billing.settling.paying import receive_payment
from billing.wallets import Posting
from billing.wallets.setting_off import lock_payable, pay_from_credit, post_credit
from customers.models import Line, LineStatus
from telcox.common.calendar import midnight
from telcox.common.database.locking import lock_keys, lock_row
from telcox.common.errors import DomainError


@transaction.atomic
def assign_transfer(*, transfer: BankTransfer, invoice: Invoice, at: datetime, by: str) -> Payment:
    """Record what is left of a waiting transfer as a payment of the invoice that a clerk has chosen. If the
    payment is recorded by hand under the transfer's reference, link it.

    Raise DomainError if the transfer is settled already, or the payment is refused.
    """
    transfer = _lock_waiting(transfer)
    if payment := _recorded_for(transfer, invoice):
        transfer.payment, transfer.problem = payment, ""
        transfer.save(update_fields=["payment", "problem"])
        return payment
    return pay_invoices(transfer=transfer, parts=[(invoice, transfer.rest)], at=at, by=by)[0]


@transaction.atomic
def assign_in_parts(
    *, transfer: BankTransfer, parts: Sequence[tuple[Invoice, Decimal]], at: datetime, by: str
) -> list[Payment]:
    """Record what is left of a waiting transfer as payments of several invoices, with an amount in dollars
    for each.

    Raise DomainError if the transfer is settled already, the amounts do not add up to what is left, an
    invoice is named twice, or a payment is refused: then nothing is recorded.
    """
    transfer = _lock_waiting(transfer)
    if len({invoice.pk for invoice, _amount in parts}) < len(parts):
        raise DomainError(_("An invoice is named twice: add its amounts up"), reason="named_twice")
    if (total := sum(amount for _invoice, amount in parts)) != transfer.rest:
        raise DomainError(
            _("The parts add up to %(total)s dollars, and the transfer is over %(amount)s")
            % {"total": f"{total:.2f}", "amount": f"{transfer.rest:.2f}"},
            reason="parts_differ",
        )
    return pay_invoices(transfer=transfer, parts=parts, at=at, by=by)


@transaction.atomic
def top_up_from_transfer(*, transfer: BankTransfer, line: Line, at: datetime, by: str) -> WalletEntry:
    """Put a waiting transfer on a line's wallet. If the line is prepaid and its next period is due, begin it;
    if it is post-paid, set the money off against what is due.

    Raise DomainError if the transfer is settled already, in part as well, the line is terminated, or the
    wallet refuses the entry.
    """
    transfer = _lock_waiting(transfer)
    if transfer.rest != transfer.amount:
        raise DomainError(
            _("A part of the transfer is recorded as a payment: assign the rest to an invoice"),
            reason="partly_assigned",
        )
    if line.status == LineStatus.TERMINATED:
        raise DomainError(_("The line is terminated"), reason="line_terminated")
    posting = Posting(
        line.pk,
        EntryKind.TOP_UP,
        transfer.amount,
        _unused(WalletEntry, transfer),
        f"Recarga, {PaymentMethod.TRANSFERENCIA.value}",
    )
    entry = post_credit(posting, at=at, by=by).taken()
    transfer.entry, transfer.problem = entry, ""
    transfer.save(update_fields=["entry", "problem"])
    transaction.on_commit(lambda: renew_topped_up(line=line, at=at))
    return entry


@transaction.atomic
def close_transfer(
    *, transfer: BankTransfer, closing: Closing, why: str, at: datetime, by: str
) -> BankTransfer:
    """Close a waiting transfer that is no payment and no top-up: the bank returned it, or it is recorded
    already, as another movement.

    Raise DomainError if it is settled already, in part as well.
    """
    transfer = _lock_waiting(transfer)
    if transfer.rest != transfer.amount:
        raise DomainError(
            _("A part of the transfer is recorded as a payment: reverse it first"), reason="partly_assigned"
        )
    transfer.payment, transfer.problem = None, ""
    transfer.closed, transfer.closed_why, transfer.closed_at, transfer.closed_by = closing, why, at, by
    transfer.save(update_fields=["payment", "problem", "closed", "closed_why", "closed_at", "closed_by"])
    return transfer


def pay_invoices(
    *, transfer: BankTransfer, parts: Sequence[tuple[Invoice, Decimal]], at: datetime, by: str
) -> list[Payment]:
    """Record payments of a locked or new transfer, and link them. What is left goes to the lines' wallets,
    and is set off against their other open invoices. Raise DomainError if a payment is refused."""
    payable = _lock_all([invoice for invoice, _amount in parts])
    earlier = transfer.live_payments()
    payments = [
        receive_payment(
            invoice=invoice,
            amount=amount,
            payment_method=PaymentMethod.TRANSFERENCIA,
            reference=_unused(Payment, transfer),
            at=at,
            by=by,
            paid_at=midnight(transfer.paid_on),
            of_transfer=True,
        ).payment
        for invoice, amount in parts
    ]
    if len(earlier) + len(payments) > 1:
        linked = set(transfer.parts.values_list("payment_id", flat=True))
        for payment in [*earlier, *payments]:
            if payment.pk not in linked:
                TransferPart.objects.create(transfer=transfer, payment=payment)
    if any(payment.to_wallet for payment in payments):
        pay_from_credit(payable, at=at, by=by)
    transfer.payment, transfer.problem = payments[0], ""
    transfer.save(update_fields=["payment", "problem"])
    return payments


def _lock_all(invoices: Sequence[Invoice]) -> dict[int, Invoice]:
    """Lock the invoices with the others that their lines' credit would pay, and the lines; if there are
    several, their wallets as well: each payment takes those of its own, which would not be in the order of
    their keys. Return the invoices by key."""
    lines = {invoice.subscription.line_id for invoice in invoices if invoice.subscription}
    payable = lock_payable(lines, besides=[invoice.pk for invoice in invoices])
    if len(invoices) > 1:
        lock_keys(Wallet.objects.filter(line__in=lines))
    return payable


def _lock_waiting(transfer: BankTransfer) -> BankTransfer:
    """Return the transfer as it is now, locked. A transfer whose payment was reversed waits as well."""
    transfer = lock_row(BankTransfer, transfer.pk)
    if not transfer.rest > 0:
        raise DomainError(_("The transfer is already recorded as a payment"), reason="already_assigned")
    return transfer


def _recorded_for(transfer: BankTransfer, invoice: Invoice) -> Payment | None:
    """Return the payment of the invoice that is this transfer, recorded by hand."""
    by_hand = Payment.objects.filter(
        reference=transfer.reference, invoice=invoice, reversal=None, transfer=None, transfer_part=None
    ).first()
    return by_hand if by_hand and by_hand.received == transfer.rest == transfer.amount else None


def _unused(model: type[Payment | WalletEntry], transfer: BankTransfer) -> str:
    """Return the transfer's reference, or, where it is used, the reference with a number: `TR-4711 2`. Only
    references of our own have blanks, so that it is not taken by another transfer."""
    reference, number = transfer.reference, 1
    while model._default_manager.filter(reference=reference).exists():
        number += 1
        reference = f"{transfer.reference} {number}"
        if len(reference) > REFERENCE_MAX:
            reference = f"transfer {transfer.pk} {number}"
    return reference
