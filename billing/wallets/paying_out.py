"""Pay-outs: money that leaves a wallet for its owner's pocket."""

from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from billing.models import EntryKind, MoneyReference, PaymentMethod, WalletEntry
from billing.wallets.posting import Posting, post_entries
from billing.wallets.references import reference_used, require_money
from billing.wallets.setting_off import lock_payable
from customers.models import Line, LineStatus, Subscription
from telcox.common.database.locking import lock_row
from telcox.common.database.retrying import retry_lost_locks
from telcox.common.errors import DomainError


class PaidOut(NamedTuple):
    """Result of a pay-out. `repeated`: it was done before, and nothing happened now."""

    entry: WalletEntry
    repeated: bool


def pay_out(
    *,
    line: Line,
    amount: Decimal,
    method: PaymentMethod | str,
    reference: str,
    at: datetime,
    by: str = "",
    description: str = "",
) -> PaidOut:
    """Pay out `amount` dollars of the wallet of a terminated line, or of a post-paid line's credit, to its
    holder. The money left under `reference`, the idempotency key: repeated, it leaves the wallet once.

    Raise Unprocessable if the amount is invalid or money does not move by this method; DomainError if the
    line is prepaid and in service, something is due on it, its last period is still to be billed, it has less
    money, or the reference names another movement.
    """
    require_money(method)
    description = description or f"Retiro de saldo, {PaymentMethod(method).value}"
    posting = Posting(line.pk, EntryKind.PAY_OUT, amount, reference, description)
    return retry_lost_locks(partial(_pay_out, posting, method, at, by))


@transaction.atomic
def _pay_out(posting: Posting, method: PaymentMethod | str, at: datetime, by: str) -> PaidOut:
    owed = lock_payable([posting.line_id])
    line = lock_row(Line, posting.line_id)
    known = WalletEntry.objects.filter(reference=posting.reference).exists()
    if not known:
        _require_free(line, bool(owed))
        _require_unused(posting.reference, method)
    posted = post_entries(postings=[posting], at=at, by=by)[0]
    entry = posted.taken()
    if not posted.repeated and method == PaymentMethod.TRANSFERENCIA:
        try:
            with transaction.atomic():
                MoneyReference.objects.claim(posting.reference, entry=entry)
        except IntegrityError as error:  # recorded in another way at the same moment
            raise reference_used() from error
    return PaidOut(entry, posted.repeated)


def _require_free(line: Line, owes: bool) -> None:
    """Raise DomainError if the money on the wallet is needed."""
    terminated = line.status == LineStatus.TERMINATED
    if line.prepaid and not terminated:
        raise DomainError(
            _("The line is prepaid and in service, and needs its money: terminate it first"),
            reason="prepaid_in_service",
        )
    if owes:
        raise DomainError(
            _("Something is due on the line: it is set off against the balance first"),
            reason="something_due",
        )
    theirs = Subscription.objects.to_bill().filter(line=line, customer=line.customer_id)
    if terminated and theirs.exists():
        raise DomainError(
            _("The line's last period is not billed yet: pay out what is left after that"),
            reason="not_billed",
        )


def _require_unused(reference: str, method: PaymentMethod | str) -> None:
    """Raise DomainError if other money that moved by bank transfer has the reference."""
    if method == PaymentMethod.TRANSFERENCIA and MoneyReference.objects.of(reference):
        raise reference_used()
