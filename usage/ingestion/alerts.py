"""Alert thresholds of allowances. Pure: no database, no clock."""

from usage.ingestion.values import POSITION, Amounts, Held, Place
from usage.vocabulary import ALERT_THRESHOLDS, DATA_CATEGORIES, Category, Resource

# As a factor, safely below the first threshold, however a product with it is rounded.
_FIRST = (ALERT_THRESHOLDS[0] - 1) / 100
_VOICE, _SMS = POSITION[Category.VOICE], POSITION[Category.SMS]
# Positions of the bytes that use up an allowance, by Place.zero_rated.
_DRAWN = [
    [POSITION[category] for bit, category in enumerate(DATA_CATEGORIES) if not free >> bit & 1]
    for free in range(1 << len(DATA_CATEGORIES))
]

Crossing = tuple[Resource, int]


def crossed_thresholds(place: Place, held: Held, added: Amounts) -> list[Crossing]:
    """Return the thresholds (percent) that a counter crossed when `added` was added to it.

    Each threshold of a counter that only grows is crossed by exactly one addition, however the usage is split
    into batches, and again by a later one if the allowance grew in between. Zero-rated data crosses none, and
    a resource without an allowance has none.
    """
    # For speed, since this runs for each counter: most additions are to one resource, and most counters are
    # below the first threshold even with their zero-rated data.
    found: list[Crossing] = []
    social, entertainment, updates, search, seconds, messages = added
    if (social or entertainment or updates or search) and sum(held[:4]) > place.limit_bytes * _FIRST:
        drawn = _DRAWN[place.zero_rated]
        used = sum([held[position] for position in drawn])
        found += _passed(Resource.DATA, place.limit_bytes, used, sum([added[position] for position in drawn]))
    if seconds and held[_VOICE] > place.minutes_limit * 60 * _FIRST:
        found += _passed(Resource.VOICE, place.minutes_limit * 60, held[_VOICE], seconds)
    if messages and held[_SMS] > place.sms_limit * _FIRST:
        found += _passed(Resource.SMS, place.sms_limit, held[_SMS], messages)
    return found


def reached_thresholds(place: Place, held: Held) -> list[Crossing]:
    """Return the thresholds that a counter which holds this has reached."""
    return crossed_thresholds(place, held, list(held))


def _passed(resource: Resource, limit: int, held: int, added: int) -> list[Crossing]:
    return [
        (resource, threshold)
        for threshold in ALERT_THRESHOLDS
        if (held - added) * 100 < threshold * limit <= held * 100
    ]
