"""Verify issued documents (numbers, seals, rating, payments, credit notes) and drafts."""

from collections.abc import Iterator

from billing.models import Invoice, InvoiceSeries
from billing.verification.chain import Chain
from billing.verification.faults import Fault
from billing.verification.proof import BILLED
from telcox.common.database.consistent_read import consistent_read

DRAFTS_AT_ONCE = 500


def document_faults() -> Iterator[Fault]:
    """Yield the faults of each series' documents in the order of their numbers, then of drafts, in constant
    memory."""
    for series in InvoiceSeries.objects.order_by("pk"):
        for page in Chain(series, proof=BILLED).walk():
            yield from page.faults
    yield from _draft_faults()


def _draft_faults() -> Iterator[Fault]:
    last = 0
    while True:
        with consistent_read():
            drafts = Invoice.objects.filter(series=None, pk__gt=last).order_by("pk")
            # A key list, because MariaDB has no LIMIT in a subquery.
            keys = list(drafts.values_list("pk", flat=True)[:DRAFTS_AT_ONCE])
            evidence = BILLED.read(Invoice.objects.filter(pk__in=keys).order_by("pk"))
        for each in evidence:
            of = f"draft {each.invoice.phone_number} {each.invoice.period}"
            for what in BILLED.faults(each):
                yield Fault(of, what)
        if not keys:
            return
        last = keys[-1]
