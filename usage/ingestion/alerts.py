"""When an allowance is used so far that its subscriber is told. Pure: values in, values out."""

from collections.abc import Iterator, Sequence

from usage.ingestion.places import Place
from usage.ingestion.statements import POSITION, Amounts
from usage.models import ALERT_THRESHOLDS, DATA_CATEGORIES, Category, Resource

# The data categories stand together, and first.
_DATA = slice(0, POSITION[DATA_CATEGORIES[-1]] + 1)
# Less than the first threshold, however a product with it is rounded.
_FIRST = (ALERT_THRESHOLDS[0] - 1) / 100
_VOICE, _SMS = POSITION[Category.VOICE], POSITION[Category.SMS]


def crossed(place: Place, held: Amounts, added: Amounts) -> list[tuple[Resource, int]]:
    """The thresholds (percent) that a counter passed when `added` made it what it holds now.

    Each threshold of a counter that only grows is passed by exactly one addition, however the usage is cut
    into batches; and again by a later one, where the allowance grew in between. Data that is free passes
    none. A resource without an allowance has none.
    """
    social, entertainment, updates, search, seconds, messages = held
    minutes = place.minutes_limit * 60
    # Most counters are far from the first threshold, even with what is free, and this is asked of each.
    if (
        social + entertainment + updates + search <= place.limit_bytes * _FIRST
        and seconds <= minutes * _FIRST
        and messages <= place.sms_limit * _FIRST
    ):
        return []
    return [
        *_passed(Resource.DATA, place.limit_bytes, _drawn(place, held), _drawn(place, added)),
        *_passed(Resource.VOICE, minutes, seconds, added[_VOICE]),
        *_passed(Resource.SMS, place.sms_limit, messages, added[_SMS]),
    ]


def _drawn(place: Place, amounts: Sequence[int]) -> int:
    """Bytes of the categories that are not free."""
    return sum(amount for amount, free in zip(amounts[_DATA], place.zero_rated, strict=True) if not free)


def _passed(resource: Resource, limit: int, held: int, added: int) -> Iterator[tuple[Resource, int]]:
    if not limit or not added:
        return
    for threshold in ALERT_THRESHOLDS:
        if (held - added) * 100 < threshold * limit <= held * 100:
            yield resource, threshold
