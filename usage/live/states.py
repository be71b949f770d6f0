"""A line's state as its watchers get it."""

import json

from telcox.common.daphne import text_frame
from usage.snapshot import Snapshot

# `version` and `expired` of a state: the greater one is newer.
Revision = tuple[int, bool]
# Older than every state there is.
NOTHING: Revision = (0, False)


def revision_of(snapshot: Snapshot) -> Revision:
    return snapshot["version"], snapshot["expired"]


def frame_of(snapshot: Snapshot) -> bytes:
    """The WebSocket frame, made once for all who watch the line."""
    return text_frame(json.dumps(snapshot, ensure_ascii=False, separators=(",", ":")))
