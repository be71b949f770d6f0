"""Use that arrived after its period was billed, and is charged with the line's next bill (docs/rating.md).

An invoice says up to which version of its period's counter use was billed. A counter that is beyond that has
more; what it costs is the period rated again, from what its invoice keeps and from all of its use, less what
was billed for it: by the invoice itself, and as late use by those after it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import F, QuerySet
from msgspec.structs import replace

from billing.models import Invoice, InvoiceLine
from billing.rating.kept import inputs_from
from billing.rating.late_charges import NOT_BILLED, BilledUnit, charged_late
from billing.rating.rules import Rated
from billing.rating.used import usage_of_periods
from billing.rating.values import LateUse, Used
from customers.models import Subscription
from telcox.common.database.prepared import PreparedQuery


class _Behind(NamedTuple):
    """A billed period of which more was used than was billed."""

    pk: int
    line_id: int
    sequence: int
    month: str
    rated_from: Any


def late_use(periods: Sequence[Subscription], *, at: datetime) -> dict[int, list[LateUse]]:
    """By its key, what each of these periods is charged for late use of those before it: that of periods
    which have ended by `at`, and not more than LATE_USAGE_DAYS before.

    Only the first unbilled period after one is charged for it, and none that was paid in advance. One query
    where nothing came late, five where something did.
    """
    bearing = {
        period.pk
        for period in periods
        if period.pk and period.sequence > 1 and period.unbilled and not period.prepaid
    }
    found = _behind({period.line_id for period in periods if period.pk in bearing}, at)
    charged = [(bearer, each) for bearer, each in _with_bearers(found) if bearer in bearing]
    if not charged:
        return {}
    # In this order: who bills them at the same time is done before it is read what was billed.
    used = usage_of_periods([each.pk for _bearer, each in charged])
    billed = billed_so_far({each.line_id for _bearer, each in charged}, since=_since(at))
    late = defaultdict(list)
    for bearer, each in charged:
        charges = charged_late(rate_with_use(used[each.pk].amounts, each.rated_from), billed[each.pk])
        late[bearer].append(LateUse(each.sequence, each.month, used[each.pk].version, charges))
    return late


def _since(at: datetime) -> datetime:
    return at - timedelta(days=settings.LATE_USAGE_DAYS)


def _behind(lines: Collection[int], at: datetime) -> list[_Behind]:
    keys = [row["pk"] for row in _with_more_use(lines=lines, since=_since(at), until=at)]
    if not keys:
        return []
    # Nobody pays for who had the line before.
    found = billed_periods().filter(pk__in=keys, customer=F("subscription__line__customer"))
    rows = found.order_by("subscription__line", "subscription__sequence").values_list(
        "subscription", "subscription__line", "subscription__sequence", "period", "rated_from"
    )
    return [_Behind(*row) for row in rows]


@PreparedQuery
def _with_more_use(lines: Any, since: Any, until: Any) -> QuerySet[Invoice, Any]:
    """Nothing but what two indexes have, the invoice's version and the counter's: this is asked for each
    period that is billed, and what is found is little."""
    invoices = Invoice.objects.in_force().filter(
        subscription__line__in=lines,
        subscription__expiration_at__gt=since,
        subscription__expiration_at__lte=until,
        subscription__usage_counter__version__gt=F("usage_version"),
    )
    return invoices.order_by().values("pk")


def billed_periods() -> QuerySet[Invoice]:
    """The invoices of periods whose late use is charged: issued, not paid in advance, and ours."""
    invoices: QuerySet[Invoice] = Invoice.objects.in_force().issued()
    return invoices.filter(subscription__prepaid=False, rated_from__isnull=False)


def _with_bearers(found: Sequence[_Behind]) -> Iterable[tuple[int | None, _Behind]]:
    if not found:
        return
    unbilled: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    waiting = Subscription.objects.to_bill().filter(line__in={each.line_id for each in found})
    for pk, line_id, sequence in waiting.order_by("sequence").values_list("pk", "line", "sequence"):
        unbilled[line_id].append((sequence, pk))
    for each in found:
        after = (pk for sequence, pk in unbilled[each.line_id] if sequence > each.sequence)
        yield next(after, None), each


def billed_so_far(
    lines: Collection[int], *, since: datetime | None = None
) -> defaultdict[int, defaultdict[str, BilledUnit]]:
    """What was billed for each period of these lines, or for those that ended after that, by unit: by its own
    invoice in force, and as late use by those of later periods."""
    rows = InvoiceLine.objects.filter(invoice__in_force=True, invoice__subscription__line__in=lines)
    if since:
        rows = rows.filter(invoice__subscription__expiration_at__gt=since)
    billed: defaultdict[int, defaultdict[str, BilledUnit]] = defaultdict(
        lambda: defaultdict(lambda: NOT_BILLED)
    )
    for late_for, own, unit, *amounts in rows.order_by().values_list(
        "late_for", "invoice__subscription", "unit", "quantity", "amount", "discount"
    ):
        of_it = billed[late_for or own]
        of_it[unit] = of_it[unit].with_(*amounts)
    return billed


def rate_with_use(used: Used, rated_from: Any) -> Rated:
    """The period that an invoice keeps, rated again with this use; without what was charged with it of the
    periods before."""
    facts = inputs_from(rated_from)
    return replace(facts, used=used, changes=replace(facts.changes, late=())).rate()
