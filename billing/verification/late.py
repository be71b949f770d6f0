"""Verify that all usage of billed periods was charged: with the period, or afterwards as late usage."""

from collections.abc import Iterator, Sequence

from billing.rating.kept import inputs_from
from billing.rating.late_charges import charged_late, price_difference
from billing.rating.late_use import billed_periods, billed_so_far, rate_with_use
from billing.rating.used import UNUSED, CountedUsage, usage_of_periods
from billing.verification.faults import Fault
from customers.models import Line
from telcox.common.database.bulk import chunks


def late_faults(lines: Sequence[Line]) -> Iterator[Fault]:
    """Yield faults of the lines' billed periods. Late usage that waits for the next bill is not a fault."""
    numbers = {line.pk: line.phone_number for line in lines}
    invoices = billed_periods().filter(subscription__line__in=numbers).order_by("subscription")
    rows = list(
        invoices.values_list(
            "subscription", "subscription__line", "subscription__sequence", "usage_version", "rated_from"
        )
    )
    used: dict[int, CountedUsage] = {}
    for some in chunks([row[0] for row in rows]):
        used |= usage_of_periods(some)
    billed = billed_so_far(numbers)
    for pk, line_id, sequence, version, rated_from in rows:
        now = used.get(pk, UNUSED)
        of = f"period {numbers[line_id]}/{sequence}"
        if version > now.version:
            yield Fault(of, f"its usage is billed up to event {version}, but counted up to {now.version}")
        if version != now.version:
            continue
        try:
            again, facts = rate_with_use(now.amounts, rated_from), inputs_from(rated_from)
        except ValueError:
            continue  # reported as a fault of the document
        if charged_late(again, billed[pk]):
            yield Fault(
                of,
                f"all its usage is billed, but {price_difference(again, billed[pk])} of its price is not",
            )
        # At the spending limit, more usage can cost less.
        elif price_difference(again, billed[pk]) < 0 and facts.changes.spend_limit is None:
            yield Fault(of, f"{-price_difference(again, billed[pk])} too much was billed for its usage")
