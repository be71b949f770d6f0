"""The values that ingestion passes from step to step. Pure."""

from dataclasses import dataclass

from usage.vocabulary import COUNTER_FIELDS

COLUMNS = list(COUNTER_FIELDS.values())
# The position of each category in COLUMNS.
POSITION = {category.value: position for position, category in enumerate(COUNTER_FIELDS)}
# The sums that a batch adds to a counter, and those that the counter holds afterwards, in the order of
# COLUMNS.
Amounts = list[int]
Held = tuple[int, ...]


@dataclass(slots=True)
class Place:
    """Period to which usage is counted, with its allowances (bytes, minutes, messages). `zero_rated` has one
    bit for each data category, from the lowest, in the order of DATA_CATEGORIES."""

    subscription_id: int
    limit_bytes: int
    minutes_limit: int
    sms_limit: int
    zero_rated: int
