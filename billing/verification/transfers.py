"""Verify that money by bank transfer is counted once, and that what became of a transfer still stands."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from billing.models import (
    BankTransfer,
    EntryKind,
    MoneyReference,
    Payment,
    PaymentMethod,
    TransferPart,
    WalletEntry,
    reference_key,
)
from billing.verification.faults import Fault, faults_in_batches
from telcox.common.database.bulk import chunks

# Top-ups say in their description how they were paid (billing/wallets/topping_up.py).
BY_TRANSFER = f"Recarga, {PaymentMethod.TRANSFERENCIA.value}"

_SETTLED = BankTransfer.objects.filter(problem="", closed="")
# Payments by hand that stand, and money put on wallets by hand; those of a transfer are verified with it.
_PAYMENTS = Payment.objects.filter(
    payment_method=PaymentMethod.TRANSFERENCIA,
    reverses=None,
    reversal=None,
    transfer=None,
    transfer_part=None,
)
_TOP_UPS = WalletEntry.objects.filter(
    kind__in=(EntryKind.TOP_UP, EntryKind.ADJUSTMENT, EntryKind.REFUND),
    amount__gt=0,
    payment=None,
    credit_note=None,
    transfer=None,
)


def transfer_faults() -> Iterator[Fault]:
    """Yield each transfer whose payments, without those that were reversed, do not add up to it; and each
    payment and wallet entry by hand that has the reference of other money by bank transfer: it is counted
    twice."""
    yield from faults_in_batches(_SETTLED, _unsettled)
    yield from faults_in_batches(_PAYMENTS, _counted_twice)
    yield from faults_in_batches(_TOP_UPS, _counted_twice)


def _unsettled(transfers: Sequence[BankTransfer]) -> Iterator[Fault]:
    keys = [transfer.pk for transfer in transfers]
    of_payment: dict[int, int] = {each.payment_id: each.pk for each in transfers if each.payment_id}
    of_payment.update(TransferPart.objects.filter(transfer__in=keys).values_list("payment", "transfer"))
    became: defaultdict[int, Decimal] = defaultdict(Decimal)
    for some in chunks(list(of_payment)):
        payments = Payment.objects.filter(pk__in=some, reversal=None).order_by()
        for pk, amount, to_wallet in payments.values_list("pk", "amount", "to_wallet"):
            became[of_payment[pk]] += amount + to_wallet
    for transfer, amount in WalletEntry.objects.filter(transfer__in=keys).values_list("transfer", "amount"):
        became[transfer] += amount
    for each in transfers:
        if became[each.pk] != each.amount:
            yield Fault(
                f"bank transfer {each.reference}",
                f"it is over {each.amount}, and {became[each.pk]} of it is in payments and top-ups "
                "that stand",
            )


class _Counted(NamedTuple):
    """Money by bank transfer that is counted: a transfer, or a payment or a wallet entry by hand."""

    kind: str
    key: int
    reference: str
    amount: Decimal


def _counted_twice(by_hand: Sequence[Payment] | Sequence[WalletEntry]) -> Iterator[Fault]:
    others = _counted_under([each.reference for each in by_hand])
    for each in by_hand:
        if isinstance(each, Payment):
            own, by_transfer = _Counted("payment", each.pk, each.reference, each.received), True
        else:
            own = _Counted("wallet entry", each.pk, each.reference, each.amount)
            by_transfer = each.description.startswith(BY_TRANSFER)
        key = reference_key(each.reference)
        for other in others[key or each.reference]:
            # Cash may have the number of a transfer, but hardly its amount as well; many have `0`.
            if other != own and ((by_transfer and key) or other.amount == own.amount):
                name = f"{own.kind} {own.reference}"
                yield Fault(
                    name, f"the {other.kind} {other.reference} has its reference, and is counted as well"
                )
                break


def _counted_under(references: Sequence[str]) -> defaultdict[str, set[_Counted]]:
    """Return what is counted under these references, by the reference's one form of writing: what is entered
    under it (MoneyReference), and what has exactly one of these references."""
    keys = {key for reference in references if (key := reference_key(reference))}
    entered = list(MoneyReference.objects.filter(key__in=keys).values_list("transfer", "payment", "entry"))
    by_transfer = _TOP_UPS.filter(description__startswith=BY_TRANSFER)
    kinds = (
        ("bank transfer", _SETTLED, _SETTLED),
        ("payment", _PAYMENTS, _PAYMENTS),
        ("wallet entry", _TOP_UPS, by_transfer),
    )
    found: defaultdict[str, set[_Counted]] = defaultdict(set)
    for column, (kind, under_key, exactly) in enumerate(kinds):
        pks = {row[column] for row in entered} - {None}
        # Two statements, because MariaDB would read the whole table for one with OR.
        for row in (*under_key.filter(pk__in=pks), *exactly.filter(reference__in=references)):
            amount = row.received if isinstance(row, Payment) else row.amount
            counted = _Counted(kind, row.pk, row.reference, amount)
            found[reference_key(row.reference) or row.reference].add(counted)
    return found
