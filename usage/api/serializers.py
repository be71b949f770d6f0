from datetime import date
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from telcox.common.phone import InvalidPhoneNumber, national_number
from telcox.common.web.fields import (
    StrictBooleanField,
    StrictChoiceField,
    StrictIntegerField,
    StrictStringField,
)
from telcox.common.web.serializers import InputSerializer
from usage.ingestion.reports import CATEGORY_NAMES, DEFAULT_SOURCE, YEARS
from usage.vocabulary import DATA_CATEGORIES, QUANTITY_MAX, RejectionReason


class UsageEventInput(InputSerializer):
    """One report of use, as the original's development endpoint takes it."""

    phone_number = StrictStringField(min_length=5, max_length=20)
    category = StrictChoiceField(choices=DATA_CATEGORIES)
    bytes = StrictIntegerField(min_value=1, max_value=QUANTITY_MAX)
    record_event = StrictBooleanField(
        default=False, help_text="Kept for the original's clients: every event is recorded."
    )
    source = StrictStringField(default="dev", max_length=64)  # type: ignore[assignment]  # Field.source is elsewhere
    event_id = StrictStringField(
        required=False,
        max_length=128,
        help_text="With `source`, the event's key: sent again, it is not counted again.",
    )

    def validate_phone_number(self, value: str) -> str:
        try:
            return national_number(value)
        except InvalidPhoneNumber as error:
            raise serializers.ValidationError(str(error), code="value_error") from error


class UsageReportInput(serializers.Serializer[Any]):
    """Use of a line, as a network element tells it."""

    phone_number = serializers.CharField()
    category = serializers.ChoiceField(choices=CATEGORY_NAMES)
    quantity = serializers.IntegerField(
        min_value=1, max_value=QUANTITY_MAX, help_text="In bytes; VOICE in seconds, SMS in messages."
    )
    source = serializers.CharField(required=False, max_length=64, default=DEFAULT_SOURCE)  # type: ignore[assignment]
    event_id = serializers.CharField(
        required=False, max_length=128, help_text="With `source`, the event's key: counted once."
    )
    occurred_at = serializers.DateTimeField(
        required=False, help_text="With its offset; now when absent. It decides to which period it belongs."
    )


class CloudUsageInput(serializers.Serializer[Any]):
    category = serializers.ChoiceField(choices=CATEGORY_NAMES)
    quantity = serializers.IntegerField(min_value=1, max_value=QUANTITY_MAX)


class CloudEventInput(serializers.Serializer[Any]):
    """CloudEvents 1.0: `source` and `id` are the key, `subject` is the phone number."""

    specversion = serializers.ChoiceField(choices=["1.0"])
    id = serializers.CharField(max_length=128)
    source = serializers.CharField(max_length=64)  # type: ignore[assignment]
    type = serializers.CharField()
    subject = serializers.CharField()
    time = serializers.DateTimeField(required=False)
    data = CloudUsageInput()  # type: ignore[assignment]


USAGE_BODIES = {
    "application/json": UsageReportInput(many=True),
    "application/x-ndjson": OpenApiTypes.STR,
    "application/cloudevents+json": CloudEventInput,
    "application/cloudevents-batch+json": CloudEventInput(many=True),
}

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The same request with the same key is given the same answer, byte for byte.",
)


class RejectionOutput(serializers.Serializer[Any]):
    index = serializers.IntegerField(help_text="Its place in the batch, from 0.")
    event_id = serializers.CharField(allow_null=True)
    reason = serializers.ChoiceField(choices=RejectionReason.values)
    detail = serializers.CharField()


class ReceiptOutput(serializers.Serializer[Any]):
    """`received` = `applied` + `duplicates` + `rejected`."""

    received = serializers.IntegerField()
    applied = serializers.IntegerField()
    duplicates = serializers.IntegerField(help_text="Counted before, by the very same report.")
    rejected = serializers.IntegerField()
    rejections = RejectionOutput(many=True)


class BreakdownOutput(serializers.Serializer[Any]):
    used_social_bytes = serializers.IntegerField()
    used_entertainment_bytes = serializers.IntegerField()
    used_system_updates_bytes = serializers.IntegerField()
    used_navigation_search_bytes = serializers.IntegerField()


class SnapshotOutput(serializers.Serializer[Any]):
    """What a line used of its current period; the live feed sends the same."""

    type = serializers.CharField(help_text="Always `snapshot`.")
    phone_number = serializers.CharField()
    client_full_name = serializers.CharField()
    plan_id = serializers.IntegerField(help_text="The validity period; another number after a renewal.")
    limit_bytes = serializers.IntegerField()
    expiration_at = serializers.DateTimeField()
    breakdown = BreakdownOutput()
    total_bytes = serializers.IntegerField()
    percent = serializers.FloatField(
        help_text="Of the allowance, without what is free; passes 100 with overage."
    )
    expired = serializers.BooleanField()
    version = serializers.IntegerField(help_text="Only grows: drop a snapshot older than the one you have.")


class RecordedUsageOutput(serializers.Serializer[Any]):
    ok = serializers.BooleanField()
    event_id = serializers.CharField()
    duplicate = serializers.BooleanField(help_text="The event had been counted before.")
    snapshot = SnapshotOutput()


# How many days one answer may cover.
LONGEST_HISTORY = {"day": 366, "month": 3_660}


class CalendarDateField(serializers.DateField):
    """A day of the years that are reckoned with."""

    def to_internal_value(self, value: Any) -> date:
        day = super().to_internal_value(value)
        if day.year not in YEARS:
            self.fail("invalid", format="YYYY-MM-DD")
        return day


class HistoryQuery(serializers.Serializer[Any]):
    to = CalendarDateField(required=False, help_text="Its last day, included; today when absent.")
    granularity = serializers.ChoiceField(choices=["day", "month"], default="day")

    def get_fields(self) -> Any:
        # A field named by a word that Python keeps for itself.
        first = CalendarDateField(required=False, help_text="Its first day.")
        return {"from": first, **super().get_fields()}


class AmountsOutput(BreakdownOutput):
    used_voice_seconds = serializers.IntegerField()
    used_sms = serializers.IntegerField()


class UsedOutput(AmountsOutput):
    period = serializers.CharField(help_text="`2026-11-23`, or `2026-11`, of the operator's calendar.")
    total_bytes = serializers.IntegerField()


class HistoryOutput(serializers.Serializer[Any]):
    phone_number = serializers.CharField()
    to = serializers.DateField()
    granularity = serializers.CharField()
    items = UsedOutput(many=True)

    def get_fields(self) -> Any:
        return {"from": serializers.DateField(), **super().get_fields()}
