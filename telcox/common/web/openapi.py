"""The API document (OpenAPI, by drf-spectacular): paths, errors, and the examples of each operation."""

import inspect
import json
from functools import cache
from pathlib import Path
from typing import Any

from drf_spectacular.authentication import TokenScheme
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from telcox.common.web.problems import CONTENT_TYPE

Endpoint = tuple[str, str, str, Any]

PHONE_NUMBER = OpenApiParameter(
    "phone_number",
    OpenApiTypes.STR,
    OpenApiParameter.PATH,
    description="Phone number of the line, in any spelling: `0969786985`, `+593 96 978 6985`.",
)


class InputError(serializers.Serializer[Any]):
    """One thing that is wrong with the input."""

    type = serializers.CharField(help_text="Fixed code, such as `missing`.")
    loc = serializers.ListField(
        child=serializers.JSONField(), help_text="Place of the fault, such as `body`, `amount`."
    )
    msg = serializers.CharField(help_text="What is wrong, for people.")


class Problem(serializers.Serializer[Any]):
    """Every error (RFC 9457). `errors` comes with 422; `reason` names the rule that refused the request."""

    type = serializers.CharField(help_text="Always `about:blank`.")
    title = serializers.CharField(help_text="Phrase of the HTTP status.")
    status = serializers.IntegerField(help_text="HTTP status.")
    detail = serializers.CharField(help_text="What is wrong, for people.")
    reason = serializers.CharField(required=False, help_text="What is wrong, for programs, as a fixed code.")
    errors = InputError(many=True, required=False)  # type: ignore[assignment]  # Serializer.errors is elsewhere


class Schema(AutoSchema):
    """Schema with an operation's examples, from the file `examples.json` beside its view.

    The file has an object for each operation id, with `answer`, the body of a 2xx answer, and `requests`, the
    bodies of requests by media type. If a body is a list, the example is one item of it.
    """

    def get_examples(self) -> list[OpenApiExample]:
        found = _examples_beside(inspect.getfile(type(self.view))).get(self.get_operation_id(), {})
        examples = [
            OpenApiExample("Request", body, request_only=True, media_type=media_type)
            for media_type, body in found.get("requests", {}).items()
        ]
        if "answer" in found:
            answer = OpenApiExample(
                "Answer", found["answer"], response_only=True, status_codes=["200", "201", "202"]
            )
            examples.append(answer)
        return examples


@cache
def _examples_beside(view: str) -> dict[str, dict[str, Any]]:
    return json.loads(Path(view).with_name("examples.json").read_text(encoding="utf-8"))


class PreparedTokenScheme(TokenScheme):
    target_class = "telcox.common.web.authentication.PreparedTokenAuthentication"


def problem_responses(*statuses: int) -> dict[Any, OpenApiResponse]:
    """Return the error answers of an endpoint, with those that every endpoint may give (401, 403, 503)."""
    return {(status, CONTENT_TYPE): OpenApiResponse(Problem) for status in (*statuses, 401, 403, 503)}


def without_trailing_slash(endpoints: list[Endpoint]) -> list[Endpoint]:
    """Remove the trailing slash from the document's paths. Both forms work; the original documents this
    one."""
    return [(path.rstrip("/"), regex, method, callback) for path, regex, method, callback in endpoints]
