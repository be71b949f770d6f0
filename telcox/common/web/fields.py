"""Serializer fields: strict input (no `"5"` for 5), and money and moments in answers."""

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from telcox.common.calendar import local_iso
from telcox.common.money import MONEY_MAX, cents
from telcox.common.web.exact_json import LARGEST, whole_number


class StrictIntegerField(serializers.IntegerField):
    """An integer that was sent as a number: not `"5"`, `1.5` or `true`.

    `5.0` and `5e0` are integers, too (JSON Schema 2020-12, section 6.1.1; /openapi.json says `integer`).
    """

    default_error_messages = {
        "int_type": "Input should be a valid integer",
        "min_value": "Input should be greater than or equal to {min_value}",
        "max_value": "Input should be less than or equal to {max_value}",
        "required": "Field required",
        "null": "Input should be a valid integer",
    }

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, Decimal):
            if data > LARGEST:
                self.fail("max_value", max_value=LARGEST if self.max_value is None else self.max_value)
            if data < -LARGEST:
                self.fail("min_value", min_value=-LARGEST if self.min_value is None else self.min_value)
            data = whole_number(data)
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("int_type")
        return data


class StrictStringField(serializers.CharField):
    """Text that was sent as text."""

    default_error_messages = {
        "string_type": "Input should be a valid string",
        "blank": "Input should not be blank",
        "min_length": "String should have at least {min_length} characters",
        "max_length": "String should have at most {max_length} characters",
        "required": "Field required",
        "null": "Input should be a valid string",
    }

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("string_type")
        return super().to_internal_value(data)


class StrictChoiceField(serializers.ChoiceField):
    """One of a few words, exactly as they are written."""

    default_error_messages = {"required": "Field required", "null": "Input should be a valid string"}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str) or data not in self.choices:
            *most, last = (f"'{choice}'" for choice in self.choices)
            raise serializers.ValidationError(f"Input should be {', '.join(most)} or {last}", code="enum")
        return data


class StrictBooleanField(serializers.BooleanField):
    """`true` or `false`, not `"yes"` or `1`."""

    default_error_messages = {"invalid": "Input should be a valid boolean"}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data


class StrictMoneyField(serializers.DecimalField):
    """Dollars that were sent as a JSON number, in whole cents and greater than zero: not `"5"` or `1.005`."""

    default_error_messages = {
        "number_type": "Input should be a valid number",
        "greater_than": "Input should be greater than 0",
        "max_value": "Input should be less than or equal to {max_value}",
        "whole_cents": "Input should have no more than 2 decimal places",
        "required": "Field required",
        "null": "Input should be a valid number",
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=12, decimal_places=2, coerce_to_string=False, **kwargs)

    def to_internal_value(self, data: Any) -> Decimal:
        if not isinstance(data, int | Decimal) or isinstance(data, bool):
            self.fail("number_type")
        amount = Decimal(data)
        # Compared before it is calculated with: a number may have a million digits.
        if amount <= 0:
            self.fail("greater_than")
        if amount > MONEY_MAX:
            self.fail("max_value", max_value=MONEY_MAX)
        if amount != cents(amount):
            self.fail("whole_cents")
        return cents(amount)


class MoneyField(serializers.DecimalField):
    """Dollars in an answer: a JSON number, as the original sends it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=12, decimal_places=2, coerce_to_string=False, **kwargs)

    def to_representation(self, value: Any) -> float:  # type: ignore[override]
        return float(value)


class MomentField(serializers.DateTimeField):
    """A moment in an answer: ISO 8601 in the operator's time zone, with its offset."""

    def to_representation(self, value: Any) -> str:
        return local_iso(value)
