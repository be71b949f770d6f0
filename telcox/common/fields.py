"""A model field for keys that were made elsewhere. Landed migrations name it by this module."""

from typing import Any

from django.db import models


class KeyField(models.CharField):
    """A key somebody else made: compared byte by byte on every database.

    MySQL's and MariaDB's default collations hold `ABC` and `abc` for one key; SQLite's does not.
    """

    def db_parameters(self, connection: Any) -> dict[str, Any]:
        parameters = super().db_parameters(connection)
        if connection.vendor == "mysql":
            parameters["collation"] = "utf8mb4_bin"
        return parameters
