"""A model field for keys from other systems. Existing migrations refer to it by the name of this module."""

from typing import Any

from django.db import models


class KeyField(models.CharField):
    """A key from another system, compared byte by byte on every database.

    The default collations of MySQL and MariaDB treat `ABC` and `abc` as one key; SQLite's does not.
    """

    def db_parameters(self, connection: Any) -> dict[str, Any]:
        parameters = super().db_parameters(connection)
        if connection.vendor == "mysql":
            parameters["collation"] = "utf8mb4_bin"
        return parameters
