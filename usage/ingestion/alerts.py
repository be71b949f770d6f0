"""When an allowance is used so far that its subscriber is told. Pure: values in, values out."""

from collections.abc import Iterator, Sequence

from usage.ingestion.places import Place
from usage.ingestion.statements import POSITION
from usage.models import ALERT_THRESHOLDS, DATA_CATEGORIES, Category, Resource

# The data categories stand together.
_DATA = slice(POSITION[DATA_CATEGORIES[0]], POSITION[DATA_CATEGORIES[-1]] + 1)
_VOICE, _SMS = POSITION[Category.VOICE], POSITION[Category.SMS]


def crossed(place: Place, held: Sequence[int], added: Sequence[int]) -> Iterator[tuple[Resource, int]]:
    """The thresholds (percent) that a counter passed when `added` made it what it holds now.

    Each threshold of a counter that only grows is passed by exactly one addition, however the usage is cut
    into batches. A resource without an allowance has none.
    """
    if data := _sum(added, _DATA):
        yield from _passed(Resource.DATA, place.limit_bytes, _sum(held, _DATA), data)
    if seconds := added[_VOICE]:
        yield from _passed(Resource.VOICE, place.minutes_limit * 60, held[_VOICE], seconds)
    if messages := added[_SMS]:
        yield from _passed(Resource.SMS, place.sms_limit, held[_SMS], messages)


def _passed(resource: Resource, limit: int, held: int, added: int) -> Iterator[tuple[Resource, int]]:
    if not limit or held * 100 < ALERT_THRESHOLDS[0] * limit:
        return
    for threshold in ALERT_THRESHOLDS:
        if (held - added) * 100 < threshold * limit <= held * 100:
            yield resource, threshold


def _sum(amounts: Sequence[int], positions: slice) -> int:
    return sum(amounts[positions])
