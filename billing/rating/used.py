"""Usage of periods, read from their counters."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import QuerySet, Sum

from billing.rating.values import Used
from telcox.common.database.prepared import PreparedQuery
from usage.models import UsageCounter, UsageEvent
from usage.vocabulary import COUNTER_FIELDS, Category

_USED = tuple(field.removeprefix("used_") for field in COUNTER_FIELDS.values())


class CountedUsage(NamedTuple):
    """Usage from a counter, and the counter's version."""

    amounts: Used
    version: int


UNUSED = CountedUsage(Used(), 0)


def usage_of_periods(keys: Sequence[int]) -> dict[int, CountedUsage]:
    """Return the usage of these periods by primary key. Periods without usage are left out."""
    rows = (row.values() for row in _counters(periods=keys))
    return {
        pk: CountedUsage(Used(**dict(zip(_USED, amounts, strict=True))), version)
        for pk, version, *amounts in rows
    }


@PreparedQuery
def _counters(periods: Any) -> QuerySet[UsageCounter, Any]:
    return UsageCounter.objects.filter(pk__in=periods).values("pk", "version", *COUNTER_FIELDS.values())


def usage_since(key: int, since: datetime) -> Used:
    """Return the usage that was counted to this period and happened from `since` on."""
    events = UsageEvent.objects.filter(subscription=key, occurred_at__gte=since).order_by()
    sums = events.values_list("category").annotate(Sum("quantity"))
    return Used(
        **{COUNTER_FIELDS[Category(name)].removeprefix("used_"): int(quantity) for name, quantity in sums}
    )
