"""Top-ups: money that a customer puts on a wallet."""

import logging
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from billing.models import EntryKind, PaymentMethod, WalletEntry
from billing.wallets.gateway import payment_gateway
from billing.wallets.posting import Posted, Posting, foresee_entry
from billing.wallets.references import lock_waiting_transfer, reference_used, require_money, settle_by_hand
from billing.wallets.setting_off import post_credit
from customers.models import Line, LineStatus
from telcox.common.database.retrying import retry_lost_locks
from telcox.common.errors import DomainError, Unprocessable

logger = logging.getLogger(__name__)


class TopUp(NamedTuple):
    """Result of a top-up. `repeated`: it was done before, and nothing happened now."""

    entry: WalletEntry
    repeated: bool


def top_up(
    *,
    line: Line,
    amount: Decimal,
    method: PaymentMethod,
    reference: str,
    at: datetime,
    by: str = "",
    description: str = "",
    staff: bool,
) -> TopUp:
    """Top up: collect `amount` dollars through the payment port and put them on the line's wallet. If the
    line is post-paid and owes something, they are set off against it (billing/wallets/setting_off.py).

    `reference` is the idempotency key: however often a top-up is repeated, it is collected and posted once.
    The same amount by another method is another movement.
    `staff`: a member of the operator's staff with permission asks for it. Call it outside any transaction,
    because the provider may be slow. The entry is checked against the wallet before money is collected. If a
    bank transfer waits under the reference, a top-up by bank transfer that staff record settles it.

    Raise Unprocessable for an amount that is invalid or exceeds TOP_UP_MAX_USD, or for a method by which no
    money comes in; DomainError if the line is
    terminated, the wallet refuses the entry, as in `post_entries`, or the reference is that of another bank
    transfer; PaymentDeclined, BadGateway or GatewayTimeout as the port does.
    """
    description = description or _describe(method)
    posting = Posting(line.pk, EntryKind.TOP_UP, amount, reference, description)
    foreseen = foresee_entry(posting=posting, at=at)
    if foreseen.repeated:
        return TopUp(_of_method(foreseen.taken(), method), repeated=True)
    foreseen.taken()
    require_money(method)
    if amount > settings.TOP_UP_MAX_USD:
        raise Unprocessable(
            _("A top-up must not be more than %(most)s dollars") % {"most": settings.TOP_UP_MAX_USD},
            reason="amount_too_large",
        )
    if line.status == LineStatus.TERMINATED:
        raise DomainError(_("The line is terminated"), reason="line_terminated")
    with transaction.atomic():
        lock_waiting_transfer(reference=reference, amount=amount, method=method, staff=staff)
    receipt = payment_gateway().collect(
        phone_number=line.phone_number, amount=amount, method=method, reference=reference, staff=staff
    )
    if receipt.confirmation:
        posting = replace(posting, description=f"{posting.description}, {receipt.confirmation}"[:200])
    posted = retry_lost_locks(lambda: _post(posting, method, at, by, staff))
    if posted.refusal is not None:
        # A concurrent top-up used this reference with other content, or the wallet was manipulated.
        logger.error(
            "top-up %s was collected by the payment gateway and refused by the wallet: %s",
            reference,
            posted.refusal.reason,
        )
    entry = posted.taken()
    return TopUp(_of_method(entry, method) if posted.repeated else entry, posted.repeated)


def _describe(method: PaymentMethod) -> str:
    return f"Recarga, {PaymentMethod(method).value}"


def _of_method(entry: WalletEntry, method: PaymentMethod) -> WalletEntry:
    """Return the entry of an earlier top-up. Raise DomainError if that money came in another way: a receipt
    for cash may have the number of a bank transfer."""
    others = [_describe(other) for other in PaymentMethod if other != method]
    if any(entry.description == each or entry.description.startswith(f"{each}, ") for each in others):
        raise DomainError(
            _("The reference was already used for another movement: choose a different one"),
            reason="reference_used",
        )
    return entry


@transaction.atomic
def _post(posting: Posting, method: PaymentMethod, at: datetime, by: str, staff: bool) -> Posted:
    """Post the entry, and record its reference as that of a bank transfer if it came by one."""
    reference = posting.reference
    try:
        transfer = lock_waiting_transfer(
            reference=reference, amount=posting.amount, method=method, staff=staff
        )
    except DomainError as refusal:
        return Posted(posting, refusal=refusal)
    posted = post_credit(posting, at=at, by=by)
    if posted.entry is None or posted.repeated or method != PaymentMethod.TRANSFERENCIA:
        return posted
    try:
        with transaction.atomic():
            settle_by_hand(reference=reference, transfer=transfer, entry=posted.entry)
    except IntegrityError:  # recorded in another way at the same moment
        transaction.set_rollback(True)
        return Posted(posting, refusal=reference_used())
    return posted
