from typing import Any

from rest_framework import serializers

from telcox.common.fields import StrictBooleanField, StrictChoiceField, StrictIntegerField, StrictStringField
from telcox.common.phone import InvalidPhoneNumber, national
from telcox.common.serializers import InputSerializer
from usage.models import DATA_CATEGORIES, QUANTITY_MAX


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
            return national(value)
        except InvalidPhoneNumber as error:
            raise serializers.ValidationError(str(error), code="value_error") from error


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
    percent = serializers.FloatField(help_text="Of the allowance; passes 100 with overage.")
    expired = serializers.BooleanField()
    version = serializers.IntegerField(help_text="Only grows: drop a snapshot older than the one you have.")


class RecordedUsageOutput(serializers.Serializer[Any]):
    ok = serializers.BooleanField()
    event_id = serializers.CharField()
    duplicate = serializers.BooleanField(help_text="The event had been counted before.")
    snapshot = SnapshotOutput()
