"""Health check of processes without a port: they touch a file every few seconds, and `bin/healthy` reads its
age.

Standard library only: `bin/healthy` runs outside the virtual environment.
"""

import os
import tempfile
import time
from pathlib import Path

# The file is touched every 10 seconds. A process that missed three times counts as unhealthy.
SILENT_SECONDS = 35.0


def _file(kind: str, folder: Path | None) -> Path:
    return (folder or Path(tempfile.gettempdir())) / f"telcox-{kind}-{os.getuid()}"


def beat(kind: str) -> None:
    """Touch the file, to show that this process, a `worker` or `beat`, works."""
    _file(kind, None).touch()


def clear(kind: str, folder: Path | None = None) -> None:
    """Remove the file of an earlier process."""
    _file(kind, folder).unlink(missing_ok=True)


def is_alive(kind: str, folder: Path | None = None) -> bool:
    """Return whether the process whose TMPDIR is `folder`, or this one, has touched its file recently."""
    try:
        return time.time() - _file(kind, folder).stat().st_mtime < SILENT_SECONDS
    except FileNotFoundError:
        return False
