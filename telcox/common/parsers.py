"""Reading a JSON body without believing anything about it."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import APIException
from rest_framework.parsers import BaseParser

from telcox.common.errors import InvalidInput


class BodyTooLarge(APIException):
    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_code = "body_too_large"


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def read_limited(stream: IO[bytes], limit: int) -> bytes:
    """At most `limit` bytes; one more raises BodyTooLarge, so an endless body costs no more than that."""
    body = stream.read(limit + 1)
    if len(body) > limit:
        raise BodyTooLarge
    return body


class StrictJSONParser(BaseParser):
    """JSON as RFC 8259 has it (UTF-8, no NaN), at most MAX_BODY_BYTES; anything else is a 4xx naming the
    place."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        body = read_limited(stream, settings.MAX_BODY_BYTES)
        try:
            return json.loads(body.decode(), parse_constant=_refuse_constant)
        except json.JSONDecodeError as error:
            raise InvalidInput("JSON decode error", loc=("body", error.pos), type="json_invalid") from error
        except (ValueError, RecursionError) as error:
            # Not UTF-8, NaN, a number of thousands of digits, or nested thousands deep.
            raise InvalidInput("JSON decode error", loc=("body", 0), type="json_invalid") from error
