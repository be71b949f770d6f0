"""The values that ingestion passes from step to step. Pure."""

from dataclasses import dataclass

from usage.vocabulary import COUNTER_FIELDS

COLUMNS = list(COUNTER_FIELDS.values())
# Where each category stands among them.
POSITION = {category.value: position for position, category in enumerate(COUNTER_FIELDS)}
# The sums of what a batch adds, and what a counter holds then, in the order of COLUMNS.
Amounts = list[int]
Held = tuple[int, ...]


@dataclass(slots=True)
class Place:
    """A period that usage is counted to, with its allowances (bytes, minutes, messages). The data categories
    that are free are bits of `zero_rated`, from the lowest, in the order of DATA_CATEGORIES."""

    subscription_id: int
    limit_bytes: int
    minutes_limit: int
    sms_limit: int
    zero_rated: int
