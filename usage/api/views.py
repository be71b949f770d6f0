from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from customers.api.lines import PHONE_NUMBER_SEGMENT, may_see, number_in_path
from telcox.common.errors import NotFound
from telcox.common.openapi import PHONE_NUMBER, problems
from telcox.common.permissions import MayReportUsage
from usage.api.serializers import RecordedUsageOutput, SnapshotOutput, UsageEventInput
from usage.services import NO_PLAN, line_snapshot, record_usage


class LineUsageViewSet(ViewSet):
    """What a line used of its current period."""

    lookup_field = "phone_number"
    lookup_value_regex = PHONE_NUMBER_SEGMENT

    @extend_schema(
        operation_id="get_usage",
        tags=["usage"],
        parameters=[PHONE_NUMBER],
        responses={200: SnapshotOutput, **problems(404, 422)},
    )
    @action(detail=True, methods=["get"])
    def usage(self, request: Request, phone_number: str) -> Response:
        """The snapshot that the live feed sends."""
        phone_number = number_in_path(phone_number)
        if not may_see(request, phone_number):
            raise NotFound(NO_PLAN, reason="no_subscription")
        return Response(line_snapshot(phone_number=phone_number, at=timezone.now()))


class DevUsageEventViewSet(ViewSet):
    """One event at a time, as the original's clients report it."""

    permission_classes = [MayReportUsage]

    @extend_schema(
        operation_id="post_usage_event",
        tags=["dev"],
        request=UsageEventInput,
        responses={202: RecordedUsageOutput, **problems(404, 409, 413, 415, 422)},
    )
    def create(self, request: Request) -> Response:
        """Counts one event, and answers the state after it."""
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
