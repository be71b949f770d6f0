"""What drf-spectacular is told about our paths."""

from typing import Any

Endpoint = tuple[str, str, str, Any]


def without_trailing_slash(endpoints: list[Endpoint]) -> list[Endpoint]:
    """Both forms of a path work; the document names the one the original has."""
    return [(path.rstrip("/"), regex, method, callback) for path, regex, method, callback in endpoints]
