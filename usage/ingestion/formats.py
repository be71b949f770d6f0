"""Decode the formats in which networks send usage over HTTP.

- JSON: a report, or an array of them.
- NDJSON: a report a line. A line ends at LF (github.com/ndjson/ndjson-spec); CR is a blank.
- CloudEvents: structured, batched, binary. `source` and `id` are the key, `subject` is the phone number,
  `time` is the time of the usage, and `data` has `category` and `quantity`.

A body that cannot be decoded, or a single item that is not a report, raises InvalidInput. An invalid item of
a batch does not affect the others: it becomes a Malformed at its position.

Items are decoded by msgspec, which is fast and not always exact: of a name that occurs twice it takes the
last value, it rounds times to microseconds, and it refuses 1e3 as an integer. So what it decoded is compared
with the text, and an item that may have been changed is decoded again, slowly and exactly.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from telcox.common.errors import InvalidInput
from telcox.common.web.exact_json import exact_json, without_byte_order_mark
from usage.ingestion.cloud_events import CloudEvent, header_event, with_exact_moment, with_exact_values
from usage.ingestion.moments import rfc_3339
from usage.ingestion.quantities import with_whole_quantity
from usage.ingestion.reports import DEFAULT_SOURCE, UsageReport


@dataclass(slots=True)
class Malformed:
    """Invalid item of a batch, with its `event_id` if that could be read."""

    detail: str
    event_id: str | None = None


Reported = UsageReport | Malformed


class _Form:
    """Decoders of one kind of item.

    `exact` takes an item as `exact_json` reads it, and `quotes` returns the number of quotation marks that
    the text of some items must have had if no name occurs twice: two for each name and each string.
    """

    def __init__(
        self,
        item: type[Any],
        translate: Callable[[Any], UsageReport],
        exact: Callable[[Any], Any],
        quotes: Callable[[Sequence[Any], bytes], int],
        id_field: str,
        moment_field: str,
    ) -> None:
        self._item, self._id_field, self._moment_field = item, id_field, moment_field
        self._translate, self._exact, self._quotes = translate, exact, quotes
        self.one: msgspec.json.Decoder[Any] = msgspec.json.Decoder(item)
        self.many: msgspec.json.Decoder[list[Any]] = msgspec.json.Decoder(list[item])  # type: ignore[valid-type]
        # The moments alone, as text.
        moment = msgspec.defstruct("Moment", [(moment_field, str | None, None)])
        self.moment: msgspec.json.Decoder[Any] = msgspec.json.Decoder(moment)
        self.moments: msgspec.json.Decoder[list[Any]] = msgspec.json.Decoder(list[moment])  # type: ignore[valid-type]

    def read(self, raw: bytes) -> Reported:
        try:
            try:
                item = self.one.decode(raw)
            except msgspec.ValidationError:
                item = None
            if item is None or not self.is_exact([item], raw, lambda: [self.moment.decode(raw)]):
                _ANY.decode(raw)  # stricter than `exact_json` with surrogates
                item = msgspec.convert(self._exact(exact_json(raw)), self._item)
            return self._translate(item)
        except UNREADABLE as error:
            return Malformed(_sentence(error), self._event_id(raw))

    def is_exact(self, items: Sequence[Any], text: bytes, moments: Callable[[], list[Any]]) -> bool:
        """Return whether the decoded items are what the text says. Moments that were rounded are cut instead,
        in the items; `moments` decodes them."""
        if text.count(b'"') != self._quotes(items, text):
            return False
        # A moment may hide in escaped characters. One byte is found faster than five.
        if _FINER_THAN_MICROSECONDS.search(text) or (b"\\" in text and _ESCAPED_ASCII in text):
            field = self._moment_field
            for item, said in zip(items, moments(), strict=True):
                if (moment := getattr(said, field)) is not None:
                    setattr(item, field, rfc_3339(moment))
        return True

    def translated(self, items: Iterable[Any]) -> list[Reported]:
        reported: list[Reported] = []
        for item in items:
            try:
                reported.append(self._translate(item))
            except UNREADABLE as error:
                reported.append(Malformed(_sentence(error), getattr(item, self._id_field)))
        return reported

    def _event_id(self, raw: bytes) -> str | None:
        try:
            value = _ANY.decode(raw)
        except UNREADABLE:
            return None
        event_id = value.get(self._id_field) if isinstance(value, dict) else None
        return event_id[:128] if isinstance(event_id, str) else None


def _quotes_of_reports(reports: Sequence[UsageReport], text: bytes) -> int:
    """Count those of three names and two strings, and of optional fields that were sent. An escaped quotation
    mark in a string, or a null, makes a difference, too: then the items are looked at one by one."""
    # A source that was sent is another object than the default, even if it is equal.
    optional = sum(
        [
            (report.source is not DEFAULT_SOURCE)
            + (report.event_id is not None)
            + (report.occurred_at is not None)
            for report in reports
        ]
    )
    return 10 * len(reports) + 4 * optional


def _quotes_of_events(events: Sequence[CloudEvent], text: bytes) -> int:
    """Count those that are left when each name has only its last value: an event may have attributes that
    CloudEvent does not know."""
    return _quotes_in(_ANY.decode(text))


def _quotes_in(value: Any) -> int:
    if isinstance(value, str):
        return 2
    if isinstance(value, dict):
        return 2 * len(value) + sum(map(_quotes_in, value.values()))
    return sum(map(_quotes_in, value)) if isinstance(value, list) else 0


def _exact_report(fields: Any) -> Any:
    if not isinstance(fields, dict):
        return fields
    return {**with_whole_quantity(fields), **with_exact_moment(fields, "occurred_at")}


# Not JSON, not UTF-8, nested too deep, or of another shape.
UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)

_FINER_THAN_MICROSECONDS = re.compile(rb"\.(?<=:[0-9][0-9]\.)[0-9]{7}")
_ESCAPED_ASCII = b"\\u00"
# The beginning of UTF-16 and of gzip.
_NO_LINES = (BOM_UTF16_LE, BOM_UTF16_BE, b"\x1f\x8b")
_JSON_BLANKS = b" \t\r"

_ANY = msgspec.json.Decoder()
_RAW_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_REPORTS = _Form(
    UsageReport, UsageReport.normalize, _exact_report, _quotes_of_reports, "event_id", "occurred_at"
)
_CLOUD_EVENTS = _Form(CloudEvent, CloudEvent.as_report, with_exact_values, _quotes_of_events, "id", "time")


def read_json(body: bytes) -> list[Reported]:
    body = without_byte_order_mark(body)
    return _array(_REPORTS, body) if body.lstrip().startswith(b"[") else _single(_REPORTS, body)


def read_ndjson(body: bytes) -> list[Reported]:
    if body.startswith(_NO_LINES):
        # Else each piece between two bytes 0A would be an invalid report, in an answer that says 200.
        raise InvalidInput("Expected UTF-8, and gzip only with Content-Encoding", loc=("body",))
    # Files that were joined have a byte order mark in the middle.
    lines = [line.removeprefix(BOM_UTF8) for line in body.split(b"\n")]
    lines = [line for line in lines if line.strip(_JSON_BLANKS)]
    try:
        reports = [_REPORTS.one.decode(line) for line in lines]
        if _REPORTS.is_exact(reports, body, lambda: [_REPORTS.moment.decode(line) for line in lines]):
            return _REPORTS.translated(reports)
    except UNREADABLE:
        pass
    return [_REPORTS.read(line) for line in lines]


def read_cloud_event(body: bytes) -> list[Reported]:
    return _single(_CLOUD_EVENTS, without_byte_order_mark(body))


def read_cloud_events(body: bytes) -> list[Reported]:
    return _array(_CLOUD_EVENTS, without_byte_order_mark(body))


def read_binary_cloud_event(headers: Mapping[str, str], body: bytes) -> list[Reported]:
    """Decode binary mode: the attributes are in `ce-` headers, and the body is the data."""
    body = without_byte_order_mark(body)
    _parsed(body)
    place = "body"
    try:
        data = exact_json(body)
        place = "header"
        return [header_event(headers, data).as_report()]
    except UNREADABLE as error:
        raise InvalidInput(_sentence(error), loc=(place,)) from error


def _array(form: _Form, body: bytes) -> list[Reported]:
    """Decode all items at once if all are valid, which is usual, and one by one if not."""
    try:
        items = form.many.decode(body)
        if form.is_exact(items, body, lambda: form.moments.decode(body)):
            return form.translated(items)
    except UNREADABLE:
        pass
    try:
        raws = _RAW_ITEMS.decode(body)
    except UNREADABLE as error:
        raise InvalidInput(f"JSON decode error: {error}", loc=("body",), type="json_invalid") from error
    return [form.read(bytes(raw)) for raw in raws]


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
