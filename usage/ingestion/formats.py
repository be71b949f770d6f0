"""Decode the formats in which networks send usage over HTTP.

- JSON: a report, or an array of them.
- NDJSON: a report a line.
- CloudEvents 1.0 (github.com/cloudevents/spec) over HTTP: structured, batched, binary. `source` and `id` are
  the key, `subject` is the phone number, `time` is the time of the usage, and `data` has `category` and
  `quantity`.

A body that cannot be decoded, or a single item that is not a report, raises InvalidInput. An invalid item of
a batch does not affect the others: it becomes a Malformed at its position.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote

import msgspec

from telcox.common.errors import InvalidInput
from usage.ingestion.reports import CategoryName, InvalidReport, Key, Moment, Quantity, Source, UsageReport


@dataclass(slots=True)
class Malformed:
    """Invalid item of a batch, with its `event_id` if that could be read."""

    detail: str
    event_id: str | None = None


Reported = UsageReport | Malformed


class CloudUsage(msgspec.Struct):
    category: CategoryName
    quantity: Quantity


class CloudEvent(msgspec.Struct):
    """A CloudEvent. Other attributes are ignored, as the specification asks."""

    specversion: Literal["1.0"]
    id: Key
    source: Source
    type: str
    subject: str
    data: CloudUsage
    time: Moment | None = None

    def as_report(self) -> UsageReport:
        return UsageReport(
            self.subject, self.data.category, self.data.quantity, self.source, self.id, self.time
        ).normalize()


class _Form:
    """Decoders of one kind of item: `one` item, or `many` at once, which is faster."""

    def __init__(self, item: type[Any], translate: Callable[[Any], UsageReport], id_field: str) -> None:
        self.one: msgspec.json.Decoder[Any] = msgspec.json.Decoder(item)
        self.many: msgspec.json.Decoder[list[Any]] = msgspec.json.Decoder(list[item])  # type: ignore[valid-type]
        self._translate, self._id_field = translate, id_field

    def read(self, raw: bytes | msgspec.Raw) -> Reported:
        try:
            return self._translate(self.one.decode(raw))
        except UNREADABLE as error:
            return Malformed(_sentence(error), self._event_id(raw))

    def translated(self, items: Iterable[Any]) -> list[Reported]:
        reported: list[Reported] = []
        for item in items:
            try:
                reported.append(self._translate(item))
            except InvalidReport as error:
                reported.append(Malformed(str(error), getattr(item, self._id_field)))
        return reported

    def _event_id(self, raw: bytes | msgspec.Raw) -> str | None:
        try:
            value = _ANY.decode(raw)
        except UNREADABLE:
            return None
        event_id = value.get(self._id_field) if isinstance(value, dict) else None
        return event_id[:128] if isinstance(event_id, str) else None


# Not JSON, not UTF-8, nested too deep, or of another shape.
UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)

_ANY = msgspec.json.Decoder()
_RAW_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_REPORTS = _Form(UsageReport, UsageReport.normalize, "event_id")
_CLOUD_EVENTS = _Form(CloudEvent, CloudEvent.as_report, "id")


def read_json(body: bytes) -> list[Reported]:
    return _array(_REPORTS, body) if body.lstrip().startswith(b"[") else _single(_REPORTS, body)


def read_ndjson(body: bytes) -> list[Reported]:
    return [_REPORTS.read(line) for line in body.splitlines() if line.strip()]


def read_cloud_event(body: bytes) -> list[Reported]:
    return _single(_CLOUD_EVENTS, body)


def read_cloud_events(body: bytes) -> list[Reported]:
    return _array(_CLOUD_EVENTS, body)


def read_binary_cloud_event(headers: Mapping[str, str], body: bytes) -> list[Reported]:
    """Decode binary mode: the attributes are in `ce-` headers, percent-encoded, and the body is the data."""
    attributes = {
        name.lower().removeprefix("ce-"): unquote(value)
        for name, value in headers.items()
        if name.lower().startswith("ce-")
    }
    try:
        event = msgspec.convert({**attributes, "data": _parsed(body)}, CloudEvent, strict=False)
        return [event.as_report()]
    except (msgspec.ValidationError, InvalidReport) as error:
        raise InvalidInput(_sentence(error), loc=("header",)) from error


def _array(form: _Form, body: bytes) -> list[Reported]:
    """Decode all items at once if all are valid, which is usual, and one by one if not."""
    try:
        return form.translated(form.many.decode(body))
    except UNREADABLE:
        pass
    try:
        return [form.read(raw) for raw in _RAW_ITEMS.decode(body)]
    except UNREADABLE as error:
        raise InvalidInput(f"JSON decode error: {error}", loc=("body",), type="json_invalid") from error


def _single(form: _Form, body: bytes) -> list[Reported]:
    _parsed(body)
    return [_require_report(form.read(body))]


def _require_report(reported: Reported) -> Reported:
    """Raise InvalidInput if a single item is invalid; there are no others that could be counted."""
    if isinstance(reported, Malformed):
        raise InvalidInput(reported.detail, loc=("body",))
    return reported


def _parsed(body: bytes) -> Any:
    try:
        return _ANY.decode(body)
    except UNREADABLE as error:
        raise InvalidInput(f"JSON decode error: {error}", loc=("body",), type="json_invalid") from error


def _sentence(error: Exception) -> str:
    return str(error)[:200] or type(error).__name__
