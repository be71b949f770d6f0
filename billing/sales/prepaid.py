"""Settlement of prepaid periods: the price that a period has now, less what was paid for it, is charged to
the line's wallet or refunded. So nothing is paid twice, however often a period is settled."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, QuerySet, Sum

from billing.models import EntryKind, WalletEntry
from billing.rating.facts import PricedPeriod
from billing.wallets import Posting, post_entries
from customers.models import Subscription
from telcox.common.database.prepared import PreparedQuery
from telcox.common.money import cents

ZERO = Decimal("0.00")
# Dollars, and the number of wallet entries.
PaidInAdvance = tuple[Decimal, int]


def paid_by_wallet(periods: Sequence[Subscription]) -> dict[int, PaidInAdvance]:
    """Return what the wallet paid for each period, and by how many entries, by the period's primary key."""
    rows = (row.values() for row in _entries(periods=[period.pk for period in periods]))
    # SQLite adds decimals as binary fractions.
    return {pk: (-cents(amount), number) for pk, amount, number in rows}


@PreparedQuery
def _entries(periods: Any) -> QuerySet[WalletEntry, Any]:
    entries = WalletEntry.objects.filter(subscription__in=periods).order_by()
    return entries.values("subscription").annotate(amount=Sum("amount"), number=Count("pk"))


def settle_prepaid(bills: Sequence[PricedPeriod], *, at: datetime, by: str = "") -> Decimal:
    """Charge or refund what is due for each of these periods that is prepaid. Return the sum charged, in
    dollars; negative if more was refunded.

    Refunds come first. Raise the refusal of the first charge that its wallet cannot pay.
    """
    prepaid = [bill for bill in bills if bill.period.prepaid]
    paid = paid_by_wallet([bill.period for bill in prepaid])
    postings = []
    for period, _, rated in prepaid:
        before, number = paid.get(period.pk, (ZERO, 0))
        due = rated.total - before
        if due:
            postings.append(
                Posting(
                    line_id=period.line_id,
                    kind=EntryKind.CHARGE if due > 0 else EntryKind.REFUND,
                    amount=abs(due),
                    # References from outside contain no spaces, so no client can use this one first.
                    reference=f"period {period.pk} {number + 1}",
                    description=period.plan_name,
                    subscription_id=period.pk,
                )
            )
    if not postings:
        return ZERO
    postings.sort(key=lambda posting: posting.kind == EntryKind.CHARGE)
    posted = post_entries(postings=postings, at=at, by=by)
    return -sum((each.taken().amount for each in posted), ZERO)
