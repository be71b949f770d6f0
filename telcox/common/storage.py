"""Storage of files on this machine, for the STORAGES setting."""

import os
import secrets
from typing import Any

from django.core.files.storage import FileSystemStorage


class WholeFiles(FileSystemStorage):
    """Files that are written atomically: a reader sees a complete file or none, and the last writer wins."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_overwrite=True, **options)

    def _save(self, name: str, content: Any) -> str:
        part = super()._save(f"{name}.{secrets.token_hex(8)}.part", content)  # type: ignore[misc]  # the stubs do not know it
        os.replace(self.path(part), self.path(name))
        return name
