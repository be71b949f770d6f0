"""Late usage: it arrived after its period was billed, and is charged with the line's next bill
(docs/rating.md).

An invoice has the version of its period's counter up to which usage was billed. A counter with a higher
version has late usage. Its price is the price of the period rated again, from the inputs that its invoice
keeps and all of its usage, less what was billed for the period: by that invoice, and as late usage by later
ones.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from msgspec.structs import replace

from billing.models import Invoice, InvoiceLine, InvoiceStatus
from billing.rating.kept import inputs_from
from billing.rating.late_charges import NOT_BILLED, BilledUnit, charged_late
from billing.rating.rules import Rated, RatingInputs
from billing.rating.used import usage_of_periods
from billing.rating.values import LateUse, Used
from customers.models import Subscription
from telcox.common.database.prepared import PreparedQuery


class _Behind(NamedTuple):
    """Billed period that has more usage than was billed."""

    pk: int
    line_id: int
    customer_id: int
    sequence: int
    month: str
    rated_from: Any


def late_use(periods: Sequence[Subscription], *, at: datetime) -> dict[int, list[LateUse]]:
    """Return what each of these periods is charged for late usage of earlier ones, by its primary key: usage
    of periods that ended by `at`, and at most LATE_USAGE_DAYS before.

    Only the first unbilled period after the one with late usage is charged for it, and no prepaid period. It
    takes one query if there is no late usage, and five if there is.
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
    # The order matters: usage is read first, so that a billing that commits in between is included in what
    # was billed.
    used = usage_of_periods([each.pk for _bearer, each in charged])
    billed = billed_so_far({each.line_id for _bearer, each in charged}, since=_since(at))
    late = defaultdict(list)
    for bearer, each in charged:
        facts = inputs_from(each.rated_from)
        charges = charged_late(_with_use(facts, used[each.pk].amounts), billed[each.pk])
        # The service was given in the earlier period, so it is taxed as that is.
        late[bearer].append(
            LateUse(each.sequence, each.month, used[each.pk].version, charges, facts.tax_rate)
        )
    return late


def _since(at: datetime) -> datetime:
    return at - timedelta(days=settings.LATE_USAGE_DAYS)


def _behind(lines: Collection[int], at: datetime) -> list[_Behind]:
    keys = [row["pk"] for row in _with_more_use(lines=lines, since=_since(at), until=at)]
    if not keys:
        return []
    found = billed_periods().filter(pk__in=keys)
    rows = found.order_by("subscription__line", "subscription__sequence").values_list(
        *("subscription", "subscription__line", "subscription__customer", "subscription__sequence"),
        *("period", "rated_from"),
    )
    return [_Behind(*row) for row in rows]


@PreparedQuery
def _with_more_use(lines: Any, since: Any, until: Any) -> QuerySet[Invoice, Any]:
    """Query only columns of two indexes, the invoice's version and the counter's: it runs for each period
    that is billed, and finds few."""
    invoices = Invoice.objects.in_force().filter(
        subscription__line__in=lines,
        subscription__expiration_at__gt=since,
        subscription__expiration_at__lte=until,
        subscription__usage_counter__version__gt=F("usage_version"),
    )
    return invoices.order_by().values("pk")


def billed_periods() -> QuerySet[Invoice]:
    """Return invoices of periods whose late usage is charged: issued here, in force, and not prepaid."""
    invoices: QuerySet[Invoice] = Invoice.objects.in_force().issued()
    return invoices.filter(subscription__prepaid=False, rated_from__isnull=False)


def _with_bearers(found: Sequence[_Behind]) -> Iterable[tuple[int | None, _Behind]]:
    if not found:
        return
    # By line and holder: usage by the number's previous holder is not charged to the present one.
    unbilled: defaultdict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    waiting = Subscription.objects.to_bill().filter(line__in={each.line_id for each in found})
    rows = waiting.order_by("sequence").values_list("pk", "line", "customer", "sequence")
    for pk, line_id, customer_id, sequence in rows:
        unbilled[line_id, customer_id].append((sequence, pk))
    for each in found:
        theirs = unbilled[each.line_id, each.customer_id]
        after = (pk for sequence, pk in theirs if sequence > each.sequence)
        yield next(after, None), each


def billed_so_far(
    lines: Collection[int], *, since: datetime | None = None
) -> defaultdict[int, defaultdict[str, BilledUnit]]:
    """Return what was billed for each period of these lines, by its key and by unit: by its own invoice in
    force, and as late usage by the invoices of later periods. `since`: only invoices of periods that ended
    after it.

    Late usage counts as billed even if the invoice that charged it was credited for good: what was credited
    is not charged again. It does not if the period in which it happened was itself billed again since: then
    all of its usage is on the new invoice.
    """
    rows = InvoiceLine.objects.filter(
        Q(invoice__in_force=True) | _CREDITED_LATE_USE, invoice__subscription__line__in=lines
    )
    if since:
        rows = rows.filter(invoice__subscription__expiration_at__gt=since)
    billed: defaultdict[int, defaultdict[str, BilledUnit]] = defaultdict(
        lambda: defaultdict(lambda: NOT_BILLED)
    )
    invoices: dict[int, int] = {}
    credited = []
    for pk, in_force, late_for, own, unit, *amounts in rows.order_by().values_list(
        *("invoice", "invoice__in_force", "late_for", "invoice__subscription"),
        *("unit", "quantity", "amount", "discount"),
    ):
        if not in_force:
            credited.append((pk, late_for, unit, amounts))
            continue
        of_it = billed[late_for or own]
        of_it[unit] = of_it[unit].with_(*amounts)
        if not late_for:
            invoices[own] = pk
    for pk, late_for, unit, amounts in credited:
        if pk > invoices.get(late_for, 0):
            of_it = billed[late_for]
            of_it[unit] = of_it[unit].with_(*amounts)
    return billed


# Lines of late usage on an invoice that was credited, and whose period is not billed again.
_CREDITED_LATE_USE = Q(
    ~Exists(
        Invoice.objects.bills().filter(
            subscription=OuterRef("invoice__subscription"), pk__gt=OuterRef("invoice")
        )
    ),
    late_for__isnull=False,
    invoice__status=InvoiceStatus.VOID,
    invoice__subscription__unbilled=None,
)


def rate_with_use(used: Used, rated_from: Any) -> Rated:
    """Return the period that an invoice keeps, rated again with this usage, without the late usage of earlier
    periods that it was charged for."""
    return _with_use(inputs_from(rated_from), used)


def _with_use(facts: RatingInputs, used: Used) -> Rated:
    return replace(facts, used=used, changes=replace(facts.changes, late=())).rate()
