"""A line's state as its watchers receive it."""

import json
from dataclasses import dataclass
from functools import lru_cache

from telcox.common.calendar import local_iso
from telcox.common.sockets.daphne import text_frame
from usage.periods import Alert
from usage.reading import WatchedLine

# `version` and `expired` of a state: the greater pair is newer.
Revision = tuple[int, bool]
# Older than every state.
NOTHING: Revision = (0, False)


@dataclass(frozen=True, slots=True)
class State:
    """State of a line, made once for all its watchers: the snapshot's WebSocket frame, and the alerts that
    were raised up to it. Each watcher knows which of them are new to it."""

    revision: Revision
    frame: bytes
    alerts: tuple[Alert, ...]


def state_of(line: WatchedLine) -> State:
    snapshot = line.snapshot
    revision = snapshot["version"], snapshot["expired"]
    return State(revision, _frame(snapshot), line.alerts)


@lru_cache(maxsize=1_000)  # all watchers of the line receive a crossing at nearly the same time
def alert_frame(phone_number: str, alert: Alert) -> bytes:
    return _frame(
        {
            "type": "alert",
            "phone_number": phone_number,
            "plan_id": alert.plan_id,
            "resource": alert.resource,
            "threshold": alert.threshold,
            "crossed_at": local_iso(alert.crossed_at),
        }
    )


def _frame(message: object) -> bytes:
    return text_frame(json.dumps(message, ensure_ascii=False, separators=(",", ":")))
