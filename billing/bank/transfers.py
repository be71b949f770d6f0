"""One transfer: what it is for, and the payment that it becomes."""

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
    """What became of a transfer: nothing, if its reference was there `before`; a payment; or one that waits
    because of a `problem` (and the sentence with which the payment was refused)."""

    before: BankTransfer | None = None
    problem: BankProblem | None = None
    refusal: str = ""


@transaction.atomic
def take_transfer(
    *, transfer: Transfer, series: Iterable[Series], source: str, at: datetime, by: str = ""
) -> Taken:
    """Keeps the transfer, and makes a payment of it if it is plain for which invoice.

    Somebody may have recorded that payment by hand, under the bank's reference: then it is that one. Raises
    IntegrityError if the same reference is taken at the same time; the next try finds it.
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
    """Makes a payment of the invoice from a transfer that waits, for whoever knows that it is for that one.

    Raises DomainError if it is a payment already, or the payment is refused.
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
    # The database may hold ABC and abc for one reference.
    same = payment and (payment.reference, payment.received) == (transfer.reference, transfer.amount)
    return payment if same else None


def _invoice_for(transfer: Transfer, series: Iterable[Series]) -> Invoice | BankProblem:
    """Locks what it could be, so that what is owed on it stays as it is."""
    clues = clues_in(f"{transfer.concept} {transfer.payer}", series)
    named = {invoice.pk: invoice for invoice in _named(clues)}
    there = {} if named else {invoice.pk: invoice for invoice in _open_of(clues)}
    chosen = choose_invoice(transfer.amount, _owed(named.values()), _owed(there.values()))
    return chosen if isinstance(chosen, BankProblem) else (named or there)[chosen.key]


def _named(clues: Clues) -> Iterable[Invoice]:
    documents = Q()
    for series, number in clues.documents:
        documents |= Q(series=series, number=number)
    # Without joins: what is joined would be locked as well.
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
