"""When an allowance is used so far that its subscriber is told. Pure: values in, values out."""

from collections.abc import Iterator, Sequence

from usage.ingestion.places import Place
from usage.ingestion.statements import POSITION
from usage.models import ALERT_THRESHOLDS, DATA_CATEGORIES, Category, Resource

_DATA = [POSITION[category] for category in DATA_CATEGORIES]
_VOICE, _SMS = POSITION[Category.VOICE], POSITION[Category.SMS]


def crossed(place: Place, held: Sequence[int], added: Sequence[int]) -> Iterator[tuple[Resource, int]]:
    """The thresholds (percent) that a counter passed when `added` made it what it holds now.

    Each threshold of a counter that only grows is passed by exactly one addition, however the usage is cut
    into batches. A resource without an allowance has none.
    """
    for resource, limit, now, growth in (
        (Resource.DATA, place.limit_bytes, _sum(held, _DATA), _sum(added, _DATA)),
        (Resource.VOICE, place.minutes_limit * 60, held[_VOICE], added[_VOICE]),
        (Resource.SMS, place.sms_limit, held[_SMS], added[_SMS]),
    ):
        if limit and growth:
            for threshold in ALERT_THRESHOLDS:
                if (now - growth) * 100 < threshold * limit <= now * 100:
                    yield resource, threshold


def _sum(amounts: Sequence[int], positions: Sequence[int]) -> int:
    return sum(amounts[position] for position in positions)
