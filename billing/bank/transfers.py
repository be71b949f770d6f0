"""Record a bank transfer: find its invoice, and record the payment."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from billing.bank.matching import Clues, Owed, Series, choose_invoice, clues_in
from billing.bank.statements import Transfer
from billing.models import BankProblem, BankTransfer, Invoice, Payment, PaymentMethod
from billing.models.invoices import OPEN
from billing.settling.paying import receive_payment
from customers.models import Customer
from telcox.common.calendar import midnight
from telcox.common.database.locking import lock_row, lock_rows
from telcox.common.errors import DomainError


class Taken(NamedTuple):
    """Outcome of a transfer: imported `before`, under the same reference; recorded as a payment; or unmatched
    because of a `problem`, with the message if the payment was refused."""

    before: BankTransfer | None = None
    problem: BankProblem | None = None
    refusal: str = ""


@transaction.atomic
def take_transfer(
    *, transfer: Transfer, series: Iterable[Series], source: str, at: datetime, by: str = ""
) -> Taken:
    """Store the transfer, and record a payment if it is certain for which invoice.

    If a clerk has recorded the payment by hand, under the bank's reference, the transfer is linked to it.
    Raise IntegrityError if another process imports the same reference at the same time; the next try finds
    it.
    """
    before = BankTransfer.objects.filter(reference=transfer.reference).first()
    if before:
        return Taken(before)
    kept = BankTransfer(
        reference=transfer.reference,
        amount=transfer.amount,
        paid_on=transfer.paid_on,
        concept=transfer.concept[:250],
        payer=transfer.payer[:150],
        source=source[:150],
        imported_at=at,
        imported_by=by,
    )
    problem, refusal = None, ""
    kept.payment = _recorded_by_hand(kept)
    if kept.payment is None:
        invoice = _invoice_for(transfer, series)
        if isinstance(invoice, BankProblem):
            problem = invoice
        else:
            try:
                kept.payment = _pay(kept, invoice, kept.imported_at, by)
            except DomainError as error:
                problem, refusal = BankProblem.REFUSED, error.detail
    kept.problem = problem or ""
    kept.save(force_insert=True)
    return Taken(problem=problem, refusal=refusal)


@transaction.atomic
def assign_transfer(*, transfer: BankTransfer, invoice: Invoice, at: datetime, by: str) -> Payment:
    """Record an unmatched transfer as a payment of the invoice that a clerk has chosen.

    Raise DomainError if the transfer is recorded already, or the payment is refused.
    """
    transfer = lock_row(BankTransfer, transfer.pk)
    if transfer.payment_id:
        raise DomainError(_("The transfer is already recorded as a payment"), reason="already_assigned")
    transfer.payment = _pay(transfer, invoice, at, by)
    transfer.problem = ""
    transfer.save(update_fields=["payment", "problem"])
    return transfer.payment


def _pay(transfer: BankTransfer, invoice: Invoice, at: datetime, by: str) -> Payment:
    return receive_payment(
        invoice=invoice,
        amount=transfer.amount,
        payment_method=PaymentMethod.TRANSFERENCIA,
        reference=transfer.reference,
        at=at,
        by=by,
        paid_at=midnight(transfer.paid_on),
    ).payment


def _recorded_by_hand(transfer: BankTransfer) -> Payment | None:
    payment = Payment.objects.filter(
        reference=transfer.reference,
        payment_method=PaymentMethod.TRANSFERENCIA,
        transfer=None,
        reverses=None,
        reversal=None,
    ).first()
    # A payment of another amount under this reference is another payment.
    same = payment and (payment.reference, payment.received) == (transfer.reference, transfer.amount)
    return payment if same else None


def _invoice_for(transfer: Transfer, series: Iterable[Series]) -> Invoice | BankProblem:
    """Return the transfer's invoice, or why there is none. Lock the candidates, so that what is owed on them
    does not change."""
    clues = clues_in(f"{transfer.concept} {transfer.payer}", series)
    named = {invoice.pk: invoice for invoice in _named(clues)}
    there = {} if named else {invoice.pk: invoice for invoice in _open_of(clues)}
    chosen = choose_invoice(transfer.amount, _owed(named.values()), _owed(there.values()))
    return chosen if isinstance(chosen, BankProblem) else (named or there)[chosen.key]


def _named(clues: Clues) -> Iterable[Invoice]:
    documents = Q()
    for series, number in clues.documents:
        documents |= Q(series=series, number=number)
    # Without joins, because joined rows would be locked, too.
    return lock_rows(Invoice.objects.bills().filter(documents)) if documents else ()


def _open_of(clues: Clues) -> Iterable[Invoice]:
    customers = Customer.objects.filter(dni__in=clues.identities).values_list("pk", flat=True)
    known = list(customers) if clues.identities else []
    if not (clues.phone_numbers or known):
        return ()
    theirs = Q(phone_number__in=clues.phone_numbers) | Q(customer__in=known)
    return lock_rows(Invoice.objects.bills().filter(theirs, status__in=OPEN))


def _owed(invoices: Iterable[Invoice]) -> list[Owed]:
    return [Owed(invoice.pk, invoice.outstanding) for invoice in invoices]
