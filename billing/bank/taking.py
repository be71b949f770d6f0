"""Record a bank transfer: find what it is for, and record the payment or payments."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.db import transaction
from django.db.models import Q, QuerySet

from billing.bank.marks import begins_as_returned
from billing.bank.matching import Clues, Owed, Series, choose_invoice, clues_in
from billing.bank.transfers import pay_invoices
from billing.bank.values import Transfer
from billing.bank.wording import plain
from billing.models import (
    BankProblem,
    BankTransfer,
    EntryKind,
    Invoice,
    MoneyReference,
    Payment,
    PaymentMethod,
    WalletEntry,
    reference_key,
)
from billing.models.invoices import OPEN
from billing.wallets.setting_off import payable_keys
from customers.models import Customer, Line
from telcox.common.database.locking import lock_rows
from telcox.common.errors import DomainError


class Taken(NamedTuple):
    """Outcome of a transfer: it was imported `before`, under the same reference, or that is `another` one; it
    was recorded as a payment; or it waits because of a `problem`, with the message if the payment was
    refused."""

    before: BankTransfer | None = None
    another: bool = False
    problem: BankProblem | None = None
    refusal: str = ""


@transaction.atomic
def take_transfer(
    *, transfer: Transfer, series: Iterable[Series], source: str, at: datetime, by: str = ""
) -> Taken:
    """Store the transfer, and record payments if it is certain for which invoices.

    If the money was recorded by hand, as a payment or as a top-up by bank transfer under the bank's
    reference, the transfer is linked to it. It waits if what is recorded there differs, or was reversed, and
    if another transfer has the reference, spelled differently.

    Raise IntegrityError if another process records the same reference at the same time; the next try finds
    it.
    """
    if before := BankTransfer.objects.filter(reference=transfer.reference).first():
        return Taken(before, another=not _is_same(before, transfer, source, at))
    found = MoneyReference.objects.of(transfer.reference)
    spelled = found.transfer if found else None
    if (
        spelled
        and _has_text(transfer)
        and spelled.imported_at != at
        and _is_same(spelled, transfer, source, at)
    ):
        return Taken(spelled)
    kept = BankTransfer(
        reference=transfer.reference,
        amount=transfer.amount,
        paid_on=transfer.paid_on,
        concept=transfer.concept[:250],
        payer=transfer.payer[:150],
        problem=BankProblem.NO_INVOICE,
        source=source[:150],
        imported_at=at,
        imported_by=by,
    )
    problem, refusal = (
        (BankProblem.SPELLED, "") if spelled else _record(kept, transfer, found, series, at, by)
    )
    kept.problem = problem or ""
    kept.save()
    if found is None:
        MoneyReference.objects.claim(kept.reference, transfer=kept)
    elif spelled is None:
        MoneyReference.objects.filter(pk=found.pk).update(transfer=kept)
    return Taken(problem=problem, refusal=refusal)


def _record(
    kept: BankTransfer,
    transfer: Transfer,
    found: MoneyReference | None,
    series: Iterable[Series],
    at: datetime,
    by: str,
) -> tuple[BankProblem | None, str]:
    """Link the transfer to what is recorded under its reference, or pay the invoices that it is for. Return
    why neither was done."""
    clues = clues_in(f"{transfer.concept} {transfer.payer}", series)
    recorded = _recorded_by_hand(kept, found)
    if recorded is not None:
        return _link(kept, recorded, clues), ""
    if begins_as_returned(transfer.concept):  # what its text names may be what the returned money was for
        return BankProblem.SEVERAL, ""
    invoices = _invoices_for(transfer, clues)
    if isinstance(invoices, BankProblem):
        return invoices, ""
    try:
        with transaction.atomic():
            kept.save(force_insert=True)
            pay_invoices(transfer=kept, parts=invoices, at=at, by=by)
    except DomainError as error:
        kept.pk, kept.payment = None, None
        return BankProblem.REFUSED, error.detail
    return None, ""


# --- What is recorded under the reference ---


def _is_same(before: BankTransfer, transfer: Transfer, source: str, at: datetime) -> bool:
    """Return whether a transfer that was imported under this reference is this one: the same day, amount,
    concept and payer. A reference that names nothing (`0`) comes once in an import: two rows that are alike
    in all of this are two transfers, which nothing tells apart."""
    if not reference_key(transfer.reference) and (before.source, before.imported_at) == (source[:150], at):
        return False
    texts = f"{transfer.concept[:250]} {transfer.payer[:150]}"
    told = sorted(plain(f"{before.concept} {before.payer}").split()) == sorted(plain(texts).split())
    return told and (before.amount, before.paid_on) == (transfer.amount, transfer.paid_on)


def _has_text(transfer: Transfer) -> bool:
    return bool(transfer.concept or transfer.payer)


def _recorded_by_hand(kept: BankTransfer, found: MoneyReference | None) -> Payment | WalletEntry | None:
    """Return the payment or the wallet's entry with this reference. Entries of payments have references of
    their own."""
    if found is not None and (recorded := found.payment or found.entry):
        return recorded
    if payment := Payment.objects.filter(reference=kept.reference).first():
        return payment
    return WalletEntry.objects.filter(reference=kept.reference).exclude(kind=EntryKind.CHARGE).first()


def _link(kept: BankTransfer, recorded: Payment | WalletEntry, clues: Clues) -> BankProblem | None:
    """Link the transfer to what was recorded by hand, if that is certain to be this transfer: it came by bank
    transfer, the amount is the same, and the text does not name another customer."""
    if isinstance(recorded, Payment):
        if Payment.objects.filter(reverses=recorded).exists():
            return BankProblem.REVERSED
        free = not BankTransfer.objects.filter(payment=recorded).exists()
        by_transfer = recorded.payment_method == PaymentMethod.TRANSFERENCIA
        amount, customer = recorded.received, recorded.invoice.customer_id
    else:
        free = not BankTransfer.objects.filter(entry=recorded).exists()
        by_transfer = MoneyReference.objects.filter(entry=recorded).exists()
        amount, customer = recorded.amount, recorded.wallet.line.customer_id
    named = _customers_named(clues)
    certain = reference_key(kept.reference) or (named and kept.reference == recorded.reference)
    if not (free and by_transfer and certain) or amount != kept.amount or (named and customer not in named):
        return BankProblem.RECORDED
    if isinstance(recorded, Payment):
        kept.payment = recorded
    else:
        kept.entry = recorded
    return None


def _customers_named(clues: Clues) -> set[int | None]:
    documents = _documents(clues)
    named: set[int | None] = set()
    if documents:
        named.update(Invoice.objects.bills().filter(documents).values_list("customer_id", flat=True))
    if not named:
        lines, customers = _readings(clues)
        named.update(lines.values(), customers.values())
    return named


# --- What the text names ---


def _invoices_for(transfer: Transfer, clues: Clues) -> Sequence[tuple[Invoice, Decimal]] | BankProblem:
    """Return the transfer's invoices with the amount for each, or why there is none. Lock the candidates, so
    that what is owed on them does not change."""
    documents = _documents(clues)
    named = _locked(Invoice.objects.bills().filter(documents)) if documents else {}
    there: dict[int, Invoice] = {}
    doubtful: set[int] = set()
    two_customers = False
    if not named:
        lines, customers = _readings(clues)
        if any(lines[each] != customers[each] for each in lines.keys() & customers.keys()):
            return BankProblem.SEVERAL  # the same digits are one customer's number and another's identity
        there = _open_of(clues.phone_numbers, customers.values())
        doubtful = {
            invoice.pk
            for invoice in there.values()
            if invoice.customer_id not in customers.values()
            and lines.get(invoice.phone_number, invoice.customer_id) != invoice.customer_id
        }
        two_customers = len({*lines.values(), *customers.values()}) > 1
    chosen = choose_invoice(transfer.amount, _owed(named.values()), _owed(there.values()))
    if isinstance(chosen, BankProblem):
        return chosen
    if isinstance(chosen, Owed):
        may_be_another = clues.may_name_more if named else two_customers
        if may_be_another and chosen.amount != transfer.amount:
            return BankProblem.SEVERAL
        if chosen.key in doubtful:  # owed by a former holder of the number: who has paid is not certain
            return BankProblem.SEVERAL
        return [((named or there)[chosen.key], transfer.amount)]
    return [(named[each.key], each.amount) for each in chosen]


def _documents(clues: Clues) -> Q:
    documents = Q()
    for series, number in clues.documents:
        documents |= Q(series=series, number=number)
    return documents


def _readings(clues: Clues) -> tuple[dict[str, int], dict[str, int]]:
    """Return the customers of the phone numbers, and those of the identities, that a text names. A RUC that
    is known names that customer, and not the person whose identity card it begins with."""
    lines = Line.objects.filter(phone_number__in=clues.phone_numbers).values_list(
        "phone_number", "customer_id"
    )
    customers = dict(Customer.objects.filter(dni__in=clues.identities).values_list("dni", "pk"))
    for known in [each for each in customers if len(each) > 10]:
        customers.pop(known[:10], None)
    return dict(lines), customers


def _open_of(phone_numbers: Iterable[str], customers: Iterable[int]) -> dict[int, Invoice]:
    numbers, keys = list(phone_numbers), list(customers)
    if not (numbers or keys):
        return {}
    theirs = Q(phone_number__in=numbers) | Q(customer__in=keys)
    locked = _locked(Invoice.objects.bills().filter(theirs, status__in=OPEN))
    return {pk: invoice for pk, invoice in locked.items() if invoice.status in OPEN}


def _locked(wanted: QuerySet[Invoice]) -> dict[int, Invoice]:
    """Lock these invoices, together with those that money left over would pay. Return them by key."""
    lines = dict(wanted.order_by("pk").values_list("pk", "subscription__line"))
    if not lines:
        return {}
    # By their keys, because joined rows would be locked, too.
    keys = {*lines, *payable_keys(set(lines.values()) - {None})}
    locked = {invoice.pk: invoice for invoice in lock_rows(Invoice.objects.filter(pk__in=keys))}
    return {pk: locked[pk] for pk in lines if pk in locked}


def _owed(invoices: Iterable[Invoice]) -> list[Owed]:
    return [Owed(invoice.pk, invoice.outstanding) for invoice in invoices]
