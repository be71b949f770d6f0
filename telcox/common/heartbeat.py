"""How a process without a port shows that it works: it touches a file every few seconds, and `bin/healthy`
looks how long ago that was.

Standard library only: `bin/healthy` runs outside the virtual environment.
"""

import os
import tempfile
import time
from pathlib import Path

# Every 10 seconds it is touched; three times missed is not well.
SILENT_SECONDS = 35.0


def _file(kind: str, folder: Path | None) -> Path:
    return (folder or Path(tempfile.gettempdir())) / f"telcox-{kind}-{os.getuid()}"


def beat(kind: str) -> None:
    """This process, a `worker` or `beat`, works."""
    _file(kind, None).touch()


def clear(kind: str, folder: Path | None = None) -> None:
    """What an earlier process showed does not count."""
    _file(kind, folder).unlink(missing_ok=True)


def is_alive(kind: str, folder: Path | None = None) -> bool:
    """Whether the process whose TMPDIR is `folder`, or ours, has shown lately that it works."""
    try:
        return time.time() - _file(kind, folder).stat().st_mtime < SILENT_SECONDS
    except FileNotFoundError:
        return False
