"""CloudEvents 1.0 (github.com/cloudevents/spec, version 1.0.2): attributes, data, and header values."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import unquote_to_bytes

import msgspec

from telcox.common.web.exact_json import exact_json
from usage.ingestion.moments import rfc_3339
from usage.ingestion.quantities import with_whole_quantity
from usage.ingestion.reports import CategoryName, InvalidReport, Key, Moment, Quantity, Source, UsageReport

# An attribute that is present is not empty (spec.md, "Context Attributes").
Attribute = Annotated[str, msgspec.Meta(min_length=1)]


class CloudUsage(msgspec.Struct):
    """The data of an event."""

    category: CategoryName
    quantity: Quantity


class CloudEvent(msgspec.Struct):
    """A CloudEvent. Extension attributes are ignored, as the specification asks, and a null attribute is an
    absent one (JSON format, section 2.2).

    The data is JSON: as `data` itself, or encoded as `data_base64` (JSON format, section 3.1).
    """

    specversion: Literal["1.0"]
    id: Key
    source: Source
    type: Attribute
    subject: Attribute
    data: CloudUsage | None = None
    data_base64: str | None = None
    datacontenttype: Attribute | None = None
    dataschema: Attribute | None = None
    time: Moment | None = None

    def as_report(self) -> UsageReport:
        """Return the report that the event makes. Raise InvalidReport or msgspec.ValidationError."""
        if self.datacontenttype is not None and not is_json(self.datacontenttype):
            raise InvalidReport("Expected data in JSON - at `$.datacontenttype`")
        if self.data_base64 is None:
            usage = self.data
        elif self.data is None:
            usage = _decoded(self.data_base64)
        else:
            raise InvalidReport("Expected `data` or `data_base64`, not both")
        if usage is None:
            raise InvalidReport("Object missing required field `data`")
        return UsageReport(
            self.subject, usage.category, usage.quantity, self.source, self.id, self.time
        ).normalize()


def is_json(media_type: str) -> bool:
    """Return whether a media type is */json or */*+json (JSON format, section 3.1.1)."""
    subtype = media_type.partition(";")[0].strip().lower().partition("/")[2]
    return subtype == "json" or subtype.endswith("+json")


def with_exact_values(event: Any) -> Any:
    """Return an event as `exact_json` reads it, with its quantity and its time as they are decoded."""
    if not isinstance(event, dict):
        return event
    return {
        **event,
        **({"data": with_whole_quantity(event["data"])} if "data" in event else {}),
        **with_exact_moment(event, "time"),
    }


def with_exact_moment(fields: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the moment of a text by RFC 3339, under its name; nothing if it is none, so that the decoder
    says what is wrong with it."""
    if isinstance(text := fields.get(name), str):
        try:
            return {name: rfc_3339(text)}
        except InvalidReport:
            pass
    return {}


def header_event(headers: Mapping[str, str], data: Any) -> CloudEvent:
    """Return the event of binary mode, whose attributes are `ce-` headers (HTTP binding, section 3.1.3).
    Raise InvalidReport or msgspec.ValidationError."""
    attributes: dict[str, Any] = {
        name.lower().removeprefix("ce-"): header_value(value, name)
        for name, value in headers.items()
        if name.lower().startswith("ce-")
    }
    # The body has the data, and Content-Type its type.
    for name in ("data_base64", "datacontenttype"):
        attributes.pop(name, None)
    return msgspec.convert(with_exact_values({**attributes, "data": data}), CloudEvent)


_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_NOT_ENCODED = re.compile(r"%(?![0-9A-Fa-f]{2})|[^\t -~]")
# spec.md, "Type System": a string has no control characters.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def header_value(value: str, name: str) -> str:
    """Return the text of a header value: quoted strings (RFC 9110, section 5.6.4) are unescaped, then it is
    percent-decoded once (HTTP binding, section 3.1.3.2). Raise InvalidReport for what is not UTF-8, or not
    encoded at all."""
    bare = _QUOTED.sub("", value)
    unquoted = _QUOTED.sub(lambda quoted: re.sub(r"\\(.)", r"\1", quoted[1]), value.strip(" \t"))
    if '"' in bare or _NOT_ENCODED.search(unquoted):
        raise InvalidReport(f"Expected a percent-encoded value - at `{name.lower()}`")
    try:
        text = unquote_to_bytes(unquoted).decode()
    except UnicodeDecodeError as error:
        raise InvalidReport(f"Expected percent-encoded UTF-8 - at `{name.lower()}`") from error
    if _CONTROL.search(text):
        raise InvalidReport(f"Expected visible characters - at `{name.lower()}`")
    return text


def _decoded(encoded: str) -> CloudUsage:
    try:
        data = exact_json(b64decode(encoded, validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise InvalidReport("Expected JSON in Base64 - at `$.data_base64`") from error
    return msgspec.convert(with_whole_quantity(data), CloudUsage)
