"""Verify that payments and credit notes agree, and that the wallets got what was paid beyond the debt."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from billing.models import InvoiceLine, Payment, PaymentMethod, WalletEntry
from billing.settling.crediting import entry_of_note
from billing.wallets.setting_off import entry_of
from telcox.common.database.bulk import chunks

ZERO = Decimal("0.00")
# Amount, discount and tax of a line.
LineSums = tuple[Decimal, Decimal, Decimal]
_NOTHING: LineSums = (ZERO, ZERO, ZERO)


@dataclass
class MoneyMoved:
    """Movements of one document's money: the sums credited of each line, by position; the amount that its
    payments brought to the wallet, less what set-offs took from it (`to_wallet`); and the sum of the wallet's
    entries for its payments and credit notes (`on_wallet`)."""

    to_wallet: Decimal = ZERO
    on_wallet: Decimal = ZERO
    # Primary keys of the credit notes, in the order of their issue.
    notes: list[int] = field(default_factory=list)
    credited: defaultdict[int, LineSums] = field(default_factory=lambda: defaultdict(lambda: _NOTHING))
    wrong_reversals: list[str] = field(default_factory=list)
    wrong_entries: list[str] = field(default_factory=list)


def money_moved(invoices: Sequence[int]) -> defaultdict[int, MoneyMoved]:
    """Return the movements by primary key of the document. Documents without movements are left out."""
    moved: defaultdict[int, MoneyMoved] = defaultdict(MoneyMoved)
    of_payment: dict[int, int] = {}
    payments = Payment.objects.filter(invoice__in=invoices).order_by("pk")
    rows = payments.values_list(
        "pk",
        "invoice_id",
        "payment_method",
        "amount",
        "to_wallet",
        "reverses__amount",
        "reverses__to_wallet",
    )
    for pk, invoice, method, amount, to_wallet, *reversed_amounts in rows:
        moved[invoice].to_wallet += to_wallet - (amount if method == PaymentMethod.SALDO_A_FAVOR else ZERO)
        if reversed_amounts[0] is not None and [-amount, -to_wallet] != reversed_amounts:
            moved[invoice].wrong_reversals.append(f"reversal of {pk}")
        of_payment[pk] = invoice
    lines = InvoiceLine.objects.filter(invoice__corrects__in=invoices).order_by("invoice_id", "pk")
    columns = ("invoice_id", "invoice__corrects_id", "credits", "amount", "discount", "tax")
    for note, invoice, position, amount, discount, tax in lines.values_list(*columns):
        before = moved[invoice].credited[position]
        moved[invoice].credited[position] = (before[0] + amount, before[1] + discount, before[2] + tax)
        if note not in moved[invoice].notes:
            moved[invoice].notes.append(note)
    _read_entries(moved, of_payment)
    return moved


def _read_entries(moved: Mapping[int, MoneyMoved], of_payment: Mapping[int, int]) -> None:
    """Add the wallet entries of these payments and of the credit notes, and check their references."""
    notes = {
        note: (invoice, entry_of_note(invoice, nth))
        for invoice, of_it in moved.items()
        for nth, note in enumerate(of_it.notes, start=1)
    }
    payments = {pk: (invoice, entry_of(pk)) for pk, invoice in of_payment.items()}
    for column, named in (("payment", payments), ("credit_note", notes)):
        for some in chunks(list(named)):
            found = WalletEntry.objects.filter(**{f"{column}__in": some}).order_by()
            for pk, reference, amount in found.values_list(column, "reference", "amount"):
                invoice, expected = named[pk]
                moved[invoice].on_wallet += amount
                if reference != expected:
                    moved[invoice].wrong_entries.append(f"{expected} is {reference} on the wallet")


def money_faults(moved: MoneyMoved, *, lines: Sequence[LineSums], overpaid: Decimal) -> Iterator[str]:
    """Yield the faults of a document. `lines` are its lines in the order of their positions; `overpaid` is
    what was paid and credited beyond its total, negative if less."""
    for position, taken in moved.credited.items():
        line = lines[position - 1] if 0 < position <= len(lines) else _NOTHING
        if any(less > have for less, have in zip(taken, line, strict=True)):
            yield f"more was credited of line {position} than it has"
    yield from (f"{reversal} is not what was reversed" for reversal in moved.wrong_reversals)
    yield from moved.wrong_entries
    over = moved.to_wallet + max(ZERO, overpaid)
    if moved.on_wallet != over:
        yield f"{over} of its money went to the wallet, by the wallet's entries {moved.on_wallet}"
