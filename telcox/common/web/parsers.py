"""Parse request bodies strictly and within limits."""

import json
import zlib
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from io import BytesIO
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import APIException
from rest_framework.parsers import BaseParser

from telcox.common.errors import InvalidInput

# How much of the rest of a body that is too large is read and discarded, in bytes.
DRAINED_MAX = 32 * 1024 * 1024
# Bytes that are read at a time. The server keeps up to twice the largest piece until the request is answered:
# a body of 8 MiB that is read at once takes 25 MiB.
PIECE = 64 * 1024


class BodyTooLarge(APIException):
    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_code = "body_too_large"


class UnsupportedEncoding(APIException):
    status_code = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    default_code = "unsupported_encoding"


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _exactly(text: str) -> Decimal:
    """Return a number with a point or an exponent as Decimal, since 10.10 is not a binary fraction."""
    try:
        return Decimal(text)
    except InvalidOperation as error:  # an exponent of twenty digits
        raise ValueError("number out of range") from error


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
        match parser_context["request"].META.get("HTTP_CONTENT_ENCODING", "identity").strip().lower():
            case "identity" | "":
                return body
            case "gzip":
                return _inflated(body, limit)
            case _:
                raise UnsupportedEncoding


def _inflated(body: bytes, limit: int) -> bytes:
    """Decompress one gzip member after the other, up to `limit` bytes."""
    inflated = b""
    while body:
        inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            inflated += inflater.decompress(body, limit + 1 - len(inflated))
        except zlib.error as error:
            raise InvalidInput("The body is not gzip", loc=("body",), type="gzip_invalid") from error
        if len(inflated) > limit:
            raise BodyTooLarge
        if not inflater.eof:
            raise InvalidInput("The body ended too early", loc=("body",), type="body_incomplete")
        body = inflater.unused_data
    return inflated


class StrictJSONParser(BaseParser):
    """JSON by RFC 8259 (UTF-8, no NaN), at most MAX_BODY_BYTES; anything else is a 4xx that names the place.
    Numbers that are not whole become Decimal."""

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
            return json.loads(body.decode(), parse_constant=_refuse_constant, parse_float=_exactly)
        except json.JSONDecodeError as error:
            raise InvalidInput("JSON decode error", loc=("body", error.pos), type="json_invalid") from error
        except (ValueError, RecursionError) as error:
            # Not UTF-8, NaN, a number of thousands of digits, or nested thousands deep.
            raise InvalidInput("JSON decode error", loc=("body", 0), type="json_invalid") from error
