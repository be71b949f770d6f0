"""What drf-spectacular is told about our paths and errors."""

from typing import Any

from drf_spectacular.authentication import TokenScheme
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from telcox.common.web.problems import CONTENT_TYPE

Endpoint = tuple[str, str, str, Any]

PHONE_NUMBER = OpenApiParameter(
    "phone_number",
    OpenApiTypes.STR,
    OpenApiParameter.PATH,
    description="`0969786985`, `+593969786985` or `593969786985`",
)


class InputError(serializers.Serializer[Any]):
    type = serializers.CharField()
    loc = serializers.ListField(child=serializers.JSONField())
    msg = serializers.CharField()


class Problem(serializers.Serializer[Any]):
    """Every error (RFC 9457). `errors` comes with a 422, `reason` where the office has a word for it."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    reason = serializers.CharField(required=False)
    errors = InputError(many=True, required=False)  # type: ignore[assignment]  # Serializer.errors is elsewhere


class PreparedTokenScheme(TokenScheme):
    target_class = "telcox.common.web.authentication.PreparedTokenAuthentication"


def problem_responses(*statuses: int) -> dict[Any, OpenApiResponse]:
    """The error answers of an endpoint, beside those that any may give (401, 403, 503)."""
    return {(status, CONTENT_TYPE): OpenApiResponse(Problem) for status in (*statuses, 401, 403, 503)}


def without_trailing_slash(endpoints: list[Endpoint]) -> list[Endpoint]:
    """Both forms of a path work; the document names the one the original has."""
    return [(path.rstrip("/"), regex, method, callback) for path, regex, method, callback in endpoints]
