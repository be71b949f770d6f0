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
    """One usage event of a data category."""

    phone_number = StrictStringField(min_length=5, max_length=20)
    category = StrictChoiceField(choices=DATA_CATEGORIES)
    bytes = StrictIntegerField(min_value=1, max_value=QUANTITY_MAX)
    record_event = StrictBooleanField(
        default=False, help_text="Has no effect: every event is recorded. Accepted for older clients."
    )
    source = StrictStringField(default=("dev"), max_length=64)  # type: ignore[assignment]  # Field.source is elsewhere
    event_id = StrictStringField(
        required=False,
        max_length=128,
        help_text="Idempotency key together with `source`: an event that is sent again is counted once.",
    )

    def validate_phone_number(self, value: str) -> str:
        try:
            return national_number(value)
        except InvalidPhoneNumber as error:
            raise serializers.ValidationError(str(error), code="value_error") from error


class UsageReportInput(serializers.Serializer[Any]):
    """Usage of a line, as a network element reports it."""

    phone_number = serializers.CharField()
    category = serializers.ChoiceField(choices=CATEGORY_NAMES)
    quantity = serializers.IntegerField(
        min_value=1, max_value=QUANTITY_MAX, help_text="In bytes; for VOICE in seconds, for SMS in messages."
    )
    source = serializers.CharField(required=False, max_length=64, default=DEFAULT_SOURCE)  # type: ignore[assignment]
    event_id = serializers.CharField(
        required=False, max_length=128, help_text="Idempotency key together with `source`: counted once."
    )
    occurred_at = serializers.DateTimeField(
        required=False,
        help_text="Time of the usage, with its UTC offset; the present time if absent. Decides the period.",
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
    datacontenttype = serializers.CharField(
        required=False, help_text="A JSON type, such as application/json."
    )
    data = CloudUsageInput(required=False)  # type: ignore[assignment]
    data_base64 = serializers.CharField(required=False, help_text="The data in Base64, instead of `data`.")


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
    description=(
        "1 to 200 printable characters. The same request with the same key gets the same answer, byte for "
        "byte."
    ),
)


class RejectionOutput(serializers.Serializer[Any]):
    index = serializers.IntegerField(help_text="Position in the batch, from 0.")
    event_id = serializers.CharField(allow_null=True)
    reason = serializers.ChoiceField(choices=RejectionReason.values)
    detail = serializers.CharField()


class ReceiptOutput(serializers.Serializer[Any]):
    """`received` = `applied` + `duplicates` + `rejected`."""

    received = serializers.IntegerField()
    applied = serializers.IntegerField()
    duplicates = serializers.IntegerField(
        help_text="Already counted: an identical report was received before."
    )
    rejected = serializers.IntegerField()
    rejections = RejectionOutput(many=True)


class BreakdownOutput(serializers.Serializer[Any]):
    used_social_bytes = serializers.IntegerField()
    used_entertainment_bytes = serializers.IntegerField()
    used_system_updates_bytes = serializers.IntegerField()
    used_navigation_search_bytes = serializers.IntegerField()


class SnapshotOutput(serializers.Serializer[Any]):
    """Usage of a line's current period; the live feed sends the same."""

    type = serializers.CharField(help_text="Always `snapshot`.")
    phone_number = serializers.CharField()
    client_full_name = serializers.CharField()
    plan_id = serializers.IntegerField(help_text="Identifies the current period; changes with each renewal.")
    limit_bytes = serializers.IntegerField(help_text="Data allowance of the period, with packs and rollover.")
    expiration_at = serializers.DateTimeField()
    breakdown = BreakdownOutput()
    total_bytes = serializers.IntegerField(help_text="Sum of the breakdown.")
    percent = serializers.FloatField(
        help_text=(
            "Share of the data allowance that is used, without zero-rated data; more than 100 with overage."
        )
    )
    expired = serializers.BooleanField(help_text="True: the period has ended and no other has started.")
    version = serializers.IntegerField(
        help_text="Increases with each change: ignore a snapshot with a lower version than the last one."
    )


class RecordedUsageOutput(serializers.Serializer[Any]):
    ok = serializers.BooleanField()
    event_id = serializers.CharField()
    duplicate = serializers.BooleanField(
        help_text="True: the event was already counted; nothing was counted now."
    )
    snapshot = SnapshotOutput()


# Most days in one answer.
LONGEST_HISTORY = {"day": 366, "month": 3_660}


class CalendarDateField(serializers.DateField):
    """A date within the supported years."""

    def to_internal_value(self, value: Any) -> date:
        day = super().to_internal_value(value)
        if day.year not in YEARS:
            self.fail("invalid", format="YYYY-MM-DD")
        return day


class HistoryQuery(serializers.Serializer[Any]):
    to = CalendarDateField(required=False, help_text="Last day, included; today if absent.")
    granularity = serializers.ChoiceField(
        choices=["day", "month"], default="day", help_text="Sums by day or by month."
    )

    def get_fields(self) -> Any:
        # `from` is a keyword in Python.
        first = CalendarDateField(required=False, help_text="First day; 29 days before `to` if absent.")
        return {"from": first, **super().get_fields()}


class AmountsOutput(BreakdownOutput):
    used_voice_seconds = serializers.IntegerField()
    used_sms = serializers.IntegerField()


class UsedOutput(AmountsOutput):
    period = serializers.CharField(
        help_text="Day (`2026-11-23`) or month (`2026-11`) in the operator's time zone."
    )
    total_bytes = serializers.IntegerField()


class HistoryOutput(serializers.Serializer[Any]):
    phone_number = serializers.CharField()
    to = serializers.DateField()
    granularity = serializers.CharField()
    items = UsedOutput(many=True)

    def get_fields(self) -> Any:
        return {"from": serializers.DateField(), **super().get_fields()}
