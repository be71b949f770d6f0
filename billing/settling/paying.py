"""Payments of invoices and their reversals (docs/payments.md)."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from billing.invoicing.steps import update_status
from billing.models import BankProblem, BankTransfer, EntryKind, Invoice, Payment, PaymentMethod
from billing.overdue.suspending import resume_if_paid_up
from billing.wallets import Posting, post_entries
from billing.wallets.references import lock_waiting_transfer, require_money, settle_by_hand
from billing.wallets.setting_off import entry_of, lock_payable, pay_from_credit
from telcox.common.database.locking import lock_row
from telcox.common.errors import DomainError, Unprocessable
from telcox.common.money import amount_refusal

ZERO = Decimal(0)
# The value date of a bank may lie some days ahead, over a weekend and holidays. What is later is a typing
# error, and would be a payment of a year that no export has. It is a day more than DAYS_AHEAD of
# billing.bank.days, which counts whole days.
PAID_AHEAD = timedelta(days=8)
# What is earlier is one as well: 1926 or 2016.
PAID_BACK = timedelta(days=5 * 366)


class Received(NamedTuple):
    """A payment. `repeated`: it was recorded before, and nothing was written now."""

    payment: Payment
    repeated: bool


@transaction.atomic
def receive_payment(
    *,
    invoice: Invoice,
    amount: Decimal,
    payment_method: PaymentMethod | str,
    reference: str,
    at: datetime,
    by: str = "",
    paid_at: datetime | None = None,
    of_transfer: bool = False,
) -> Received:
    """Record a payment, in dollars, of an issued invoice, received at `at`, or earlier at `paid_at`. Put what
    exceeds the amount owed on the wallet of the invoice's line, and set it off against the line's other open
    invoices.

    `reference` is the idempotency key: the same payment again is `repeated`, unless it was reversed. If a
    bank transfer waits under it, the payment settles it; `of_transfer`: the caller does that and the set-off
    (billing.bank). Raise Unprocessable if the amount is invalid, `paid_at` is more than PAID_AHEAD after
    `at` or PAID_BACK before it, or no money comes in by the method; DomainError if the reference names
    another payment, a reversed one, or another bank transfer or top-up by bank transfer; if nothing is owed,
    or there is more than is owed and no wallet for the rest.
    """
    require_money(payment_method)
    transfer = None
    if not of_transfer and not Payment.objects.filter(reference=reference).exists():
        transfer = lock_waiting_transfer(reference=reference, amount=amount, method=payment_method)
    period = None if of_transfer else invoice.subscription
    locked = lock_payable([period.line_id] if period else [], besides=[invoice.pk])
    invoice = locked[invoice.pk]
    if refusal := amount_refusal(amount):
        raise refusal
    if paid_at is not None and paid_at > at + PAID_AHEAD:
        raise Unprocessable(
            _("The day of the payment is in the future: correct it"), reason="paid_in_the_future"
        )
    if paid_at is not None and paid_at < at - PAID_BACK:
        raise Unprocessable(_("The date is in the future or years ago: correct it"), reason="paid_long_ago")
    if before := Payment.objects.filter(reference=reference).first():
        recorded = (before.invoice_id, before.received, before.payment_method)
        if recorded != (invoice.pk, amount, payment_method):
            raise _reference_used()
        if Payment.objects.filter(reverses=before).exists():
            raise DomainError(
                _("The payment with this reference was reversed: record it again under another reference"),
                reason="reference_used",
            )
        return Received(before, repeated=True)
    if invoice.is_draft:
        raise DomainError(_("A draft cannot be paid: issue it first"), reason="not_issued")
    owed = invoice.outstanding
    if not owed:
        raise DomainError(_("Nothing is owed on this document"), reason="nothing_owed")
    payment = Payment(
        invoice=invoice,
        amount=min(amount, owed),
        to_wallet=max(amount - owed, ZERO),
        payment_method=payment_method,
        reference=reference,
        paid_at=paid_at or at,
        by=by,
    )
    try:
        with transaction.atomic():
            payment.save(force_insert=True)
    except IntegrityError as error:  # recorded for another invoice at the same moment
        raise _reference_used() from error
    update_status(invoice, at=at, by=by)
    resume_if_paid_up(invoice=invoice, at=at, by=by)
    if payment.to_wallet:
        post_to_wallet_of(
            invoice,
            EntryKind.TOP_UP,
            payment.to_wallet,
            reference=entry_of(payment.pk),
            payment=payment,
            description=f"Excedente del pago de la factura {invoice.full_number}",
            at=at,
            by=by,
        )
        if not of_transfer:
            pay_from_credit(locked, at=at, by=by)
    if payment_method == PaymentMethod.TRANSFERENCIA and not of_transfer:
        try:
            with transaction.atomic():
                settle_by_hand(reference=reference, transfer=transfer, payment=payment)
        except IntegrityError as error:  # recorded in another way at the same moment
            raise _reference_used() from error
    return Received(payment, repeated=False)


@transaction.atomic
def reverse_payment(*, payment: Payment, why: str, at: datetime, by: str = "") -> Payment:
    """Reverse a payment, because the cheque bounced or the money was handed back. Return the reversal.

    Take from the line's wallet what the payment brought to it, directly or through a later credit note, and
    put on it what a set-off took from it. Credit that is left on the wallet pays what is owed again, except
    what a reversed set-off was for (billing/wallets/setting_off.py). A bank transfer that the payment was
    made of waits again. Raise DomainError if it is a reversal or was reversed already, if the wallet paid it
    in advance (a credit note gives that back), or if the wallet does not have the money any more, whatever
    spending limit was agreed.
    """
    transfer = _lock_transfer_of(payment)
    period = payment.invoice.subscription
    locked = lock_payable([period.line_id] if period else [], besides=[payment.invoice_id])
    invoice = locked[payment.invoice_id]
    if payment.reverses_id:
        raise DomainError(_("A reversal cannot be reversed: record the payment again"), reason="is_reversal")
    if payment.is_wallets:
        raise DomainError(
            _("This was paid from the wallet. To give it back, issue a credit note"), reason="paid_by_wallet"
        )
    if Payment.objects.filter(reverses=payment).exists():
        raise DomainError(_("The payment was already reversed"), reason="already_reversed")
    refunded = invoice.refunded
    reversal = Payment(
        invoice=invoice,
        amount=-payment.amount,
        to_wallet=-payment.to_wallet,
        payment_method=payment.payment_method,
        reference=f"reversal of {payment.pk}",
        reverses=payment,
        paid_at=at,
        by=by,
        why=why,
    )
    reversal.save(force_insert=True)
    taken = payment.to_wallet + refunded - invoice.refunded - (payment.amount if payment.is_set_off else ZERO)
    if taken:
        post_to_wallet_of(
            invoice,
            EntryKind.CHARGE if taken > 0 else EntryKind.REFUND,
            abs(taken),
            reference=entry_of(reversal.pk),
            payment=reversal,
            description=f"Reverso de un pago de la factura {invoice.full_number}",
            at=at,
            by=by,
        )
    update_status(invoice, at=at, by=by, why=why)
    if not payment.is_set_off:
        pay_from_credit(locked, at=at, by=by)
    if transfer is not None:
        transfer.payment, transfer.problem = None, BankProblem.REVERSED
        transfer.save(update_fields=["payment", "problem"])
    return reversal


def _lock_transfer_of(payment: Payment) -> BankTransfer | None:
    transfers = BankTransfer.objects.order_by("pk").values_list("pk", flat=True)
    # Two statements, because MariaDB would read the whole table for one with OR.
    found = transfers.filter(parts__payment=payment).first() or transfers.filter(payment=payment).first()
    return lock_row(BankTransfer, found) if found else None


def post_to_wallet_of(
    invoice: Invoice,
    kind: EntryKind,
    amount: Decimal,
    *,
    reference: str,
    description: str,
    payment: Payment | None = None,
    credit_note: Invoice | None = None,
    at: datetime,
    by: str,
) -> None:
    """Move money on the wallet of the line that a locked invoice was for, by this payment or credit note.

    Raise DomainError if there is no such line, if it has another customer now, or if its wallet is short.
    """
    period = invoice.subscription
    if period is None or period.line.customer_id != invoice.customer_id:
        raise DomainError(
            _(
                "The customer has no wallet for the refund, or does not hold the line any more: reverse the "
                "payment first, and hand the money back"
            )
            if credit_note
            else _(
                "The payment is more than is owed, and no line of the customer has a wallet for the rest. "
                "Record at most what is owed"
            ),
            reason="no_wallet",
        )
    posting = Posting(
        line_id=period.line_id,
        kind=kind,
        amount=amount,
        reference=reference,
        description=description,
        # The amount paid in advance for a period is the sum of its entries.
        subscription_id=period.pk if period.prepaid else None,
        payment_id=payment.pk if payment else None,
        credit_note_id=credit_note.pk if credit_note else None,
    )
    post_entries(postings=[posting], at=at, by=by)[0].taken()


def _reference_used() -> DomainError:
    return DomainError(_("Another payment already has this reference"), reason="reference_used")
