"""Set-off: credit on a line's wallet pays the line's open invoices, the oldest first (docs/wallet.md).

A set-off is a payment of the invoice (`SALDO A FAVOR`) and an entry of the wallet (`SET_OFF`) that refers to
the payment, in one transaction. Whose credit pays which invoices is in billing/models/owed.py.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from billing.invoicing.steps import update_status
from billing.models import BY_SET_OFF, EntryKind, Invoice, Payment, PaymentMethod
from billing.models.owed import beside_credit, lines_set_off, payable_by_credit
from billing.overdue.suspending import resume_if_paid_up
from billing.wallets.posting import Posted, Posting, lock_credit, post_entries
from customers.models import Line
from telcox.common.calendar import local_date, midnight
from telcox.common.database.batches import ALL, Share, in_chunks, in_pieces
from telcox.common.database.locking import lock_keys, lock_rows
from telcox.common.database.retrying import retry_lost_locks

ZERO = Decimal(0)
# Lines whose credit is set off in one transaction: each takes some statements of its own.
LINES_AT_ONCE = 50


def set_off_credit(*, line: Line, at: datetime, by: str = "") -> list[Payment]:
    """Pay the line's open invoices from its wallet, as far as the money goes, the oldest first. Return the
    payments.

    Nothing is paid for a prepaid line that is not terminated, for invoices of a former holder of the line,
    for drafts and void invoices, and for an invoice of which a set-off was reversed on the local day of `at`.
    A line that was suspended for non-payment is resumed if nothing is owed any more.
    """
    return retry_lost_locks(partial(_set_off, [line.pk], at, by))


def set_off_due(*, at: datetime, share: Share = ALL) -> Iterator[int]:
    """Set off the credit of every line that has credit beside open invoices, as `set_off_credit` does. Each
    step is one committed transaction: it yields the number of payments.

    Safe to run twice, late, or in several processes at once, and to be killed.
    """
    due = share.among(invoices_to_set_off(at), "subscription__line_id")
    for line_ids in in_chunks(due, "subscription__line_id", LINES_AT_ONCE, by="due_on"):
        pieces = in_pieces(partial(_set_off, at=at, by=""), sorted(set(line_ids)), "set off")
        yield sum(len(done or ()) for done in pieces)


def invoices_to_set_off(at: datetime) -> QuerySet[Invoice]:
    """Return the open invoices that credit is to be set off against at `at`."""
    return beside_credit().filter(~_put_back_today(at))


def post_credit(posting: Posting, *, at: datetime, by: str = "") -> Posted:
    """Post an entry as `post_entries` does, and set off what it brings to the wallet."""
    return retry_lost_locks(partial(_post_credit, posting, at, by))


@transaction.atomic
def _post_credit(posting: Posting, at: datetime, by: str) -> Posted:
    payable = lock_payable([posting.line_id])
    posted = post_entries(postings=[posting], at=at, by=by)[0]
    if posted.entry is not None and not posted.repeated:
        pay_from_credit(payable, at=at, by=by)
    return posted


@transaction.atomic
def _set_off(line_ids: Sequence[int], at: datetime, by: str) -> list[Payment]:
    return pay_from_credit(lock_payable(line_ids), at=at, by=by)


# --- Set-off against open invoices ---


def payable_keys(line_ids: Collection[int]) -> list[int]:
    """Return the keys of the open invoices that the credit of these lines would pay."""
    payable = payable_by_credit().filter(subscription__line__in=line_ids).order_by("pk")
    return list(payable.values_list("pk", flat=True))


def lock_payable(line_ids: Collection[int], *, besides: Iterable[int] = ()) -> dict[int, Invoice]:
    """Lock the open invoices that the credit of these lines would pay and those with the keys `besides`; if
    there are any, lock the lines as well. Return the invoices by key. Raise DoesNotExist if one is gone.

    Call it before money is put on a wallet: invoices and lines are locked before wallets.
    """
    besides = set(besides)
    keys = {*payable_keys(line_ids), *besides}
    # Without joins, because joined rows would be locked, too.
    locked = {invoice.pk: invoice for invoice in lock_rows(Invoice.objects.filter(pk__in=keys))}
    if besides - locked.keys():
        raise Invoice.DoesNotExist
    if locked and line_ids:
        lock_keys(Line.objects.filter(pk__in=line_ids))
    return locked


def pay_from_credit(keys: Collection[int], *, at: datetime, by: str = "") -> list[Payment]:
    """Pay the invoices with these keys, which `lock_payable` has locked, from the wallets of their lines, as
    far as the money goes, those due first before the others. Return the payments.

    What is owed on an invoice that is passed over today is left on the wallet for it.
    """
    rows = payable_by_credit().filter(pk__in=keys).annotate(put_back=_put_back_today(at))
    # Read again: the caller may have paid some of them since they were locked.
    invoices = list(rows.select_related("subscription", "series").order_by("due_on", "pk"))
    credit = lock_credit({_line_of(invoice) for invoice in invoices}) if invoices else {}
    payments = []
    for invoice in invoices:
        line_id = _line_of(invoice)
        if not (amount := min(credit.get(line_id, ZERO), invoice.outstanding)):
            continue
        credit[line_id] -= amount
        if invoice.put_back:
            continue
        payment = _new_set_off(invoice, amount, at, by)
        payment.reference = _reference_of(payment)
        payment.save(force_insert=True)
        update_status(invoice, at=at, by=by)
        payments.append(payment)
    _post_set_offs(payments, at=at, by=by)
    for paid in {_line_of(payment.invoice): payment.invoice for payment in payments}.values():
        resume_if_paid_up(invoice=paid, at=at, by=by)
    return payments


def _line_of(invoice: Invoice) -> int:
    assert invoice.subscription is not None  # it would not be payable by credit
    return invoice.subscription.line_id


def _put_back_today(at: datetime) -> Exists:
    """Return the condition that a set-off of the invoice was reversed on the local day of `at`. It is not set
    off again on that day, so that the reversal can be used for what it was made for."""
    reversals = Payment.objects.filter(
        invoice=OuterRef("pk"),
        reverses__isnull=False,
        payment_method=PaymentMethod.SALDO_A_FAVOR,
        paid_at__gte=midnight(local_date(at)),
    )
    return Exists(reversals)


# --- Set-off when an invoice is issued ---


def credit_for_new(invoices: Sequence[Invoice], paid: Mapping[int, Decimal]) -> list[Payment]:
    """Lock the wallets that have credit for these invoices, which are about to be issued, and return the
    payments that it makes, unsaved. `paid` is what is paid already, by the `id()` of the invoice.

    Older open invoices of the lines come first: what they are owed is left on the wallet for them.
    """
    of_line: dict[int, list[Invoice]] = {}
    for invoice in invoices:
        if invoice.subscription and not invoice.corrects_id:
            of_line.setdefault(invoice.subscription.line_id, []).append(invoice)
    having = Line.objects.filter(lines_set_off(), pk__in=of_line, wallet__balance_usd__gt=0).order_by()
    holders = dict(having.values_list("pk", "customer"))
    credit = lock_credit(holders) if holders else {}
    if not credit:
        return []
    older = payable_by_credit().filter(subscription__line__in=credit).select_related("subscription")
    for invoice in older.prefetch_related("payments", "corrections"):
        assert invoice.subscription is not None
        credit[invoice.subscription.line_id] -= invoice.outstanding
    payments = []
    for line_id in credit:
        for invoice in of_line[line_id]:
            amount = min(credit[line_id], invoice.total - paid.get(id(invoice), ZERO))
            if invoice.customer_id == holders[line_id] and amount > 0:
                credit[line_id] -= amount
                payments.append(_new_set_off(invoice, amount))
    return payments


def save_new_set_offs(payments: Sequence[Payment], *, at: datetime, by: str = "") -> None:
    """Save the payments of invoices that are issued and saved now, with the entries of the wallets."""
    if not payments:
        return
    for payment in payments:
        payment.paid_at, payment.by = at, by
        payment.reference = f"{BY_SET_OFF}{payment.invoice.pk} 1"
    Payment.objects.bulk_create(payments)
    # MySQL does not return the keys of inserted rows.
    references = [payment.reference for payment in payments]
    keys = dict(Payment.objects.filter(reference__in=references).values_list("reference", "pk"))
    for payment in payments:
        payment.pk = keys[payment.reference]
    _post_set_offs(payments, at=at, by=by)


# --- Payments and entries ---


def _new_set_off(invoice: Invoice, amount: Decimal, at: datetime | None = None, by: str = "") -> Payment:
    payment = Payment(invoice=invoice, amount=amount, payment_method=PaymentMethod.SALDO_A_FAVOR, by=by)
    if at is not None:
        payment.paid_at = at
    return payment


def _reference_of(payment: Payment) -> str:
    """Return the idempotency key: the invoice's first set-off, its second one. Its row is locked."""
    earlier = Payment.objects.filter(
        invoice=payment.invoice_id, payment_method=PaymentMethod.SALDO_A_FAVOR, reverses=None
    )
    return f"{BY_SET_OFF}{payment.invoice_id} {earlier.count() + 1}"


def _post_set_offs(payments: Sequence[Payment], *, at: datetime, by: str) -> None:
    """Take what these saved payments pay from the wallets of the invoices' lines."""
    postings = []
    for payment in payments:
        period = payment.invoice.subscription
        assert period is not None
        postings.append(
            Posting(
                line_id=period.line_id,
                kind=EntryKind.SET_OFF,
                amount=payment.amount,
                reference=entry_of(payment.pk),
                description=f"Saldo a favor para la factura {payment.invoice.full_number}",
                # The amount paid in advance for a period is the sum of its entries.
                subscription_id=period.pk if period.prepaid else None,
                payment_id=payment.pk,
            )
        )
    for posted in post_entries(postings=postings, at=at, by=by) if postings else ():
        posted.taken()


def entry_of(payment_id: int) -> str:
    """Return the idempotency key of the wallet's entry that a payment makes, if it makes one."""
    return f"payment {payment_id}"
