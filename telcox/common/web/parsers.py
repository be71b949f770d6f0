"""Parse request bodies strictly and within limits."""

import gzip
import json
import zlib
from collections.abc import Mapping
from http import HTTPStatus
from io import BytesIO
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import APIException
from rest_framework.parsers import BaseParser

from telcox.common.errors import InvalidInput
from telcox.common.web.exact_json import DuplicateName, exact_json

# How much of the rest of a body that is too large is read and discarded, in bytes.
DRAINED_MAX = 32 * 1024 * 1024
# Bytes that are read at a time. The server keeps up to twice the largest piece until the request is answered:
# a body of 8 MiB that is read at once takes 25 MiB.
PIECE = 64 * 1024


class BodyTooLarge(APIException):
    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_code = "body_too_large"


class LengthRequired(APIException):
    status_code = HTTPStatus.LENGTH_REQUIRED
    default_code = "length_required"


class UnsupportedEncoding(APIException):
    status_code = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    default_code = "unsupported_encoding"


def read_limited(stream: IO[bytes], limit: int) -> bytes:
    """Return at most `limit` bytes. Raise BodyTooLarge for one more; an endless body needs no more memory
    than that."""
    body, left = BytesIO(), limit + 1
    while left > 0 and (piece := stream.read(min(left, PIECE))):
        left -= body.write(piece)
    if not left:
        drain_body(stream)
        raise BodyTooLarge
    return body.getvalue()


def drain_body(stream: IO[bytes]) -> None:
    """Read the rest of the body for a while: most clients read the answer only after they have sent
    everything."""
    left = DRAINED_MAX
    while left > 0 and (piece := stream.read(PIECE)):
        left -= len(piece)


def _require_whole(body: bytes, parser_context: Mapping[str, Any] | None) -> None:
    """Raise for an incomplete body. WSGI reports a closed connection as the end of the body, and the part
    that arrived may be valid JSON."""
    if parser_context is None:
        return
    declared = parser_context["request"].META.get("CONTENT_LENGTH")
    if declared and len(body) < int(declared):
        raise InvalidInput("The body ended too early", loc=("body", len(body)), type="body_incomplete")


class RawParser(BaseParser):
    """The body as bytes, decompressed if it is gzip, whatever its type: for endpoints with several formats.

    The view's `body_bytes` limits the size, before and after decompression.
    """

    media_type = "*/*"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        assert parser_context
        limit = parser_context["view"].body_bytes
        body = read_limited(stream, limit)
        _require_whole(body, parser_context)
        encodings = parser_context["request"].META.get("HTTP_CONTENT_ENCODING", "").lower().split(",")
        match [name for each in encodings if (name := each.strip()) not in ("", "identity")]:
            case []:
                return body
            # RFC 9110, section 8.4.1.3: x-gzip is the same.
            case ["gzip" | "x-gzip"]:
                return _inflated(body, limit)
            case _:
                raise UnsupportedEncoding


def _inflated(body: bytes, limit: int) -> bytes:
    """Decompress up to `limit` bytes, as gunzip does: one gzip member after the other (RFC 1952, section
    2.2), and zeros after a member are padding."""
    try:
        with gzip.GzipFile(fileobj=BytesIO(body)) as file:
            inflated = file.read(limit + 1)
    except EOFError as error:
        raise InvalidInput("The body ended too early", loc=("body",), type="body_incomplete") from error
    except (zlib.error, gzip.BadGzipFile) as error:
        raise InvalidInput("The body is not gzip", loc=("body",), type="gzip_invalid") from error
    if len(inflated) > limit:
        raise BodyTooLarge
    return inflated


class StrictJSONParser(BaseParser):
    """JSON by RFC 8259 (UTF-8, no NaN, no name twice), at most MAX_BODY_BYTES; anything else is a 4xx that
    names the place. Numbers with a point or an exponent become Decimal."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        body = read_limited(stream, settings.MAX_BODY_BYTES)
        _require_whole(body, parser_context)
        try:
            return exact_json(body)
        except json.JSONDecodeError as error:
            raise InvalidInput("JSON decode error", loc=("body", error.pos), type="json_invalid") from error
        except DuplicateName as error:
            raise InvalidInput(str(error), loc=("body",), type="json_invalid") from error
        except (ValueError, RecursionError) as error:
            # Not UTF-8, NaN, a number of thousands of digits, or nested thousands deep.
            raise InvalidInput("JSON decode error", loc=("body", 0), type="json_invalid") from error
