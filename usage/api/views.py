from datetime import timedelta
from typing import Any

import msgspec
from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from customers.api.lines import LineViewSet
from telcox.common.calendar import local_date
from telcox.common.errors import InvalidInput, NotFound
from telcox.common.web.middleware import MAY_BE_CUT
from telcox.common.web.openapi import PHONE_NUMBER, problem_responses
from telcox.common.web.parsers import BodyTooLarge, LengthRequired, RawParser
from usage.api.permissions import MayReportUsage
from usage.api.serializers import (
    IDEMPOTENCY_KEY,
    LONGEST_HISTORY,
    USAGE_BODIES,
    HistoryOutput,
    HistoryQuery,
    ReceiptOutput,
    RecordedUsageOutput,
    SnapshotOutput,
    UsageEventInput,
)
from usage.ingestion.cloud_events import is_json
from usage.ingestion.formats import (
    Reported,
    read_binary_cloud_event,
    read_cloud_event,
    read_cloud_events,
    read_json,
    read_ndjson,
)
from usage.ingestion.idempotency import answer_once, name_reports
from usage.ingestion.reports import UsageReport
from usage.reading import NO_LINE, NO_PLAN, line_history, line_snapshot
from usage.services import record_usage, take_usage
from usage.vocabulary import DATA_FIELDS


class LineUsageViewSet(LineViewSet):
    """Usage of a line's current period."""

    @extend_schema(
        operation_id="get_usage",
        summary="Get the usage of the current period",
        description="The snapshot of the line's current period, as the live feed (`/ws/usage`) sends it.",
        tags=["usage"],
        parameters=[PHONE_NUMBER],
        responses={200: SnapshotOutput, **problem_responses(404, 422)},
    )
    @action(detail=True, methods=["get"])
    def usage(self, request: Request, phone_number: str) -> Response:
        """Return the snapshot that the live feed sends."""
        return Response(line_snapshot(phone_number=phone_number, at=timezone.now()))

    def not_found(self) -> NotFound:
        return NotFound(NO_PLAN, reason="no_subscription")


class LineUsageHistoryViewSet(LineViewSet):
    """Usage of a line by day or month."""

    @extend_schema(
        operation_id="get_usage_history",
        summary="Get the usage by day or month",
        description=(
            "Sums of the days, or months, in which the line was used, in the operator's time zone. At most "
            "366 days, or 3660 days by month."
        ),
        tags=["usage"],
        parameters=[PHONE_NUMBER, HistoryQuery],
        responses={200: HistoryOutput, **problem_responses(404, 422)},
    )
    @action(detail=True, methods=["get"], url_path="usage/history")
    def history(self, request: Request, phone_number: str) -> Response:
        """Return the sums of local calendar days, or months, in which something was used; without `from` of
        the 30 days up to `to`."""
        query = HistoryQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        until = query.validated_data.get("to") or local_date(timezone.now())
        since = query.validated_data.get("from") or until - timedelta(days=29)
        granularity = query.validated_data["granularity"]
        if not 0 <= (until - since).days < LONGEST_HISTORY[granularity]:
            raise InvalidInput(
                f"Should be up to {LONGEST_HISTORY[granularity]} days, the first not after the last",
                loc=("query", "from"),
            )
        history = line_history(
            phone_number=phone_number, since=since, until=until, by_month=granularity == "month"
        )
        return Response(
            {
                "phone_number": phone_number,
                "from": since,
                "to": until,
                "granularity": granularity,
                "items": [
                    {"period": period, **used, "total_bytes": sum(used[field] for field in DATA_FIELDS)}
                    for period, used in history.items()
                ],
            }
        )

    def not_found(self) -> NotFound:
        return NotFound(NO_LINE, reason="unknown_line")


_READERS = {
    "application/json": read_json,
    "application/x-ndjson": read_ndjson,
    "application/ndjson": read_ndjson,
    "application/jsonl": read_ndjson,
    "application/cloudevents+json": read_cloud_event,
    "application/cloudevents-batch+json": read_cloud_events,
}


class UsageEventsViewSet(ViewSet):
    """Usage reports from networks: one or thousands, as JSON, NDJSON or CloudEvents."""

    permission_classes = [MayReportUsage]
    parser_classes = [RawParser]

    @property
    def body_bytes(self) -> int:
        return settings.USAGE_BODY_BYTES

    @extend_schema(
        operation_id="post_usage_events",
        summary="Report a batch of usage events",
        description=(
            "Counts each report once and returns a receipt. The batch is durable when the answer arrives. A "
            "report whose `source` and `event_id` are known is a duplicate and is not counted again, so a "
            "batch without an answer can be sent again. A report that cannot be counted is rejected with a "
            "reason and does not affect the others; if the reason can pass, the report is kept for a "
            "redrive. Formats: JSON, NDJSON, CloudEvents (one, a batch, or binary mode)."
        ),
        tags=["usage"],
        parameters=[IDEMPOTENCY_KEY],
        request=USAGE_BODIES,
        responses={200: ReceiptOutput, **problem_responses(411, 413, 415, 422)},
    )
    def create(self, request: Request) -> HttpResponse:
        """Count each report once, and return a receipt.

        The whole batch is durable when the answer is sent. A report whose `source` and `event_id` are known
        is a duplicate and is not counted again, so a client sends a batch again if it got no answer. A report
        that cannot be counted is rejected with its reason and does not affect the others; if the reason may
        pass, the report is kept for a redrive. With an Idempotency-Key a repeated request gets the same
        answer.
        """
        body, at = _body(request), timezone.now()
        reported = _read(request, body)
        if len(reported) > settings.USAGE_BATCH_MAX:
            raise BodyTooLarge
        _require_whole_batch(request, reported)

        def answer() -> bytes:
            return msgspec.json.encode(take_usage(reported=reported, at=at))

        key = request.headers.get("Idempotency-Key")
        if key is None:
            receipt = answer()
        else:
            owner = str(request.user.pk or "")
            name_reports(reported, owner=owner, key=_idempotency_key(key))
            receipt = answer_once(owner=owner, key=key, request=body, at=at, make=answer)
        return HttpResponse(receipt, content_type="application/json")


def _body(request: Request) -> bytes:
    body: Any = request.data
    if not isinstance(body, bytes):  # DRF does not call the parser for an empty body
        raise InvalidInput("Field required", loc=("body",), type="missing")
    return body


def _read(request: Request, body: bytes) -> list[Reported]:
    media_type = _media_type(request)
    # Binary mode: the type is that of the data, and no event format (CloudEvents HTTP binding, section 3.1).
    if (
        "ce-specversion" in request.headers
        and is_json(media_type)
        and not media_type.startswith("application/cloudevents")
    ):
        return read_binary_cloud_event(request.headers, body)
    if media_type not in _READERS:
        raise UnsupportedMediaType(media_type)
    return _READERS[media_type](body)


def _media_type(request: Request) -> str:
    return request.content_type.partition(";")[0].strip().lower()


def _require_whole_batch(request: Request, reported: list[Reported]) -> None:
    """Raise LengthRequired for lines that may be the first part of a longer body. JSON and gzip show where
    they end, lines do not: a connection that is lost between two of them looks like the end of the body. The
    sender will send all again, so that is only safe if every line has its key."""
    if (
        request.META.get(MAY_BE_CUT)
        and _READERS.get(_media_type(request)) is read_ndjson
        and "gzip" not in request.META.get("HTTP_CONTENT_ENCODING", "").lower()
        and (
            "Idempotency-Key" in request.headers
            or any(isinstance(report, UsageReport) and report.event_id is None for report in reported)
        )
    ):
        raise LengthRequired


def _idempotency_key(key: str) -> str:
    if not 1 <= len(key) <= 200 or not key.isascii() or not key.isprintable() or key != key.strip():
        raise InvalidInput("Should be 1 to 200 printable characters", loc=("header", "idempotency-key"))
    return key


class DevUsageEventViewSet(ViewSet):
    """One event at a time, as the original's clients report it."""

    permission_classes = [MayReportUsage]

    @extend_schema(
        operation_id="post_usage_event",
        summary="Report one usage event",
        description=(
            "Counts one event and returns the line's snapshot after it. For development and older clients; "
            "networks use `/api/usage/events`."
        ),
        tags=["dev"],
        request=UsageEventInput,
        responses={202: RecordedUsageOutput, **problem_responses(404, 409, 413, 415, 422)},
    )
    def create(self, request: Request) -> Response:
        """Count one event, and return the snapshot after it."""
        event = UsageEventInput(data=request.data)
        event.is_valid(raise_exception=True)
        given = event.validated_data
        recorded = record_usage(
            phone_number=given["phone_number"],
            category=given["category"],
            quantity=given["bytes"],
            source=given["source"],
            event_id=given.get("event_id"),
            at=timezone.now(),
        )
        body = {
            "ok": True,
            "event_id": recorded.event_id,
            "duplicate": recorded.duplicate,
            "snapshot": recorded.snapshot,
        }
        return Response(body, status=status.HTTP_202_ACCEPTED)
