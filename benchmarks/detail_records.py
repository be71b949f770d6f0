"""A file of call detail records (CDR) to import."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

_HEADING = "event_id,phone_number,category,quantity,occurred_at,source\n"
_CATEGORIES = ("SOCIAL", "ENTERTAINMENT", "NAVIGATION_SEARCH")


def write_detail_records(
    path: Path, phone_numbers: Sequence[str], *, source: str, records: int, until: datetime
) -> None:
    """Write a CSV file as a switch does: the two hours before `until`, ordered by time, each record of a
    random phone number."""
    chosen = random.Random(3)  # noqa: S311
    step = timedelta(hours=2) / records
    with path.open("w") as file:
        file.write(_HEADING)
        for number in range(records):
            occurred_at = (until - (records - number) * step).isoformat(timespec="milliseconds")
            file.write(
                f"{source}-{number:010d},{chosen.choice(phone_numbers)},{chosen.choice(_CATEGORIES)},"
                f"{chosen.randrange(1, 2**20)},{occurred_at},{source}\n"
            )
