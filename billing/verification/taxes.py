"""Verify the tax rates: there is one tax, and one rate from a day."""

from collections.abc import Iterator
from itertools import pairwise

from django.db.models import QuerySet

from billing.models import TaxRate
from billing.models.prices import same_tax
from billing.verification.faults import Fault

OF = "tax rates"


def tax_faults(rates: QuerySet[TaxRate] | None = None) -> Iterator[Fault]:
    found = list((TaxRate.objects.all() if rates is None else rates).order_by("valid_from", "pk"))
    names = {same_tax(rate.name): rate.name for rate in found}
    if len(names) > 1:
        yield Fault(OF, f"more than one tax is entered: {', '.join(sorted(names.values()))}")
    for earlier, later in pairwise(found):
        if earlier.valid_from == later.valid_from:
            yield Fault(OF, f"two rates are entered from {later.valid_from}: {earlier} and {later}")
