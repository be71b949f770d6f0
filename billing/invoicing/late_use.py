"""Late usage in documents: recorded as billed when it is charged, released when its document is void.

What it costs is in billing/rating/late_use.py.
"""

from collections.abc import Collection, Iterable, Mapping

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from billing.models import Invoice, InvoiceLine
from billing.rating import Rated, RatingInputs
from billing.rating.kept import inputs_from, kept_inputs
from billing.rating.late_use import billed_periods
from customers.models import Subscription
from telcox.common.database.locking import lock_rows
from telcox.common.errors import DomainError

# Primary keys of periods, by line and sequence.
Earlier = Mapping[tuple[int, int], int]


def note_late_use(bills: Iterable[tuple[Subscription, RatingInputs, Rated]]) -> Earlier:
    """Record the late usage in these bills, whose documents are about to be saved, as billed. Return the
    earlier periods in which it happened.

    Raise DomainError if the invoice of one of those is not in force any more.
    """
    versions = {
        (period.line_id, late.sequence): late.usage_version
        for period, facts, _rated in bills
        for late in facts.changes.late
    }
    periods = _periods(versions)
    _save_versions({pk: versions[of] for of, pk in periods.items()})
    return periods


def late_periods(period: Subscription, facts: RatingInputs) -> Earlier:
    """Return the earlier periods whose late usage is charged with this one. Record nothing."""
    return _periods({(period.line_id, late.sequence) for late in facts.changes.late})


def lock_with_earlier(invoice: Invoice) -> Invoice:
    """Lock an invoice that may go out of force, with the `earlier_invoices`, and return it."""
    keys = {invoice.pk, *earlier_invoices(invoice)}
    locked = {row.pk: row for row in lock_rows(Invoice.objects.filter(pk__in=keys))}
    if invoice.pk not in locked:
        raise Invoice.DoesNotExist
    return locked[invoice.pk]


def earlier_invoices(invoice: Invoice) -> list[int]:
    """Return the keys of the invoices of earlier periods whose late use this one charges: lock them with it
    if it may go out of force. `release_late_use` changes them when lines, wallets and a series are locked
    already.

    What it charges is frozen with it, so the caller may have read it at any time.
    """
    return list(_charged_late_by(invoice).values_list("pk", flat=True))


def release_late_use(invoice: Invoice) -> None:
    """Release the late usage that an invoice charged when it goes out of force: the next bill looks at it
    again, and charges what is not billed. What invoices charged for the same periods counts by its amounts,
    also what was credited for good (`billing.rating.late_use.billed_so_far`): that is not charged again.

    Raise DomainError as `note_late_use` does; also if late usage of the invoice's own period is charged with
    another invoice, which has to be credited first.
    """
    period = invoice.subscription
    if period is None or invoice.rated_from is None:
        return
    of_later = InvoiceLine.objects.filter(invoice__in_force=True, invoice__subscription__line=period.line_id)
    if later := of_later.filter(late_for=period.pk).select_related("invoice__series").first():
        raise DomainError(
            _("Late usage of its period is charged with %s: credit that invoice first") % later.invoice,
            reason="late_use_charged",
        )
    rows = _charged_late_by(invoice).values_list("subscription", "rated_from")
    _save_versions({pk: inputs_from(rated_from).usage_version for pk, rated_from in rows})


def _charged_late_by(invoice: Invoice) -> QuerySet[Invoice]:
    """Return the invoices in force of the earlier periods whose late usage this one charges."""
    if invoice.subscription is None or invoice.rated_from is None:
        return Invoice.objects.none()
    periods = late_periods(invoice.subscription, kept_inputs(invoice))
    return billed_periods().filter(subscription__in=periods.values())


def _periods(of: Collection[tuple[int, int]]) -> dict[tuple[int, int], int]:
    if not of:
        return {}
    lines, sequences = (set(each) for each in zip(*of, strict=True))
    found = Subscription.objects.filter(line__in=lines, sequence__in=sequences)
    rows = found.values_list("line", "sequence", "pk")
    return {(line_id, sequence): pk for line_id, sequence, pk in rows if (line_id, sequence) in of}


def _save_versions(versions: Mapping[int, int]) -> None:
    """Save usage versions on the invoices in force of these periods, by the period's key."""
    invoices = list(billed_periods().filter(subscription__in=versions).only("subscription").order_by("pk"))
    for invoice in invoices:
        invoice.usage_version = versions[invoice.subscription_id or 0]
    if Invoice.objects.in_force().bulk_update(invoices, ["usage_version"]) < len(versions):
        raise DomainError(
            _("The invoice of an earlier period is not in force any more"), reason="changed_meanwhile"
        )
